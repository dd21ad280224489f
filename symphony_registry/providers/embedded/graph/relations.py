"""The relations between numbered entities, in both directions."""

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_registry.backends.values import JSONObject
from symphony_registry.providers.embedded.graph.adjacency import (
    KIND_SHIFT,
    OTHER_END,
    Adjacency,
    Numbers,
    joined,
)
from symphony_registry.providers.embedded.graph.numbering import Numbering

_UNLINKED_AT_ONCE = 4  # more than one change can add, so that the backlog does not grow
_NOTHING: Mapping[int, JSONObject] = {}


class Relations:
    """The relations of entities, which are known by their numbers.

    When an entity is deleted, its relations stay at their other ends until `unlink`
    removes them, a few with each later change: there may be many, far apart in
    memory. Until then its number is not `alive`, and not reused.
    """

    def __init__(self) -> None:
        self.kinds = Numbering()
        self.counts: dict[str, int] = {}
        self.total = 0
        self.outgoing = Adjacency()
        self.incoming = Adjacency()
        self._size = 0
        self.alive: NDArray[np.bool_] = np.zeros(1, np.bool_)
        self._properties: dict[int, dict[int, JSONObject]] = {}  # those that are not empty, by start and outgoing key
        self.deleted: list[tuple[int, array[int], array[int]]] = []  # entities to unlink, with their keys

    def add_entity(self, number: int) -> None:
        """Add an entity by its number."""
        if number == self._size:
            self._size += 1
            self.outgoing.append_entity()
            self.incoming.append_entity()
            if self._size > len(self.alive):
                self.alive = np.concatenate((self.alive, np.zeros_like(self.alive)))
        self.alive[number] = True

    def delete_entity(self, number: int) -> None:
        """Delete the relations of an entity; `unlink` says when its number is free."""
        outgoing, incoming = self.outgoing.pop(number), self.incoming.pop(number)
        leaving = self._between_living(outgoing)
        self.alive[number] = False  # a relation to itself is counted once, as an outgoing one
        kinds = np.concatenate((leaving, self._between_living(incoming))) >> KIND_SHIFT
        for kind, count in zip(*(found.tolist() for found in np.unique(kinds, return_counts=True)), strict=True):
            self._count(self.kinds.names[kind], -count)
        self.deleted.append((number, outgoing, incoming))

    def _between_living(self, keys: "array[int]") -> Numbers:
        """Return the keys whose other end is not deleted."""
        found = np.array(keys, np.int64)
        living: Numbers = found[self.alive[found & OTHER_END]]
        return living

    def unlink(self) -> int | None:
        """Remove a few relations of a deleted entity from their other ends; after the last, return its number."""
        number, outgoing, incoming = self.deleted[-1]
        for _ in range(_UNLINKED_AT_ONCE):
            if outgoing:
                key = outgoing.pop()
                end = key & OTHER_END
                self.incoming.discard(end, key - end + number)
                self._forget_properties(number, key)
            elif incoming:
                key = incoming.pop()
                start = key & OTHER_END
                self.outgoing.discard(start, key - start + number)
                self._forget_properties(start, key - start + number)
            else:
                self.deleted.pop()
                return number
        return None

    def put(self, start: int, end: int, kind: str, properties: JSONObject) -> None:
        """Add a relation, or replace its properties."""
        high = self.kinds.add(kind) << KIND_SHIFT
        if self.outgoing.add(start, high | end):
            self.incoming.add(end, high | start)
            self.total += 1
            self.counts[kind] = self.counts.get(kind, 0) + 1
        elif not properties:
            self._forget_properties(start, high | end)
        if properties:
            self._properties.setdefault(start, {})[high | end] = properties

    def delete(self, start: int, end: int, kind: str) -> None:
        """Delete a relation; raises `KeyError` where there is none."""
        high = self.kinds.numbers[kind] << KIND_SHIFT
        if not self.outgoing.discard(start, high | end):
            raise KeyError(start, end, kind)
        self.incoming.discard(end, high | start)
        self._forget_properties(start, high | end)
        self._count(kind, -1)

    def contains(self, start: int, end: int, kind: str) -> bool:
        """Say whether there is such a relation."""
        number = self.kinds.numbers.get(kind)
        return number is not None and self.outgoing.contains(start, number << KIND_SHIFT | end)

    def properties(self, start: int) -> Mapping[int, JSONObject]:
        """Return the properties of an entity's outgoing relations, by key, where they are not empty."""
        return self._properties.get(start, _NOTHING)

    def degree(self, number: int) -> int:
        """Return an upper bound of the relations that touch an entity; one to itself counts twice."""
        return self.outgoing.degree(number) + self.incoming.degree(number)

    def among(self, numbers: list[int], kinds: list[int] | None) -> list[tuple[int, int]]:
        """Return the relations between some entities, as the number of each start and its outgoing key."""
        keys = joined(self.outgoing.blocks(numbers))
        starts = np.repeat(np.array(numbers, np.int64), list(map(self.outgoing.degree, numbers)))
        inside = np.zeros(len(self.alive), np.bool_)
        inside[numbers] = True
        chosen = inside[keys & OTHER_END]
        if kinds is not None:
            chosen &= np.isin(keys >> KIND_SHIFT, kinds)
        return list(zip(starts[chosen].tolist(), keys[chosen].tolist(), strict=True))

    def chosen(self, kinds: Iterable[str] | None) -> list[int] | None:
        """Return the numbers of the types that are in use; `None` stands for all."""
        numbers = self.kinds.numbers
        return None if kinds is None else [numbers[kind] for kind in kinds if kind in numbers]

    def _count(self, kind: str, more: int) -> None:
        self.total += more
        count = self.counts.get(kind, 0) + more
        if count:
            self.counts[kind] = count
        else:
            del self.counts[kind]
            self.kinds.release(self.kinds.remove(kind))

    def _forget_properties(self, start: int, key: int) -> None:
        held = self._properties.get(start)
        if held is not None and held.pop(key, None) is not None and not held:
            del self._properties[start]
