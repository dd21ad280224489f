"""A knowledge graph in memory, no persistence."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

from symphony_registry.backends.concurrency import ITEM_STEPS, LONG, computed
from symphony_registry.backends.filters import comparisons, parse_filter
from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    KnowledgeGraphBackend,
    Relation,
    RelationInput,
)
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_optional_id,
    check_path,
    check_relations,
    missing_end,
)
from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import (
    Direction,
    JSONObject,
    check_direction,
    check_id,
    check_limit,
    checked_object,
    collected,
)
from symphony_registry.providers.embedded.backend import Change, EmbeddedBackend
from symphony_registry.providers.embedded.graph.graph import PropertyGraph
from symphony_registry.providers.embedded.graph.walks import Touch

T = TypeVar("T")

# What work costs, in the steps of `LONG`; deleting a relation with its entity costs less than one.
_ENTITY_STEPS = 10
_BATCH = 200


class InMemoryKnowledgeGraph(EmbeddedBackend[PropertyGraph], KnowledgeGraphBackend):
    """A knowledge graph in memory; `disconnect` forgets everything."""

    class Provider:
        """Makes in-memory knowledge graphs."""

        Options: ClassVar[type[BackendOptions]] = BackendOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new graph."""
            return InMemoryKnowledgeGraph(config)

    def _configure(self) -> None:
        read_options(BackendOptions, self.config, type(self).__name__)

    def _empty_state(self) -> PropertyGraph:
        return PropertyGraph()

    async def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:  # noqa: D102
        await self.add_entities([(entity_id, entity_type, properties)])

    async def add_entities(self, items: Iterable[EntityInput]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        cost = len(given) * ITEM_STEPS
        changes = await computed(lambda: [_put_entity(*item) for item in check_entities(given)], cost)
        await self._write(lambda: (changes, None), cost, lambda: [change["id"] for change in changes])

    async def get_entity(self, entity_id: str) -> Entity | None:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        return await self._read(lambda: self._state.entity(entity_id))

    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        merged = checked_object(properties, "properties")

        def decide() -> tuple[Sequence[Change], bool]:
            found = self._state.entity(entity_id)
            if found is None:
                return [], False
            return [_put_entity(entity_id, found["type"], found["properties"] | merged)], True

        return await self._write(decide, touches=lambda: [entity_id])

    async def delete_entity(self, entity_id: str) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")

        def decide() -> tuple[Sequence[Change], bool]:
            if entity_id not in self._state.entities:
                return [], False
            return [{"op": "delete_entity", "id": entity_id}], True

        return await self._write(decide, self._state.degree(entity_id), lambda: [entity_id])

    async def add_relation(  # noqa: D102
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        await self.add_relations([(from_entity_id, to_entity_id, relation_type, properties)])

    async def add_relations(self, items: Iterable[RelationInput]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        cost = len(given) * ITEM_STEPS
        checked = await computed(lambda: check_relations(given), cost)

        def decide() -> tuple[Sequence[Change], None]:
            entities = self._state.entities
            for from_id, to_id, kind, _ in checked:
                for end in (from_id, to_id):
                    if end not in entities:
                        raise missing_end(from_id, to_id, kind, end)
            return [_put_relation(*item) for item in checked], None

        await self._write(decide, cost, lambda: [end for item in checked for end in item[:2]])

    async def get_relations(  # noqa: D102
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        self.ensure_open()
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        cost = self._state.degree(entity_id) * _ENTITY_STEPS
        return await self._read(lambda: self._state.relations(entity_id, relation_type, direction), cost)

    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:  # noqa: D102
        self.ensure_open()
        ends = check_id(from_entity_id, "from_entity_id"), check_id(to_entity_id, "to_entity_id")
        check_id(relation_type, "relation_type")

        def decide() -> tuple[Sequence[Change], bool]:
            if not self._state.has_relation(*ends, relation_type):
                return [], False
            return [{"op": "delete_relation", "from": ends[0], "to": ends[1], "type": relation_type}], True

        return await self._write(decide, touches=lambda: ends)

    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:  # noqa: D102
        self.ensure_open()
        check_id(start_entity_id, "start_entity_id")
        path = check_path(relation_path)
        check_limit(limit)
        return await self._walk(partial(self._state.follow, start_entity_id, path, limit))

    async def neighbors(  # noqa: D102
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        self.ensure_open()
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        check_limit(depth, "depth")
        check_limit(limit)
        return await self._walk(partial(self._state.within, entity_id, relation_type, direction, depth, limit))

    async def shortest_path(  # noqa: D102
        self,
        from_entity_id: str,
        to_entity_id: str,
        relation_types: Sequence[str] | None = None,
        max_depth: int = 6,
    ) -> list[Entity] | None:
        self.ensure_open()
        ends = check_id(from_entity_id, "from_entity_id"), check_id(to_entity_id, "to_entity_id")
        kinds = None if relation_types is None else dict.fromkeys(check_path(relation_types, "relation_types"))
        check_limit(max_depth, "max_depth")
        return await self._walk(partial(self._state.shortest_path, *ends, kinds, max_depth))

    async def _walk(self, work: Callable[[Touch], T]) -> T:
        """Return `work(touch)`: begun here, and on a thread once it has touched many relations."""
        touched = 0

        def count(relations: int) -> None:
            nonlocal touched
            touched += relations
            if touched > LONG:
                raise _LongWalkError

        try:
            return await self._read(lambda: work(count))
        except _LongWalkError:
            return await self._gate.read(lambda: work(lambda _: None))

    async def find_entities(  # noqa: D102
        self, entity_type: str | None = None, property_filter: JSONObject | None = None, limit: int = 100
    ) -> list[Entity]:
        self.ensure_open()
        check_optional_id(entity_type, "entity_type")
        condition = parse_filter(property_filter, "property_filter")
        check_limit(limit)

        cost = len(self._state.entities) * _ENTITY_STEPS * comparisons(condition)
        return await self._read(lambda: self._state.find(entity_type, condition, limit), cost)

    async def count_entities(self, entity_type: str | None = None) -> int:  # noqa: D102
        self.ensure_open()
        check_optional_id(entity_type, "entity_type")
        cost = 0 if entity_type is None else len(self._state.entities)
        return await self._read(lambda: self._state.count(entity_type), cost)

    async def count_relations(self, relation_type: str | None = None) -> int:  # noqa: D102
        self.ensure_open()
        check_optional_id(relation_type, "relation_type")
        return await self._read(lambda: self._state.count_relations(relation_type))

    async def clear(self) -> None:  # noqa: D102
        self.ensure_open()
        await self._write(lambda: ([{"op": "clear"}], None))

    async def scan_entities(self) -> AsyncIterator[Entity]:  # noqa: D102
        self.ensure_open()
        ids = await self._read(self._state.ids, len(self._state.entities))
        for start in range(0, len(ids), _BATCH):
            await asyncio.sleep(0)  # a short read does not give the event loop a turn
            self.ensure_open()
            for entity in await self._read(partial(self._state.named, ids[start : start + _BATCH])):
                yield entity


class _LongWalkError(Exception):
    """A walk has touched more relations than the event loop should wait for."""


def _put_entity(id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_entity", "id": id, "type": kind, "properties": properties}


def _put_relation(from_id: str, to_id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_relation", "from": from_id, "to": to_id, "type": kind, "properties": properties}
