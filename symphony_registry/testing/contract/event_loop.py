"""Sentences about the event loop, for every backend type."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeAlias

from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.hold import longest_hold
from symphony_registry.testing.sentence import Group

event_loop = Group("event_loop")
# The contract says about 10 ms; another machine may be half as fast, and measuring coverage takes as much again.
_LONGEST_HOLD = 0.05
# What the store does it does each time, in a new store as well; what only the machine did, seldom twice.
_ATTEMPTS = 3

Check: TypeAlias = Callable[[Harness[Any]], Awaitable[None]]


class _HeldError(AssertionError):
    """The event loop was held for too long."""


def _repeatable(check: Check) -> Check:
    """Let a check fail only if it does so each time."""

    @wraps(check)
    async def checked(harness: Harness[Any]) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                return await check(harness)
            except _HeldError:
                continue
        return await check(harness)

    return checked


async def _assert_short_hold(name: str, work: Callable[[], Awaitable[object]]) -> None:
    held = await longest_hold(work())
    if held > _LONGEST_HOLD:
        raise _HeldError(f"{name} held the event loop for {held * 1000:.0f} ms")


@event_loop.sentence("no read of a large store holds the event loop for long")
@_repeatable
async def reads(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        await adapter.load((f"id-{number}", {"number": number}) for number in range(harness.large))
        for name, read in adapter.reads().items():
            await _assert_short_hold(name, read)


@event_loop.sentence(
    "no search of a large store by a filter holds the event loop for long", needs=("filters", "listing entities")
)
@_repeatable
async def filters(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.load((f"id-{number}", {"number": number}) for number in range(harness.large))
        for name, read in adapter.with_filter({"number": {"$lt": 0}}).items():
            await _assert_short_hold(f"{name} with a filter", read)


@event_loop.sentence("no large write holds the event loop for long")
@_repeatable
async def writes(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        count = len(adapt(store).whole_writes(1))
    for number in range(count):
        async with harness.open() as store:
            write = adapt(store).whole_writes(harness.large)[number]
            await write.prepare()
            await _assert_short_hold(write.name, write.run)
