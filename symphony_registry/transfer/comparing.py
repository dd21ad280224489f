"""Reading two contents side by side, and saying what differs."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from symphony_registry.transfer.collection import Collection, Key, StoredItem, shown
from symphony_registry.transfer.contents import Contents
from symphony_registry.transfer.digest import Digest
from symphony_registry.transfer.kinds import COLLECTIONS
from symphony_registry.transfer.progress import Progress, Stage, silent
from symphony_registry.transfer.scanning import left_early

# Differences that are remembered, and items after which progress is reported.
SHOWN = 10
STEP = 200

_Placed: TypeAlias = "tuple[Key | int, StoredItem]"


class Difference(NamedTuple):
    """Two items that are in the same place and are not equal; `None` where there is none."""

    collection: str
    source: Key | None
    target: Key | None

    def __str__(self) -> str:
        if self.source is None:
            return f"{shown(self.target or ())} is in the target only"
        if self.target is None:
            return f"{shown(self.source)} is missing in the target"
        if self.source != self.target:
            return f"{shown(self.target)} is in the target where the source has {shown(self.source)}"
        return f"{shown(self.source)} differs"


@dataclass
class Side:
    """What one side holds: the items of each collection, and the digest of all."""

    counts: dict[str, int] = field(default_factory=dict)
    digest: str = ""


@dataclass
class Comparison:
    """What a comparison found: both sides, the first differences and their number.

    `others` are items of the target that were there before a merge; they count for neither side.
    """

    source: Side = field(default_factory=Side)
    target: Side = field(default_factory=Side)
    others: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether the target holds what the source holds."""
        return self.differing == 0 and self.source == self.target


async def compare(
    source: Contents, target: Contents, *, merged: bool = False, progress: Progress = silent
) -> Comparison:
    """Read both sides once, side by side, in bounded memory.

    Where the source was `merged` into the target, what else the target holds does not count.
    """
    result = Comparison()
    digests = Digest(), Digest()
    done = 0
    for collection in COLLECTIONS[source.backend_type]:
        counts = [0, 0]
        async with aclosing(_paired(collection, source, target, merged=merged)) as pairs:
            async for pair in pairs:
                done += 1
                if done % STEP == 0:
                    progress(Stage.VERIFY, done)
                if merged and pair[0] is None:
                    result.others += 1
                    continue
                texts = [None if item is None else collection.canonical(item) for item in pair]
                for side, text in enumerate(texts):
                    if text is not None:
                        counts[side] += 1
                        digests[side].add(text)
                if texts[0] != texts[1]:
                    result.differing += 1
                    if len(result.differences) < SHOWN:
                        keys = [None if item is None else collection.key(item) for item in pair]
                        result.differences.append(Difference(collection.name, *keys))
        result.source.counts[collection.name], result.target.counts[collection.name] = counts
    result.source.digest, result.target.digest = map(str, digests)
    progress(Stage.VERIFY, done)
    return result


async def held_of(collection: Collection[Any], source: Contents, target: Contents, progress: Progress) -> int | None:
    """Return how many items the target holds, if they are those that the source begins with, else `None`."""
    held = 0
    async with left_early(source.read(collection)) as wanted, left_early(target.read(collection)) as found:
        async for item in found:
            expected = await anext(wanted, None)
            if expected is None or collection.canonical(expected) != collection.canonical(item):
                return None
            held += 1
            if held % STEP == 0:
                progress(Stage.CHECK, held)
    return held


async def _paired(
    collection: Collection[Any], source: Contents, target: Contents, *, merged: bool
) -> AsyncGenerator[tuple[StoredItem | None, StoredItem | None], None]:
    """Yield the items of both sides that belong together: with the same key, or at the same place.

    What is merged into a sequence is at its end.
    """
    before = await target.count(collection) - await source.count(collection) if merged and not collection.by_key else 0
    async with (
        aclosing(_placed(collection, source.read(collection), 0)) as left,
        aclosing(_placed(collection, target.read(collection), -before)) as right,
    ):
        ours, theirs = await anext(left, None), await anext(right, None)
        while ours is not None or theirs is not None:
            if theirs is None or (ours is not None and _place(ours) < _place(theirs)):
                assert ours is not None
                yield ours[1], None
                ours = await anext(left, None)
            elif ours is None or _place(theirs) < _place(ours):
                yield None, theirs[1]
                theirs = await anext(right, None)
            else:
                yield ours[1], theirs[1]
                ours, theirs = await anext(left, None), await anext(right, None)


async def _placed(
    collection: Collection[Any], items: AsyncIterator[StoredItem], first: int
) -> AsyncGenerator[_Placed, None]:
    places = count(first)
    async with left_early(items) as reading:
        async for item in reading:
            yield collection.key(item) if collection.by_key else next(places), item


def _place(placed: _Placed) -> Any:
    return placed[0]
