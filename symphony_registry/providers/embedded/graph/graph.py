"""The state of an embedded knowledge graph: entities by their numbers, and the relations between them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import chain, islice
from sys import intern
from typing import Any, TypeAlias

import numpy as np

from symphony_registry.backends.filters import Condition
from symphony_registry.backends.knowledge_graph.base import Entity, Relation
from symphony_registry.backends.values import Direction, JSONObject, copied
from symphony_registry.providers.embedded.graph.adjacency import KIND_SHIFT, OTHER_END
from symphony_registry.providers.embedded.graph.numbering import Numbering
from symphony_registry.providers.embedded.graph.relations import Relations
from symphony_registry.providers.embedded.graph.walks import Search, Touch, Walk, shortest_path
from symphony_registry.providers.embedded.replica import Change

_Row: TypeAlias = tuple[str, str, str, JSONObject | None]

_RESULT_STEPS = 8  # what it takes to sort and copy an entity, in the steps of `LONG`
_RUN = 8_192  # items sorted at once
_FEW = 16  # of so many times as many, the smallest are found without sorting


class PropertyGraph:
    """Entities and relations.

    Point operations cost O(log degree); deleting an entity reads its relations;
    walks cost the relations they touch, which they report to `touch` as they go.
    """

    def __init__(self) -> None:
        self.clear()

    def emptied(self) -> "PropertyGraph":
        """Return a new one."""
        return PropertyGraph()

    def clear(self) -> None:
        """Forget everything."""
        self._ids = Numbering()
        self._types: list[str] = []
        self._properties: list[JSONObject | None] = []  # None for none: many have the same nothing
        self._relations = Relations()

    @property
    def entities(self) -> Mapping[str, int]:
        """The ids of all entities, with their numbers."""
        return self._ids.numbers

    def __len__(self) -> int:
        return len(self.entities) + self._relations.total

    def apply(self, change: Change) -> None:
        """Make one change: put or delete an entity or a relation, or clear."""
        if self._relations.deleted and (free := self._relations.unlink()) is not None:
            self._ids.release(free)
        match change["op"]:
            case "put_relation":
                start, end = self._ids.numbers[change["from"]], self._ids.numbers[change["to"]]
                self._relations.put(start, end, change["type"], change["properties"])
            case "put_entity":
                self._put_entity(change["id"], change["type"], change["properties"])
            case "delete_entity":
                number = self._ids.remove(change["id"])
                self._types[number], self._properties[number] = "", None
                self._relations.delete_entity(number)
            case "delete_relation":
                start, end = self._ids.numbers[change["from"]], self._ids.numbers[change["to"]]
                self._relations.delete(start, end, change["type"])
            case "clear":
                self.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def _put_entity(self, id: str, kind: str, properties: JSONObject) -> None:
        number = self._ids.add(id)
        if number == len(self._types):
            self._types.append("")
            self._properties.append(None)
        self._types[number] = intern(kind)
        self._properties[number] = properties or None
        self._relations.add_entity(number)

    def growing_cost(self, changes: Sequence[Change]) -> float:  # noqa: ARG002
        """Return 0: relations are in small blocks."""
        return 0

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty graph equal to this one."""
        for id, number in self.entities.items():
            held = self._properties[number]
            yield {"op": "put_entity", "id": id, "type": self._types[number], "properties": held or {}}
        for id, number in self.entities.items():
            for _, to_id, kind, held in self._leaving(id, number, None):
                yield {"op": "put_relation", "from": id, "to": to_id, "type": kind, "properties": held or {}}

    def entity(self, id: str) -> Entity | None:
        """Return a copy of the entity, or `None`."""
        number = self._ids.numbers.get(id)
        return None if number is None else self._named(number)

    def _named(self, number: int) -> Entity:
        held = self._properties[number]
        return {
            "id": self._ids.names[number],
            "type": self._types[number],
            "properties": copied(held) if held else {},
        }

    def named(self, ids: Iterable[str]) -> list[Entity]:
        """Return copies of those of the entities that exist."""
        return [entity for entity in map(self.entity, ids) if entity is not None]

    def ids(self, kind: str | None = None) -> list[str]:
        """Return the ids of the entities of a type, or of all, in order."""
        return [self._ids.names[number] for number in self._of_type(kind)]

    def _of_type(self, kind: str | None) -> list[int]:
        types = self._types
        numbers = [number for number in self.entities.values() if kind is None or types[number] == kind]
        return _ordered(numbers, self._ids.names.__getitem__)

    def count(self, kind: str | None = None) -> int:
        """Return how many entities of a type there are, or how many at all."""
        return len(self.entities) if kind is None else self._types.count(kind)

    def count_relations(self, kind: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        return self._relations.total if kind is None else self._relations.counts.get(kind, 0)

    def find(self, kind: str | None, condition: Condition, limit: int) -> list[Entity]:
        """Return the first `limit` entities of a type whose properties match, by id."""
        matching = (number for number in self._of_type(kind) if condition.matches(self._properties[number] or {}))
        return list(map(self._named, islice(matching, min(limit, len(self)))))

    def degree(self, id: str) -> int:
        """Return how many relations touch the entity at the most; one to itself counts twice."""
        number = self._ids.numbers.get(id)
        return 0 if number is None else self._relations.degree(number)

    def has_relation(self, from_id: str, to_id: str, kind: str) -> bool:
        """Say whether there is such a relation."""
        start, end = self._ids.numbers.get(from_id), self._ids.numbers.get(to_id)
        return start is not None and end is not None and self._relations.contains(start, end, kind)

    def relations(self, id: str, kind: str | None, direction: Direction) -> list[Relation]:
        """Return copies of the entity's relations by (from, to, type)."""
        number = self._ids.numbers.get(id)
        chosen = None if kind is None else self._relations.kinds.numbers.get(kind)
        if number is None or (chosen is None and kind is not None):
            return []
        found: list[_Row] = []
        if direction != "incoming":
            found += self._leaving(id, number, chosen)
        if direction != "outgoing":
            found += self._coming(id, number, chosen, itself=direction != "both")
        return [
            {"from_id": from_id, "to_id": to_id, "type": each, "properties": copied(held) if held else {}}
            for from_id, to_id, each, held in _ordered(found)
        ]

    def _leaving(self, id: str, number: int, kind: int | None) -> list[_Row]:
        names, kinds = self._ids.names, self._relations.kinds.names
        held = self._relations.properties(number)
        return [
            (id, name, kinds[key >> KIND_SHIFT], held.get(key))
            for key in self._relations.outgoing.keys(number, kind)
            if (name := names[key & OTHER_END])
        ]

    def _coming(self, id: str, number: int, kind: int | None, *, itself: bool) -> list[_Row]:
        names, kinds = self._ids.names, self._relations.kinds.names
        rows: list[_Row] = []
        for key in self._relations.incoming.keys(number, kind):
            start = key & OTHER_END
            if (name := names[start]) and (itself or start != number):
                held = self._relations.properties(start).get(key - start + number)
                rows.append((name, id, kinds[key >> KIND_SHIFT], held))
        return rows

    def follow(self, start: str, path: Sequence[str], limit: int, touch: Touch) -> list[Entity]:
        """Return the first `limit` entities at the end of `path`, by id."""
        number = self._ids.numbers.get(start)
        if number is None:
            return []
        frontier = np.array([number])
        for kind in path:
            frontier = self._walk("outgoing", [kind], touch).step(frontier)
        return self._first(frontier.tolist(), limit, touch)

    def within(
        self, start: str, kind: str | None, direction: Direction, depth: int, limit: int, touch: Touch
    ) -> list[Entity]:
        """Return the first `limit` entities within `depth` steps of `start`, by id."""
        number = self._ids.numbers.get(start)
        if number is None:
            return []
        search = Search(number, self._walk(direction, None if kind is None else [kind], touch))
        while len(search.levels) <= depth and search.extend():
            pass
        return self._first(np.concatenate(search.levels[1:]).tolist(), limit, touch)

    def shortest_path(
        self, start: str, goal: str, kinds: Iterable[str] | None, max_depth: int, touch: Touch
    ) -> list[Entity] | None:
        """Return the shortest path, of equals the smallest by ids; see the base class."""
        first, last = self._ids.numbers.get(start), self._ids.numbers.get(goal)
        if first is None or last is None:
            return None
        ahead = Search(first, self._walk("outgoing", kinds, touch))
        behind = Search(last, self._walk("incoming", kinds, touch))
        names = self._ids.names
        path = shortest_path(ahead, behind, max_depth, names.__getitem__)
        return None if path is None else self.named(names[number] for number in path)

    def _walk(self, direction: Direction, kinds: Iterable[str] | None, touch: Touch) -> Walk:
        relations = self._relations
        sides = []
        if direction != "incoming":
            sides.append(relations.outgoing)
        if direction != "outgoing":
            sides.append(relations.incoming)
        return Walk(sides, relations.chosen(kinds), relations.alive, touch)

    def _first(self, numbers: list[int], limit: int, touch: Touch) -> list[Entity]:
        touch(len(numbers) + min(limit, len(numbers)) * _RESULT_STEPS)
        name = self._ids.names.__getitem__
        few = limit * _FEW < len(numbers)
        return list(map(self._named, nsmallest(limit, numbers, name) if few else _ordered(numbers, name)[:limit]))


def _ordered(items: list[Any], key: Callable[[Any], str] | None = None) -> list[Any]:
    """Sort in runs that are merged: other threads wait for one run, not for all."""
    runs = [sorted(items[start : start + _RUN], key=key) for start in range(0, len(items), _RUN)]
    return runs[0] if len(runs) == 1 else sorted(chain.from_iterable(runs), key=key)
