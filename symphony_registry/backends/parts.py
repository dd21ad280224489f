"""Bulk writes in parts: each is checked and made ready while the one before is being sent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from symphony_registry.backends.concurrency import here_or_in_thread, in_thread

T = TypeVar("T")
U = TypeVar("U")


class PartLimit(NamedTuple):
    """How much of a bulk write an engine takes at once."""

    items: int
    bytes: int = 2_000_000

    def split(self, items: Sequence[T], size: Callable[[T], int]) -> Iterator[Sequence[T]]:
        """Yield the items in parts within the limit; one that is larger by itself is a part."""
        first = total = 0
        for number, item in enumerate(items):
            here = size(item)
            if number > first and (number - first == self.items or total + here > self.bytes):
                yield items[first:number]
                first, total = number, 0
            total += here
        yield items[first:]


class Parts(Generic[T]):
    """A bulk write, part by part.

    A part is checked when it is made, so that making it may raise. All can be
    gone through again, where an attempt has failed.
    """

    def __init__(self, makers: Sequence[Callable[[], T]], cost: float, made: Sequence[T] | None = None) -> None:
        """Take what makes each part, and what making all costs; `made` has the parts if they are made."""
        self._makers = makers
        self._made = made
        self.cost = cost

    def __len__(self) -> int:
        return len(self._makers if self._made is None else self._made)

    @classmethod
    def of(cls, parts: Sequence[T], cost: float = 0) -> "Parts[T]":
        """Return parts that are checked already; `cost` is what is left to do with them."""
        return cls((), cost, parts)

    def map(self, change: Callable[[T], U]) -> "Parts[U]":
        """Return parts that `change` makes of these, where these are made."""
        if self._made is not None:
            return Parts([partial(change, part) for part in self._made], self.cost)
        return Parts([partial(_changed, change, make) for make in self._makers], self.cost)

    async def whole(self) -> T:
        """Return the only part."""
        if self._made is not None:
            (part,) = self._made
            return part
        (make,) = self._makers
        return await here_or_in_thread(make, self.cost)

    async def send(self, work: Callable[[T], Awaitable[int]]) -> int:
        """Call `work` with each part in turn, and return the sum of what it gives.

        While it waits for a server, the next part is made on a thread.
        """
        if len(self) == 1:
            return await work(await self.whole())
        if self._made is not None:
            return sum([await work(part) for part in self._made])
        total = 0
        ready = in_thread(self._makers[0])
        try:
            for following in [*self._makers[1:], None]:
                part = await ready
                if following is not None:
                    ready = in_thread(following)
                total += await work(part)
        finally:
            await asyncio.wait([ready])  # nobody reads the caller's items when this has returned
            ready.exception()
        return total


def _changed(change: Callable[[T], U], make: Callable[[], T]) -> U:
    return change(make())
