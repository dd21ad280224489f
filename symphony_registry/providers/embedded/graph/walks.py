"""Walks over numbered entities, a level at a time: see docs/design/walks.md."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from symphony_registry.providers.embedded.graph.adjacency import KIND_SHIFT, OTHER_END, Adjacency, Numbers, joined

Touch = Callable[[int], None]

# What work costs, in the steps of `LONG`.
_ENTITY_STEPS = 2
_KEYS_PER_STEP = 8
# Marking costs as many steps as there are entities, sorting more for each that is found.
_MARKED_PER_SORTED = 16


class Walk:
    """Steps from a set of entities to the entities that are related to them.

    A step costs the relations of the entities that it starts from, and reports
    that to `touch` beforehand. `alive` says which numbers are entities.
    """

    def __init__(
        self, sides: Sequence[Adjacency], kinds: Sequence[int] | None, alive: NDArray[np.bool_], touch: Touch
    ) -> None:
        self._sides = sides
        self._kinds = kinds
        self.alive = alive
        self._touch = touch

    def step(self, start: Numbers) -> Numbers:
        """Return the distinct other ends of the relations of `start`."""
        numbers = start.tolist()
        self._touch(_ENTITY_STEPS * len(numbers))
        blocks = [block for side in self._sides for block in side.blocks(numbers)]
        self._touch(sum(map(len, blocks)) // _KEYS_PER_STEP)
        keys = joined(blocks)
        if self._kinds is not None:
            kinds = keys >> KIND_SHIFT  # one type is usual, and compared at a tenth of the cost
            keys = keys[kinds == self._kinds[0] if len(self._kinds) == 1 else np.isin(kinds, self._kinds)]
        ends = self._distinct(keys & OTHER_END)
        return ends[self.alive[ends]]

    def _distinct(self, numbers: Numbers) -> Numbers:
        if len(numbers) * _MARKED_PER_SORTED < len(self.alive):
            return np.unique(numbers)
        marked = np.zeros(len(self.alive), np.bool_)
        marked[numbers] = True
        return np.flatnonzero(marked)


class Search:
    """A breadth-first search, as the set of entities at each distance from where it starts."""

    def __init__(self, starts: list[int], walk: Walk) -> None:
        self.walk = walk
        self.levels: list[Numbers] = [np.array(starts, np.int64)]
        self.seen = np.zeros(len(walk.alive), np.bool_)
        self.seen[starts] = True

    @property
    def last(self) -> Numbers:
        """The entities farthest from the start."""
        return self.levels[-1]

    def extend(self) -> bool:
        """Go one step farther; say whether anything new was reached."""
        reached = self.walk.step(self.last)
        reached = reached[~self.seen[reached]]
        self.seen[reached] = True
        self.levels.append(reached)
        return reached.size > 0


def shortest_path(ahead: Search, behind: Search, max_depth: int, order: Callable[[int], str]) -> list[int] | None:
    """Return the shortest path from the start of one search to that of the other; of equals the first in `order`.

    The searches come towards each other, the smaller one step at a time, until they
    meet. `stages` then keeps what lies on shortest paths, from the meeting point back.
    """
    while not (met := ahead.last[behind.seen[ahead.last]]).size:
        smaller = min(ahead, behind, key=lambda search: search.last.size)
        if len(ahead.levels) + len(behind.levels) - 2 == max_depth or not smaller.extend():
            return None
    stages = [met]
    for level in ahead.levels[-2::-1]:
        stages.append(_common(level, behind.walk.step(stages[-1])))
    path: list[int] = stages.pop().tolist()
    for stage in stages[::-1] + behind.levels[-2::-1]:
        path.append(min(_common(stage, ahead.walk.step(np.array(path[-1:]))).tolist(), key=order))
    return path


def _common(some: Numbers, others: Numbers) -> Numbers:
    return np.intersect1d(some, others, assume_unique=True)
