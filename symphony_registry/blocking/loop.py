"""An event loop on a thread of its own, and how other threads call what is async there."""

import asyncio
import atexit
import sys
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from threading import Event, Lock, RLock, Thread, current_thread
from typing import Any, Generic, ParamSpec, TypeVar

from symphony_registry.backends.forking import abandon_in_children
from symphony_registry.errors import BackendNotOpenError, BackendUnavailableError, BlockingCallError

P = ParamSpec("P")
T = TypeVar("T")

HOW_TO_OPEN = "Open it with `with registry:` or `registry.open()`."
_PAGE = 0.001  # seconds of reading ahead: some twenty times what a call costs, and little memory
_PATIENCE = 1.0  # seconds


class _Call(Generic[T]):
    """A call that a thread waits for; all but `ended` and what came out belongs to the event loop."""

    result: T
    error: BaseException | None = None
    _task: asyncio.Task[None] | None = None

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self.ended = Lock()  # cheaper than a future
        self.ended.acquire()

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            self.result = await self._work()
        except BaseException as error:
            self.error = error
        self.ended.release()

    def cancel(self, ended: Event) -> None:
        if self._task is None:  # Ctrl-C came before it was begun
            ended.set()
        else:
            self._task.cancel()
            self._task.add_done_callback(lambda _: ended.set())


class BackgroundLoop:
    """Runs coroutines for threads that wait for them, from `start` to `stop`; any number of threads at once.

    The thread is a daemon: a process that ends does not wait for it.
    """

    def __init__(self) -> None:
        self._running: asyncio.AbstractEventLoop | None = None
        self._lock = RLock()  # nothing is called after the end was; a finalizer may call at any time
        abandon_in_children(self)
        _loops.add(self)

    def abandon(self) -> None:
        """Forget, in a forked child, the thread that is only in the parent."""
        self._running = None
        self._lock = RLock()

    @property
    def is_running(self) -> bool:
        """Whether it can be called."""
        return self._running is not None

    def start(self) -> None:
        """Start the thread; harmless when it runs."""
        self._ensure_may_wait()
        with self._lock:
            if self._running is not None:
                return
            runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
            loop, stopped = runner.get_loop(), asyncio.Event()

            def run() -> None:
                with runner:  # which cancels, at its end, what still runs
                    runner.run(stopped.wait())

            thread = Thread(target=run, name="symphony-registry event loop", daemon=True)
            thread.start()
            self._running, self._stopped, self._thread = loop, stopped, thread

    def stop(self) -> None:
        """End the thread, and what it is called for; harmless when there is none."""
        self._ensure_may_wait()
        with self._lock:
            if self._running is None or _ending.is_set():
                return
            self._running.call_soon_threadsafe(self._stopped.set)
            self._running = None
        self._thread.join()

    def park(self) -> None:
        """Let the thread do nothing more: an interpreter that ends while it is inside a library may abort."""
        with self._lock:
            if self._running is None:
                return
            parked = Event()
            self._running.call_soon_threadsafe(_wait_for_ever, parked)
        parked.wait(_PATIENCE)

    def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs) -> T:
        """Return what `function(...)`, awaited on the loop, returns or raises; it has the caller's context variables.

        Ctrl-C cancels it, and comes out when it has ended.
        """
        self._ensure_may_wait()
        if _ending.is_set() and not current_thread().daemon:  # one waits for ever
            raise BackendNotOpenError("The interpreter is ending. Close the registry before that: enter it by `with`.")
        call = _Call(partial(function, *args, **options))
        try:
            with self._lock:
                if self._running is None:
                    raise BackendNotOpenError("Its registry is not open.", HOW_TO_OPEN)
                self._running.call_soon_threadsafe(call.begin)
            call.ended.acquire()
        except BaseException:
            self._cancel(call)
            raise
        error, call.error = call.error, None
        if error is None:
            return call.result
        try:
            if isinstance(error, asyncio.CancelledError):
                raise BackendUnavailableError(
                    "The call was cancelled, since its registry was closed meanwhile. Open it again: `registry.open()`."
                ) from None
            if type(error) is BackendNotOpenError:  # which says to await what is called here
                error = BackendNotOpenError(error.failure, HOW_TO_OPEN)
            raise error
        finally:
            del error  # whose traceback has this frame

    def _cancel(self, call: _Call[Any]) -> None:
        ended = Event()
        with self._lock:
            if self._running is None:
                return  # nothing was called, or all of it is being cancelled
            self._running.call_soon_threadsafe(call.cancel, ended)
        ended.wait()

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield `items`, reading a millisecond ahead; they end with the iterator."""
        more, error = True, None
        try:
            while more:
                page, more, error = self.call(_page, items)
                yield from page
            if error is not None:
                raise error
        finally:
            error = None
            self._finish(items)

    def _finish(self, items: AsyncIterator[Any]) -> None:
        """Let `items` clean up, before anything that is called from here on; a finalizer must not wait for it."""
        close = getattr(items, "aclose", None)
        with self._lock:
            if self._running is not None and close is not None:
                asyncio.run_coroutine_threadsafe(close(), self._running)

    def _ensure_may_wait(self) -> None:
        try:
            current = asyncio.get_running_loop()
        except RuntimeError:
            return
        if current is self._running:
            raise BlockingCallError(
                "This is called on the event loop that would have to answer: it would wait forever. "
                "Await the operation of the async store instead."
            )
        if not hasattr(sys, "ps1"):  # a person who waits for a cell of a notebook is nobody's server
            raise BlockingCallError(
                "This would block the event loop that runs in this thread. Await the operation of the async store, "
                "`async with ServiceRegistry...`, or call it on a thread: `await asyncio.to_thread(store.count)`."
            )


_loops: "weakref.WeakSet[BackgroundLoop]" = weakref.WeakSet()
_ending = Event()


@atexit.register  # before whatever an application registers, so that its calls at the exit come first
def _park_all() -> None:
    _ending.set()
    for loop in list(_loops):
        loop.park()


def _wait_for_ever(parked: Event) -> None:
    parked.set()
    Event().wait()


async def _page(items: AsyncIterator[T]) -> tuple[list[T], bool, Exception | None]:
    """Return the next items, whether there may be more, and the error that ended them."""
    page: list[T] = []
    until = time.perf_counter() + _PAGE
    try:
        async for item in items:
            page.append(item)
            if time.perf_counter() > until:
                return page, True, None
    except Exception as error:
        return page, False, error
    return page, False, None
