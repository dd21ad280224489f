"""Keeping the event loop free: long work on threads, to its end, and apart from writes."""

import asyncio
import os
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from symphony_registry.backends.cost import ITEM, LONG

T = TypeVar("T")
U = TypeVar("U")

# In seconds.
_TURN = 0.003
_PAUSE, _BETWEEN_PAUSES = 50e-6, 0.002
# Items made at a time, some 0.2 ms.
_PART = 256


class Threads:
    """A pool of threads for the life of the process; a forked child, which none survives, has others."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._pool = ThreadPoolExecutor(self._count, self._name)

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Begin `work()`; raises `RuntimeError` where the interpreter is ending."""
        return self._pool.submit(work)


# Of our own: an application may block all of the default executor's on calls to us.
_threads = Threads(8, "symphony-registry")


class _Pauses:
    """Lets go of the interpreter now and then while threads are at work for a busy event loop.

    A loop that always has something to do gives the interpreter back at each look
    for events, and takes it again before the thread that waits for it has woken;
    since it was given, the thread does not ask for it after the usual 5 ms. Without
    pauses, a write of 0.3 ms took seconds beside tasks that are always ready.
    """

    def __init__(self) -> None:
        self._working = 0
        self._waiting = False  # for the next pause

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count a thread that begins to work."""
        self._working += 1
        if not self._waiting:
            self._waiting = True
            loop.call_later(_BETWEEN_PAUSES, self._pause, loop)

    def end(self) -> None:
        """Count a thread whose work is done."""
        self._working -= 1

    def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting = self._working > 0
        if self._waiting:
            time.sleep(_PAUSE)
            loop.call_later(_BETWEEN_PAUSES, self._pause, loop)


_pauses: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Pauses]" = weakref.WeakKeyDictionary()


class Promise(asyncio.Future[T]):
    """A future that cancelling does not reach: who waits for it hears of it afterwards."""

    thread: "Future[None] | None" = None  # what keeps it, where a thread does; that may outlive the event loop

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002
        """Refuse: what was begun is not undone."""
        return False


def background(work: Callable[[], None]) -> None:
    """Call `work()`, which does not fail, on a thread, some time."""
    with suppress(RuntimeError):  # the interpreter is ending, and frees everything
        _threads.submit(work)


def discard(items: Sequence[object]) -> None:
    """Empty a list that nobody needs any more, where it is long: on a thread, an item at a time.

    All at once, the event loop would wait for it. It begins in the loop's next turn, when what the caller
    has passed and forgotten is held by nobody else, so that it is freed there, too.
    """
    if isinstance(items, list) and len(items) * ITEM > LONG:
        asyncio.get_running_loop().call_soon(background, partial(empty, items))


def empty(items: list[Any] | set[Any] | dict[Any, Any]) -> None:
    """Free items one at a time: at once, it would keep other threads from the interpreter."""
    take = items.popitem if isinstance(items, dict) else items.pop
    while items:
        take()


def take_apart(structure: object) -> None:
    """Free what a structure is made of, a piece at a time."""
    for part in vars(structure).values():
        if isinstance(part, dict | set | list):
            empty(part)
        elif hasattr(part, "__dict__"):
            take_apart(part)


def in_thread(work: Callable[[], T], *, at_exit: bool = True) -> Promise[T]:
    """Begin `work()` on a thread. Await the promise by one of the two functions below.

    While the interpreter is ending, it is done here; unless it need not be `at_exit`: `CancelledError` says so.
    """
    loop = asyncio.get_running_loop()
    promise: Promise[T] = Promise(loop=loop)
    pauses = _pauses.get(loop)
    if pauses is None:
        pauses = _pauses[loop] = _Pauses()

    def deliver(change: Callable[[], None]) -> None:
        def finish() -> None:
            pauses.end()
            change()

        with suppress(RuntimeError):  # the event loop has ended, and nobody waits
            loop.call_soon_threadsafe(finish)

    def run() -> None:
        try:
            result = work()
        except StopIteration as error:  # which no future takes
            deliver(partial(promise.set_exception, RuntimeError(f"StopIteration: {error}")))
        except BaseException as error:
            deliver(partial(promise.set_exception, error))
        else:
            deliver(partial(promise.set_result, result))

    try:
        promise.thread = _threads.submit(run)
    except RuntimeError:
        if not at_exit:
            raise asyncio.CancelledError from None
        run()
    pauses.begin(loop)
    return promise


async def ignoring_cancellation(promise: Promise[T]) -> T:
    """Return the result of `promise`; a cancellation meanwhile has no effect."""
    try:
        return await promise
    except asyncio.CancelledError:
        return promise.result()


async def delaying_cancellation(work: Awaitable[T]) -> T:
    """Return the result of `work`; a cancellation meanwhile takes effect when it is done."""
    if isinstance(work, Promise):
        promise: Promise[T] = work
        return await promise  # a cancellation waits for it
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # the cancellation is what the caller sees
    raise cancelled


async def here_or_in_thread(work: Callable[[], T], cost: float) -> T:
    """Return `work()`, from a thread where it costs more than the event loop should wait."""
    return work() if cost <= LONG else await delaying_cancellation(in_thread(work))


def in_parts(make: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Return `make` of each item; on a thread, others have their turns in between.

    Without them, an event loop that waits for the interpreter is given it after 5 ms.
    """
    if asyncio._get_running_loop() is not None or len(items) <= _PART:
        return list(map(make, items))
    made: list[U] = []
    for start in range(0, len(items), _PART):
        made += map(make, items[start : start + _PART])
        time.sleep(0)
    return made


