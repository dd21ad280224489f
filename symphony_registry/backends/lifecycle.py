"""Opening each backend once, closing all of them, and asking how they are."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias, TypedDict

from symphony_registry.backends.forking import abandon_in_children
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.errors import (
    BackendErrorGroup,
    BackendTimeoutError,
    BackendUnavailableError,
    WrongEventLoopError,
    attributed,
    public_text,
)

logger = logging.getLogger(__name__)


@asynccontextmanager
async def limited(seconds: float | None, failure: str) -> AsyncIterator[None]:
    """Raise `BackendTimeoutError` where the block takes longer; a timeout of the block's own comes out as it is."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise BackendTimeoutError(
            f"{failure} within {seconds:g} s. Check that it can be reached from here, or allow more time in timeouts."
        ) from error


Status: TypeAlias = Literal["ok", "failing", "timeout", "closed", "unopened"]


class Health(TypedDict):
    """How a backend is; `latency` is in seconds, `detail` says why it is not `ok`."""

    type: BackendType
    name: str
    status: Status
    latency: float
    detail: str


class Lifecycle:
    """Opens and closes backends.

    Concurrent calls open a backend once: they share one task. A failed one is
    forgotten, so that the next call tries again. A caller that is cancelled does
    not stop the others.
    """

    def __init__(self) -> None:
        self._opened: dict[int, StorageBackend] = {}  # by identity, in the order opened
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._shared: set[int] = set()  # asked for more than once since they were opened
        abandon_in_children(self)

    @property
    def holds_any(self) -> bool:
        """Whether anything is open or about to be."""
        return any(not task.get_loop().is_closed() for task in self._opening.values()) or any(
            backend.is_open for backend in self._opened.values()
        )

    def abandon(self) -> None:
        """Forget, in a forked child, what the parent has opened."""
        for backend in self._opened.values():
            backend.abandon()  # also one that did not call `super().connect()`
        self._opened.clear()
        self._opening.clear()
        self._shared.clear()

    def is_opening(self, backend: StorageBackend) -> bool:
        """Say whether `backend` is about to be open."""
        return id(backend) in self._opening

    async def open(self, backend: StorageBackend, timeout: float | None = None) -> None:
        """Connect `backend` unless it is open on this event loop.

        One whose event loop has ended is connected anew. What `connect` raises
        comes out with the name of the backend, as `attributed` says.
        """
        loop = asyncio.get_running_loop()
        if id(backend) in self._opened:
            backend.ensure_no_other_loop()
            if backend._loop is loop:
                self._shared.add(id(backend))
                return
        task = self._opening.get(id(backend))
        if task is not None and task.get_loop() is not loop:
            if not task.get_loop().is_closed():
                raise WrongEventLoopError(f"{backend} is being opened on another event loop.")
            task = None
        if task is not None:
            self._shared.add(id(backend))
        else:
            task = loop.create_task(self._open(backend, timeout), name=f"open {backend.name}")
            self._opening[id(backend)] = task
            task.add_done_callback(lambda done: self._forget(backend, done))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and not (caller and caller.cancelling()):
                raise BackendUnavailableError(f"{backend} was closed before it was open. Open it again.") from None
            raise

    async def _open(self, backend: StorageBackend, timeout: float | None) -> None:
        started = time.perf_counter()
        try:
            async with limited(timeout, f"{backend} did not open"):
                await backend.initialize(backend.config or {})
                await backend.connect()
        except BaseException as error:
            named = attributed(error, f"{backend} could not be opened") if isinstance(error, Exception) else error
            if second := await _disconnected(backend, timeout, "timeouts.open"):
                named.add_note(f"Closing it again failed too: {public_text(second)}")
            raise named  # noqa: B904 - it has its cause
        backend._now_open()  # also one that did not call `super().connect()`
        self._opened.pop(id(backend), None)
        self._opened[id(backend)] = backend
        logger.debug("%s opened in %.3f s", backend, time.perf_counter() - started)

    def _forget(self, backend: StorageBackend, done: "asyncio.Task[None]") -> None:
        if self._opening.get(id(backend)) is done:
            del self._opening[id(backend)]
        if done.cancelled() or done.exception() is not None:  # which marks it as seen, if nobody waits
            self._shared.discard(id(backend))

    async def open_all(self, backends: Iterable[StorageBackend], timeout: float | None = None) -> None:
        """Open all at once, or none: where one fails, those opened here are closed again.

        One that somebody else asked for in the meantime stays open.
        Raises an `ExceptionGroup` of every error, the failed closes included.
        """
        loop = asyncio.get_running_loop()
        wanted = [backend for backend in backends if backend._loop is not loop]
        ours = [backend for backend in wanted if not self.is_opening(backend)]
        opening = asyncio.gather(*(self.open(backend, timeout) for backend in wanted), return_exceptions=True)
        try:
            results = await opening
        except asyncio.CancelledError:
            await self._settle(timeout)
            await self._close(self._unshared(ours), timeout)
            raise
        errors = [_as_error(result, backend) for backend, result in zip(wanted, results, strict=True) if result]
        if errors:
            errors += await self._close(self._unshared(ours), timeout, "timeouts.open")
            raise BackendErrorGroup("Not all backends could be opened, so none is", errors)

    def _unshared(self, backends: list[StorageBackend]) -> list[StorageBackend]:
        return [backend for backend in backends if id(backend) not in self._shared]

    async def close(self, backend: StorageBackend, timeout: float | None = None) -> None:
        """Disconnect one backend; raises a `BackendErrorGroup` of what went wrong."""
        if errors := await self._close([backend], timeout):
            raise BackendErrorGroup(f"{backend} did not close cleanly", errors)

    async def close_all(self, timeout: float | None = None) -> None:
        """Disconnect all, the last opened first, each within `timeout` seconds.

        Raises an `ExceptionGroup` of every error, after all were tried.
        """
        await self._settle(timeout)
        if errors := await self._close(self._opened.values(), timeout):
            raise BackendErrorGroup("Not all backends closed cleanly", errors)

    async def _settle(self, timeout: float | None) -> None:
        """Wait until nothing is being opened here; what takes longer than `timeout` seconds is cancelled."""
        loop = asyncio.get_running_loop()
        opening = [task for task in self._opening.values() if task.get_loop() is loop]
        if opening:
            _, late = await asyncio.wait(opening, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=timeout)

    async def _close(
        self, backends: Iterable[StorageBackend], timeout: float | None, setting: str = "timeouts.close"
    ) -> list[Exception]:
        """Close those of `backends` that were opened here, and return what went wrong."""
        errors: list[Exception] = []
        chosen = set(map(id, backends))
        for backend in [backend for key, backend in reversed(self._opened.items()) if key in chosen]:
            if self._opened.pop(id(backend), None) is None:
                continue  # another call closes it
            self._shared.discard(id(backend))
            if error := await _disconnected(backend, timeout, setting):
                error.add_note(f"While closing: {backend}")
                errors.append(error)
                if isinstance(error, WrongEventLoopError):
                    self._opened[id(backend)] = backend  # it is still open there
        return errors


