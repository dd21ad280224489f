"""How long an operation holds the event loop, on a machine that has other things to do as well."""

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_TICK = 0.001  # seconds
_SCHEDULER = Path("/proc/thread-self/schedstat")


async def longest_hold(work: Awaitable[object]) -> float:
    """Return the longest time, in seconds, that the event loop was held while awaiting `work`.

    Between two of its turns the loop's thread computes, which its own clock tells,
    or is blocked in a call that should have been awaited, which `_Clock` tells: by
    the wall's clock, a loaded machine would hold the loop as well. Not counted is
    the wait for the interpreter, which a thread may keep in one long call, nor are
    the pauses of the garbage collector.
    """
    gc.disable()
    clock = _Clock()
    ticking = asyncio.ensure_future(_watch(clock))
    await asyncio.sleep(0)
    try:
        await work
    finally:
        ticking.cancel()
        longest = await ticking
        clock.stop()
        gc.enable()
    return longest


async def _watch(clock: "_Clock") -> float:
    """Return the longest hold between two turns, once cancelled."""
    longest, last = 0.0, clock.read()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_TICK)
            now = clock.read()
            longest, last = max(longest, now.held_since(last)), now
    return max(longest, clock.read().held_since(last))


class _Reading(NamedTuple):
    """What the clocks of the loop's thread show, in seconds."""

    computed: float
    passed: float
    queued: float

    def held_since(self, last: "_Reading") -> float:
        computed, passed, queued = (now - before for now, before in zip(self, last, strict=True))
        return max(computed, passed - queued)


class _Clock:
    """Counts short sleeps of a thread, and so stands still while the whole process does.

    While only the loop's thread waits for a processor it goes on, but Linux tells how
    long that was. Where nobody tells, it does not go at all. It has to wait for a processor
    itself, so that on a loaded machine it goes slow: only longer blocks are noticed there.
    """

    def __init__(self) -> None:
        self._passed = 0.0
        self._goes = _SCHEDULER.exists() and not _SCHEDULER.read_text().startswith("0 ")
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        while self._goes:
            time.sleep(_TICK)
            self._passed += _TICK

    def stop(self) -> None:
        self._goes = False
        self._thread.join()

    def read(self) -> _Reading:
        """Return what the clocks show; called by the loop's thread."""
        queued = int(_SCHEDULER.read_text().split()[1]) / 1e9 if self._goes else 0.0
        return _Reading(time.thread_time(), self._passed, queued)
