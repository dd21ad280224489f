"""Keeping the event loop free: long work on threads, to its end, and apart from writes."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


# Work is counted in steps of about 0.1 µs: above this, it goes to a thread.
LONG = 10_000
# What it takes to check and copy one item of a bulk operation.
ITEM_STEPS = 100
_TURN = 0.003  # seconds


async def computed(work: Callable[[], T], cost: float) -> T:
    """Return `work()`: here where it is short, else from a thread."""
    return work() if cost <= LONG else await asyncio.to_thread(work)


class Turns:
    """Gives the event loop its turn in a loop whose steps may never suspend."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    async def give(self) -> None:
        """Let other tasks run if they have waited for some milliseconds."""
        if time.perf_counter() - self._last > _TURN:
            await asyncio.sleep(0)
            self._last = time.perf_counter()


async def to_the_end(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Await `work` so that a cancelled caller neither stops it nor leaves before it has ended."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # the cancellation is what the caller sees
        raise


class Gate:
    """Keeps threads that read a structure and changes of it apart.

    Any number of threads read at once, and a change is alone. One that waits goes
    before reads that come later, so that neither side starves. The event loop
    itself may read unless a thread is `changing` the structure, and change it
    unless the gate is `busy`.
    """

    def __init__(self) -> None:
        self.changing = False
        self._readers = 0
        self._turn = asyncio.Lock()
        self._idle = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether a change would have to wait."""
        return self._readers > 0 or self._turn.locked()

    async def read(self, work: Callable[[], T]) -> T:
        """Return `work()`, run on a thread."""
        return await to_the_end(self._read(work))

    async def _read(self, work: Callable[[], T]) -> T:
        async with self._turn:
            self._readers += 1
            self._idle.clear()
        try:
            return await asyncio.to_thread(work)
        finally:
            self._readers -= 1
            if not self._readers:
                self._idle.set()

    async def change(self, work: Callable[[], None], *, on_thread: bool = False) -> None:
        """Call `work()` when no thread reads. Not to be cancelled: see `to_the_end`."""
        async with self._turn:
            if self._readers:
                await self._idle.wait()
            if not on_thread:
                work()
                return
            self.changing = True
            try:
                await asyncio.to_thread(work)
            finally:
                self.changing = False