class Turns:
    """Gives the event loop its turn in a loop whose steps may never suspend."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    async def give(self) -> None:
        """Let other tasks run if they have waited for some milliseconds."""
        if time.perf_counter() - self._last > _TURN:
            await asyncio.sleep(0)
            self._last = time.perf_counter()


class Gate:
    """Keeps threads that read a structure and changes of it apart.

    Any number of threads read at once; a change, of which there is one at a time,
    is alone. It goes before reads that come later, so that neither side starves.
    The event loop itself may read unless a thread is `changing` the structure, and
    change it unless the gate is `busy`. The gate belongs to one event loop; threads
    that the loop leaves behind when it ends are waited for by `at_rest`.
    """

    def __init__(self) -> None:
        self.changing = False
        self._readers = 0
        self._threads: set[Future[None]] = set()
        self._idle: Promise[None] | None = None  # a change waits for the readers to leave
        self._changed: asyncio.Future[None] | None = None  # readers wait for the change to be made

    @property
    def busy(self) -> bool:
        """Whether a change would have to wait."""
        return self._readers > 0 or self._changed is not None

    def on_thread(self, work: Callable[[], T]) -> Promise[T]:
        """Begin `work()`, which uses the structure, on a thread."""
        promise = in_thread(work)
        if promise.thread is not None:
            self._threads.add(promise.thread)
            promise.thread.add_done_callback(self._threads.discard)
        return promise

    async def at_rest(self) -> None:
        """Wait until no thread uses the structure, whichever event loop began it."""
        await asyncio.shield(in_thread(partial(wait, self._threads.copy())))

    async def read(self, work: Callable[[], T]) -> T:
        """Return `work()`, run on a thread."""
        while self._changed is not None:
            await asyncio.wait([self._changed])
        self._readers += 1
        try:
            return await delaying_cancellation(self.on_thread(work))
        finally:
            self._readers -= 1
            if not self._readers and self._idle is not None:
                self._idle.set_result(None)

    async def change(self, work: Callable[[], None], *, on_thread: bool) -> None:
        """Call `work()` when no thread reads; cannot be cancelled."""
        loop = asyncio.get_running_loop()
        self._changed = loop.create_future()
        try:
            if self._readers:
                self._idle = Promise(loop=loop)
                await ignoring_cancellation(self._idle)
                self._idle = None
            if on_thread:
                self.changing = True
                await ignoring_cancellation(self.on_thread(work))
            else:
                work()
        finally:
            self.changing = False
            self._changed.set_result(None)
            self._changed = None
