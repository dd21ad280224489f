"""The state of an embedded knowledge graph: entities by their numbers, and the relations between them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from sys import intern
from typing import TypeAlias

import numpy as np

from symphony_registry.backends.concurrency import in_parts
from symphony_registry.backends.filters import ANYTHING
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, RelationKey, Subgraph
from symphony_registry.backends.knowledge_graph.hooks import EntityRow
from symphony_registry.backends.selection import EVERYTHING, Page, Range, Selection
from symphony_registry.backends.values import Direction, JSONObject, copied
from symphony_registry.providers.embedded.graph.adjacency import KIND_SHIFT, OTHER_END
from symphony_registry.providers.embedded.graph.numbering import Numbering
from symphony_registry.providers.embedded.graph.relations import Relations
from symphony_registry.providers.embedded.graph.walks import Search, Touch, Walk, shortest_path
from symphony_registry.providers.embedded.ids import SortedIds
from symphony_registry.providers.embedded.ordering import first, ordered
from symphony_registry.providers.embedded.replica import Change

_Row: TypeAlias = tuple[str, str, str, JSONObject | None]

_RESULT_STEPS = 8  # what it takes to sort and copy an entity, in the steps of `LONG`
_SORT_STEPS = 5  # and to sort an id among many


class PropertyGraph:
    """Entities and relations.

    Point operations cost O(log degree); deleting an entity reads its relations;
    walks cost the relations they touch, which they report to `touch` as they go.
    The ids are sorted when that is first asked for, and kept in order from there on:
    filling a graph, and opening one, does not pay for it.
    """

    def __init__(self) -> None:
        self.clear()

    def emptied(self) -> "PropertyGraph":
        """Return a new one."""
        return PropertyGraph()

    def clear(self) -> None:
        """Forget everything."""
        self._ids = Numbering()
        self._order: SortedIds | None = None
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
        """Make one change: put or delete entities or a relation, or clear; delete_entity is what was written once."""
        self._unlink()
        match change["op"]:
            case "put_relation":
                start, end = self._ids.numbers[change["from"]], self._ids.numbers[change["to"]]
                self._relations.put(start, end, change["type"], change["properties"])
            case "put_entity":
                self._put_entities([(change["id"], change["type"], change["properties"])])
            case "put_entities":
                self._put_entities(change["rows"])
            case "delete_many":
                for id in change["ids"]:
                    self._delete_entity(id)
            case "delete_entity":
                self._delete_entity(change["id"])
            case "delete_relation":
                start, end = self._ids.numbers[change["from"]], self._ids.numbers[change["to"]]
                self._relations.delete(start, end, change["type"])
            case "clear":
                self.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def _unlink(self) -> None:
        if self._relations.deleted and (free := self._relations.unlink()) is not None:
            self._ids.release(free)

    def _put_entities(self, rows: Sequence[EntityRow]) -> None:
        if self._order is not None and (new := {row[0] for row in rows if row[0] not in self.entities}):
            self._order.add_many(list(new))
        ids, types, held, relations = self._ids, self._types, self._properties, self._relations
        for id, kind, properties in rows:
            if relations.deleted:
                self._unlink()
            number = ids.add(id)
            if number == len(types):
                types.append("")
                held.append(None)
            types[number] = intern(kind)
            held[number] = properties or None
            relations.add_entity(number)

    def _delete_entity(self, id: str) -> None:
        self._unlink()
        number = self._ids.remove(id)
        if self._order is not None:
            self._order.remove(id)
        self._types[number], self._properties[number] = "", None
        self._relations.delete_entity(number)

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

    def named(self, ids: Iterable[str], selection: Selection = EVERYTHING) -> list[Entity]:
        """Return copies of those of the entities that exist, and are selected."""
        numbers = [number for number in map(self._ids.numbers.get, ids) if number is not None]
        return in_parts(self._named, [number for number in numbers if self._is_chosen(number, selection)])

    def _sorted(self) -> SortedIds:
        order = self._order
        if order is None:  # two threads that read may both make it, and alike
            order = self._order = SortedIds(ordered(list(self.entities)))
        return order

    @property
    def unsorted(self) -> int:
        """What sorting the ids will cost the first read of a range, in the steps of `LONG`."""
        return len(self.entities) * _SORT_STEPS if self._order is None else 0

    def reach(self, ids: Range) -> int:
        """Return how many entities lie in a range of ids, or, as long as they are not sorted, in all."""
        return len(self.entities) if self._order is None else self._order.count(ids)

    def _chosen(self, selection: Selection, *, reverse: bool = False) -> Iterator[str]:
        ids = self._sorted().within(selection.ids, reverse=reverse)
        return ids if selection.is_range else (id for id in ids if self._is_chosen(self._ids.numbers[id], selection))

    def _is_chosen(self, number: int, selection: Selection) -> bool:
        of_kind = selection.kind is None or self._types[number] == selection.kind
        return of_kind and selection.condition.matches(self._properties[number] or {})

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of the selected entities, in order."""
        return list(self._chosen(selection))

    def find(self, selection: Selection, page: Page) -> list[Entity]:
        """Return the selected entities, by id."""
        return self.named(islice(self._chosen(selection, reverse=page.reverse), page.limit))

    def count(self, selection: Selection) -> int:
        """Return how many entities are selected."""
        if selection.is_range:
            return len(self.entities) if selection.ids.is_all else self._sorted().count(selection.ids)
        if selection.ids.is_all and selection.condition is ANYTHING:
            return self._types.count(selection.kind or "")
        return sum(1 for _ in self._chosen(selection))

    def count_relations(self, kind: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        return self._relations.total if kind is None else self._relations.counts.get(kind, 0)

    def degree(self, id: str) -> int:
        """Return how many relations touch the entity at the most; one to itself counts twice."""
        number = self._ids.numbers.get(id)
        return 0 if number is None else self._relations.degree(number)

    def has_relation(self, from_id: str, to_id: str, kind: str) -> bool:
        """Say whether there is such a relation."""
        start, end = self._ids.numbers.get(from_id), self._ids.numbers.get(to_id)
        return start is not None and end is not None and self._relations.contains(start, end, kind)

    def keys(self, kinds: Iterable[str]) -> list[RelationKey]:
        """Return the relations of some types, as (from, to, type)."""
        chosen = self._relations.chosen(kinds) or []
        return [
            row[:3]
            for id, number in self.entities.items()
            for kind in chosen
            for row in self._leaving(id, number, kind)
        ]

    def relations(
        self,
        id: str,
        kind: str | None,
        direction: Direction,
        after: RelationKey | None = None,
        limit: int | None = None,
    ) -> list[Relation]:
        """Return copies of the first `limit` of the entity's relations after one, by (from, to, type)."""
        number = self._ids.numbers.get(id)
        chosen = None if kind is None else self._relations.kinds.numbers.get(kind)
        if number is None or (chosen is None and kind is not None):
            return []
        found: list[_Row] = []
        if direction != "incoming":
            found += self._leaving(id, number, chosen)
        if direction != "outgoing":
            found += self._coming(id, number, chosen, itself=direction != "both")
        if after is not None:
            found = [row for row in found if row[:3] > after]
        return _relations(found if limit is None else first(limit, found))

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
        return in_parts(self._named, self._first(frontier.tolist(), limit, touch))

    def within(
        self, start: str, kind: str | None, direction: Direction, depth: int, limit: int, touch: Touch
    ) -> list[Entity]:
        """Return the first `limit` entities within `depth` steps of `start`, by id."""
        number = self._ids.numbers.get(start)
        if number is None:
            return []
        search = Search([number], self._walk(direction, None if kind is None else [kind], touch))
        while len(search.levels) <= depth and search.extend():
            pass
        near = np.concatenate(search.levels[1:]).tolist()
        return in_parts(self._named, self._first(near, limit, touch))

    def subgraph(
        self,
        starts: Sequence[str],
        depth: int,
        kinds: Iterable[str] | None,
        direction: Direction,
        limit: int | None,
        touch: Touch,
    ) -> Subgraph:
        """Return the first `limit` entities within `depth` steps, and the relations among them; see the base class."""
        touch(len(starts))
        found = (self._ids.numbers.get(id) for id in dict.fromkeys(starts))
        search = Search([number for number in found if number is not None], self._walk(direction, kinds, touch))
        left = len(self.entities) if limit is None else limit
        while search.last.size < left and len(search.levels) <= depth:
            left -= search.last.size
            if not search.extend():
                break
        *whole, last = search.levels
        chosen = [number for level in whole for number in self._first(level.tolist(), level.size, touch)]
        chosen += self._first(last.tolist(), left, touch)
        rows = self._among(chosen, kinds, touch)
        return {"entities": in_parts(self._named, chosen), "relations": _relations(rows)}

    def _among(self, numbers: list[int], kinds: Iterable[str] | None, touch: Touch) -> list[_Row]:
        touch(sum(map(self._relations.outgoing.degree, numbers)))
        names, types = self._ids.names, self._relations.kinds.names
        keys = self._relations.among(numbers, self._relations.chosen(kinds))
        touch(_RESULT_STEPS * len(keys))
        properties = self._relations.properties
        return [
            (names[start], names[key & OTHER_END], types[key >> KIND_SHIFT], properties(start).get(key))
            for start, key in keys
        ]

    def shortest_path(
        self, start: str, goal: str, kinds: Iterable[str] | None, max_depth: int, touch: Touch
    ) -> list[Entity] | None:
        """Return the shortest path, of equals the smallest by ids; see the base class."""
        first, last = self._ids.numbers.get(start), self._ids.numbers.get(goal)
        if first is None or last is None:
            return None
        ahead = Search([first], self._walk("outgoing", kinds, touch))
        behind = Search([last], self._walk("incoming", kinds, touch))
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

    def _first(self, numbers: list[int], limit: int, touch: Touch) -> list[int]:
        touch(len(numbers) + min(limit, len(numbers)) * _RESULT_STEPS)
        return first(limit, numbers, self._ids.names.__getitem__)


def _relations(rows: list[_Row]) -> list[Relation]:
    """Return relations in order, with copies of their properties."""
    return in_parts(_relation, ordered(rows))


def _relation(row: _Row) -> Relation:
    from_id, to_id, kind, held = row
    return {"from_id": from_id, "to_id": to_id, "type": kind, "properties": copied(held) if held else {}}
