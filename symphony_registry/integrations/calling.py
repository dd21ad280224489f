"""How a framework's calls, with `await` or without, reach a backend that belongs to one event loop."""

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

from symphony_registry.backends.concurrency import Threads
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.blocking.backend_target import BackendTarget
from symphony_registry.errors import BackendNotOpenError, BackendUnavailableError, BlockingCallError, InvalidTypeError

B = TypeVar("B", bound=StorageBackend)
P = ParamSpec("P")
T = TypeVar("T")

Store: TypeAlias = B | BackendTarget[B]
"""A backend, or the store without `await` that a registry `in_thread()` gives for it."""

_LOOK = 1.0  # seconds between looks whether the event loop that is waited for still runs

# Threads for what is the application's: all of the default executor's may wait for calls that need one,
# and the backends' own may be needed by what it calls.
_threads = Threads(16, "symphony-registry-calls")


async def on_thread(function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Return what a function of the application gives on a thread, as `asyncio.to_thread` does."""
    context = contextvars.copy_context()

    def run() -> T:
        try:
            return context.run(function, *args, **options)
        except StopIteration as error:  # which no future takes
            raise RuntimeError(f"StopIteration: {error}") from error

    return await asyncio.wrap_future(_threads.submit(run))


class Calls(Generic[B]):
    """Runs async functions on the event loop that has a backend open, from wherever a framework calls."""

    def __init__(self, store: Store[B], kind: BackendType) -> None:
        """Take a store of this kind; raises `InvalidTypeError` for anything else."""
        self.backend: B = store._target if isinstance(store, BackendTarget) else store
        found: object = self.backend
        if not isinstance(found, StorageBackend) or found.backend_type != kind:
            given = found if isinstance(found, StorageBackend) else f"a {type(found).__name__}"
            raise InvalidTypeError(f"A {kind} belongs here, as `registry.{kind}()` gives one, not {given}.")

    async def awaited(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs) -> T:
        """Return what `function(...)` gives; on another event loop than the backend's, it is awaited there."""
        loop = self.backend._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await function(*args, **options)
        call = asyncio.wrap_future(_begin(loop, function(*args, **options)))
        try:
            while not call.done():
                await asyncio.wait([call], timeout=_LOOK)
                if not call.done() and not loop.is_running():
                    raise _stopped()
        except BaseException:
            call.cancel()
            raise
        if call.cancelled():
            raise _stopped()
        return call.result()

    def waited(
        self, instead: str, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs
    ) -> T:
        """Return what `function(...)` gives, on a thread that waits for the backend's event loop.

        Raises `BlockingCallError`, which names the method to await `instead`, where
        an event loop runs in this thread: waiting would stop it, for ever if it is the backend's own.
        """
        loop = self.backend._loop
        _ensure_may_wait(loop, instead)
        if loop is None:
            raise BackendNotOpenError(
                f"{self.backend} is not open. Without an event loop of your own, take it from a registry that has one: "
                "`with ServiceRegistry.from_config().in_thread() as registry:`."
            )
        call = _begin(loop, function(*args, **options))
        try:
            return _result(call, loop)
        except BaseException:
            call.cancel()
            raise


def _begin(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> "Future[T]":
    try:
        if loop.is_running():
            return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError:  # it was closed meanwhile
        pass
    work.close()
    raise _stopped()


def _result(call: "Future[T]", loop: asyncio.AbstractEventLoop) -> T:
    while True:
        try:
            return call.result(_LOOK)
        except TimeoutError:
            if call.done():  # it is the call's own
                raise
            if not loop.is_running():
                raise _stopped() from None
        except CancelledError:
            raise _stopped() from None


def _stopped() -> BackendUnavailableError:
    return BackendUnavailableError("The event loop that had the backend open has ended. Open it again.")


def _ensure_may_wait(owner: asyncio.AbstractEventLoop | None, instead: str) -> None:
    try:
        current = asyncio.get_running_loop()
    except RuntimeError:
        return
    if current is owner or not hasattr(sys, "ps1"):  # a person who waits for a cell of a notebook is nobody's server
        raise BlockingCallError(
            f"This would stop the event loop that runs in this thread{', for ever' * (current is owner)}. "
            f"Await {instead}() instead, or what calls it: ainvoke() for invoke(), and so on."
        )