def _as_error(result: BaseException, backend: StorageBackend) -> Exception:
    if isinstance(result, Exception):
        return result
    error = BackendUnavailableError(f"{backend} could not be opened: {type(result).__name__}.")
    error.__cause__ = result
    return error


async def _disconnected(backend: StorageBackend, timeout: float | None, setting: str) -> Exception | None:
    """Disconnect and return what went wrong; one that hangs is left to itself after `timeout` seconds, by `setting`."""

    async def disconnect() -> None:
        try:
            await backend.disconnect()
        except WrongEventLoopError:
            raise  # it is still open there
        except BaseException:
            backend._loop = None
            raise
        backend._loop = None  # for a provider that did not call super()

    task = asyncio.ensure_future(disconnect())
    await asyncio.wait([task], timeout=timeout)
    if not task.done():
        task.cancel()
        backend._loop = None
        failure = f"{backend} did not close within {timeout:g} s, and was abandoned"
        return BackendTimeoutError(f"{failure}. Allow more time in {setting}.")
    if task.cancelled():
        return BackendUnavailableError(f"{backend} did not close: its disconnect was cancelled.")
    error = task.exception()
    if isinstance(error, Exception):
        return attributed(error, f"{backend} did not close")
    if error is not None:
        raise error
    return None


async def check_health(backend: StorageBackend, timeout: float | None) -> Health:
    """Return how `backend` is, within `timeout` seconds; never raises."""
    started = time.perf_counter()
    status: Status
    detail = ""
    if not backend.is_open:
        status, detail = ("closed", "not open") if backend._was_open else ("unopened", "not opened yet")
    elif backend._loop is not asyncio.get_running_loop():
        status, detail = "failing", "open on another event loop"
    else:
        try:
            async with limited(timeout, f"{backend} did not answer its health check"):
                await backend.ensure_healthy()
            status = "ok"
        except Exception as error:
            named = attributed(error, f"{backend} failed its health check")
            status = "timeout" if isinstance(named, BackendTimeoutError) else "failing"
            detail = public_text(named)
    latency = time.perf_counter() - started
    return {"type": backend.backend_type, "name": backend.name, "status": status, "latency": latency, "detail": detail}
