"""The state of an embedded knowledge graph: dictionaries of neighbours in both directions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nsmallest

from symphony_registry.backends.embedded import Change
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, trace
from symphony_registry.backends.values import Direction, JSONObject, copied

# Per entity: relation type -> the other end -> properties. Both directions share the properties.
Neighbours = dict[str, dict[str, dict[str, JSONObject]]]
Touch = Callable[[int], None]


class PropertyGraph:
    """Entities and relations.

    Point operations are O(1); deleting an entity costs its degree; walks cost
    the relations they touch, which they report to `touch` as they go.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.entities: dict[str, tuple[str, JSONObject]] = {}
        self.relation_counts: dict[str, int] = {}
        self._outgoing: Neighbours = {}
        self._incoming: Neighbours = {}

    def apply(self, change: Change) -> None:
        """Make one change: put or delete an entity or a relation, or clear."""
        match change["op"]:
            case "put_entity":
                self.entities[change["id"]] = (change["type"], change["properties"])
            case "delete_entity":
                self._delete_entity(change["id"])
            case "put_relation":
                self._put_relation(change["from"], change["to"], change["type"], change["properties"])
            case "delete_relation":
                self._delete_relation(change["from"], change["to"], change["type"])
            case "clear":
                self.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty graph equal to this one."""
        for id, (kind, properties) in self.entities.items():
            yield {"op": "put_entity", "id": id, "type": kind, "properties": properties}
        for from_id, by_type in self._outgoing.items():
            for kind, ends in by_type.items():
                for to_id, properties in ends.items():
                    yield {"op": "put_relation", "from": from_id, "to": to_id, "type": kind, "properties": properties}

    def _put_relation(self, from_id: str, to_id: str, kind: str, properties: JSONObject) -> None:
        if not self.has_relation(from_id, to_id, kind):
            self.relation_counts[kind] = self.relation_counts.get(kind, 0) + 1
        self._outgoing.setdefault(from_id, {}).setdefault(kind, {})[to_id] = properties
        self._incoming.setdefault(to_id, {}).setdefault(kind, {})[from_id] = properties

    def _delete_relation(self, from_id: str, to_id: str, kind: str) -> None:
        _remove(self._outgoing, from_id, kind, to_id)
        _remove(self._incoming, to_id, kind, from_id)
        self.relation_counts[kind] -= 1
        if not self.relation_counts[kind]:
            del self.relation_counts[kind]

    def _delete_entity(self, id: str) -> None:
        del self.entities[id]
        for kind, ends in list(self._outgoing.get(id, {}).items()):
            for to_id in list(ends):
                self._delete_relation(id, to_id, kind)
        for kind, ends in list(self._incoming.get(id, {}).items()):
            for from_id in list(ends):
                self._delete_relation(from_id, id, kind)

    def __len__(self) -> int:
        return len(self.entities) + sum(self.relation_counts.values())

    def has_relation(self, from_id: str, to_id: str, kind: str) -> bool:
        """Say whether there is such a relation."""
        return to_id in self._outgoing.get(from_id, {}).get(kind, ())

    def entity(self, id: str) -> Entity | None:
        """Return a copy of the entity, or `None`."""
        found = self.entities.get(id)
        return None if found is None else {"id": id, "type": found[0], "properties": copied(found[1])}

    def degree(self, id: str) -> int:
        """Return how many relations touch the entity; one to itself counts twice."""
        sides = self._outgoing.get(id, {}), self._incoming.get(id, {})
        return sum(len(ends) for side in sides for ends in list(side.values()))  # a thread may change them

    def relations(self, id: str, kind: str | None, direction: Direction) -> list[Relation]:
        """Return copies of the entity's relations by (from, to, type)."""
        keys: dict[tuple[str, str, str], JSONObject] = {}
        if direction != "incoming":
            for each, ends in _of_types(self._outgoing.get(id, {}), kind):
                keys.update({(id, to_id, each): properties for to_id, properties in ends.items()})
        if direction != "outgoing":
            for each, ends in _of_types(self._incoming.get(id, {}), kind):
                keys.update({(from_id, id, each): properties for from_id, properties in ends.items()})
        return [
            {"from_id": from_id, "to_id": to_id, "type": each, "properties": copied(keys[from_id, to_id, each])}
            for from_id, to_id, each in sorted(keys)
        ]

    def follow(self, start: str, path: Sequence[str], limit: int, touch: Touch) -> list[Entity]:
        """Return the first `limit` entities at the end of `path`, by id."""
        frontier = {start} if start in self.entities else set()
        for kind in path:
            following: set[str] = set()
            for id in frontier:
                ends = self._outgoing.get(id, {}).get(kind, ())
                touch(len(ends) + 1)
                following.update(ends)
            frontier = following
        return self.named(nsmallest(limit, frontier))

    def within(
        self, start: str, kind: str | None, direction: Direction, depth: int, limit: int, touch: Touch
    ) -> list[Entity]:
        """Return the first `limit` entities within `depth` steps of `start`, by id."""
        sides = []
        if direction != "incoming":
            sides.append(self._outgoing)
        if direction != "outgoing":
            sides.append(self._incoming)
        seen = {start}
        frontier = seen
        for _ in range(depth):
            reached: set[str] = set()
            for id in frontier:
                for side in sides:
                    for _, ends in _of_types(side.get(id, {}), kind):
                        touch(len(ends) + 1)
                        reached.update(ends)
            frontier = reached - seen
            if not frontier:
                break
            seen |= frontier
        return self.named(nsmallest(limit, seen - {start}))

    def shortest_path(
        self, start: str, goal: str, kinds: Iterable[str] | None, max_depth: int, touch: Touch
    ) -> list[Entity] | None:
        """Return the shortest path, of equals the smallest by ids; see the base class."""
        if start not in self.entities:
            return None
        came_from: dict[str, str | None] = {start: None}
        frontier = [start]
        for _ in range(max_depth):
            if goal in came_from or not frontier:
                break
            following: list[str] = []
            for near in frontier:
                by_type = self._outgoing.get(near, {})
                chosen = by_type.values() if kinds is None else [by_type[kind] for kind in kinds if kind in by_type]
                reached: set[str] = set()
                for ends in chosen:
                    touch(len(ends) + 1)
                    reached.update(ends)
                for id in sorted(id for id in reached if id not in came_from):
                    came_from[id] = near
                    following.append(id)
            frontier = following
        path = trace(came_from, goal)
        return None if path is None else self.named(path)

    def named(self, ids: Iterable[str]) -> list[Entity]:
        """Return copies of those of the entities that exist."""
        found = map(self.entity, ids)
        return [entity for entity in found if entity is not None]


def _of_types(
    by_type: dict[str, dict[str, JSONObject]], kind: str | None
) -> Iterable[tuple[str, dict[str, JSONObject]]]:
    if kind is None:
        return by_type.items()
    return [(kind, by_type[kind])] if kind in by_type else []


def _remove(side: Neighbours, id: str, kind: str, other: str) -> None:
    by_type = side[id]
    del by_type[kind][other]
    if not by_type[kind]:
        del by_type[kind]
        if not by_type:
            del side[id]
