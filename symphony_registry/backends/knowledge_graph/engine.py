"""The checked spine of knowledge graphs: what every engine does the same before and after its own work."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar, TypeAlias, TypeVar

from typing_extensions import override

from symphony_registry.backends.concurrency import Turns, here_or_in_thread
from symphony_registry.backends.cost import ITEM, SMALL
from symphony_registry.backends.engine import Engine
from symphony_registry.backends.filters import Condition, comparisons, parse_filter
from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    KnowledgeGraphBackend,
    Relation,
    RelationInput,
)
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_entity,
    check_optional_id,
    check_path,
    check_relation,
    check_relations,
)
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.values import (
    MAX_LIMIT,
    Direction,
    JSONObject,
    check_dict,
    check_direction,
    check_id,
    check_limit,
    checked_object,
    collected,
)

RowT = TypeVar("RowT", bound=tuple[Any, ...])
EntityRow: TypeAlias = tuple[str, str, JSONObject]
RelationRow: TypeAlias = tuple[str, str, str, JSONObject]

# Entities or relations that a scan reads at a time.
_SCANNED = 1_000


class KnowledgeGraphEngine(Engine, KnowledgeGraphBackend):
    """A knowledge graph that checks what it is asked, and leaves the rest to hooks.

    A row of an entity is (id, type, properties), of a relation (from, to, type, properties).
    """

    _part: ClassVar[PartLimit | None] = None
    """How much of a bulk write is taken at once; then nothing comes twice, and parts are in order."""

    @abstractmethod
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        """Store entities over what their ids had, and keep their relations; all or none, a later row wins."""

    @abstractmethod
    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        """Store relations over the same ones; all or none, a later row wins.

        Raises `missing_end(...)` of the checks where an entity does not exist.
        """

    @abstractmethod
    async def _get_entity(self, entity_id: str) -> Entity | None:
        """Return the entity."""

    @abstractmethod
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        """Merge properties into the entity's; say whether it is there."""

    @abstractmethod
    async def _delete_entity(self, entity_id: str) -> bool:
        """Delete the entity and the relations that touch it; say whether it was there."""

    @abstractmethod
    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        """Return the entity's relations by (from, to, type)."""

    @abstractmethod
    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        """Delete the relation; say whether it was there."""

    @abstractmethod
    async def _clear(self) -> None:
        """Delete everything."""

    @abstractmethod
    def _entity_batches(self, size: int) -> AsyncGenerator[list[Entity], None]:
        """Yield all entities by id, at most `size` at a time."""

    # What an engine may leave to the abstract class, which goes from entity to entity ...

    async def _query(self, start_id: str, path: list[str], limit: int) -> list[Entity]:
        return await super().query(start_id, path, limit)

    async def _neighbors(
        self, entity_id: str, relation_type: str | None, direction: Direction, depth: int, limit: int
    ) -> list[Entity]:
        return await super().neighbors(entity_id, relation_type, direction, depth, limit)

    async def _shortest_path(
        self, from_id: str, to_id: str, relation_types: list[str] | None, max_depth: int
    ) -> list[Entity] | None:
        return await super().shortest_path(from_id, to_id, relation_types, max_depth)

    async def _relation_batches(self, size: int) -> AsyncGenerator[list[Relation], None]:
        async with aclosing(self._entity_batches(size)) as batches:
            async for entities in batches:
                for entity in entities:
                    yield await self._get_relations(entity["id"], None, "outgoing")

    # ... or to the spine, which reads everything, in the largest batches that the engine gives.

    async def _find(self, entity_type: str | None, condition: Condition, limit: int) -> list[Entity]:
        def matching(entities: list[Entity]) -> list[Entity]:
            chosen = (entity for entity in entities if entity_type in (None, entity["type"]))
            return [entity for entity in chosen if condition.matches(entity["properties"])]

        found: list[Entity] = []
        async with aclosing(self._entity_batches(MAX_LIMIT)) as batches:
            async for entities in batches:
                cost = len(entities) * SMALL * comparisons(condition)
                found += await here_or_in_thread(partial(matching, entities), cost)
                if len(found) >= limit:
                    break
        return found[:limit]

    async def _count_entities(self, entity_type: str | None) -> int:
        return await _counted(self._entity_batches(MAX_LIMIT), entity_type)

    async def _count_relations(self, relation_type: str | None) -> int:
        return await _counted(self._relation_batches(MAX_LIMIT), relation_type)

    # The operations.

    @override
    async def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:
        row = check_entity(entity_id, entity_type, properties)
        await self._put_entities(Parts.of([[row]]))

    @override
    async def add_entities(self, items: Iterable[EntityInput]) -> None:
        if given := collected(items):
            await self._put_entities(await self._parts(given, check_entities, 1))

    @override
    async def add_relation(
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        row = check_relation(from_entity_id, to_entity_id, relation_type, properties)
        await self._put_relations(Parts.of([[row]]))

    @override
    async def add_relations(self, items: Iterable[RelationInput]) -> None:
        if given := collected(items):
            await self._put_relations(await self._parts(given, check_relations, 3))

    async def _parts(
        self, given: list[Any], check: Callable[[list[Any]], list[RowT]], key: int
    ) -> Parts[Sequence[RowT]]:
        """Return checked rows in parts; the first `key` values identify a row."""
        cost = len(given) * ITEM
        if self._part is None:
            return Parts.of([await here_or_in_thread(lambda: check(given), cost)], cost)

        def split(limit: PartLimit) -> list[Sequence[RowT]]:
            last = {row[:key]: row for row in check(given)}
            ordered = [last[each] for each in sorted(last)]  # everybody locks in the same order
            return list(limit.split(ordered, lambda _: 0))

        return Parts.of(await here_or_in_thread(partial(split, self._part), cost), cost)

    @override
    async def get_entity(self, entity_id: str) -> Entity | None:
        return await self._get_entity(check_id(entity_id, "entity_id"))

    @override
    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:
        check_id(entity_id, "entity_id")
        return await self._merge(entity_id, checked_object(check_dict(properties, "properties"), "properties"))

    @override
    async def delete_entity(self, entity_id: str) -> bool:
        return await self._delete_entity(check_id(entity_id, "entity_id"))

    @override
    async def get_relations(
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        return await self._get_relations(entity_id, relation_type, check_direction(direction))

    @override
    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        return await self._delete_relation(
            check_id(from_entity_id, "from_entity_id"),
            check_id(to_entity_id, "to_entity_id"),
            check_id(relation_type, "relation_type"),
        )

    @override
    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:
        check_id(start_entity_id, "start_entity_id")
        path = check_path(relation_path)
        return await self._query(start_entity_id, path, check_limit(limit))

    @override
    async def neighbors(
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        depth = check_limit(depth, "depth")
        return await self._neighbors(entity_id, relation_type, direction, depth, check_limit(limit))

    @override
    async def shortest_path(
        self,
        from_entity_id: str,
        to_entity_id: str,
        relation_types: Sequence[str] | None = None,
        max_depth: int = 6,
    ) -> list[Entity] | None:
        ends = check_id(from_entity_id, "from_entity_id"), check_id(to_entity_id, "to_entity_id")
        kinds = None if relation_types is None else check_path(relation_types, "relation_types")
        return await self._shortest_path(*ends, kinds, check_limit(max_depth, "max_depth"))

    @override
    async def find_entities(
        self, entity_type: str | None = None, property_filter: JSONObject | None = None, limit: int = 100
    ) -> list[Entity]:
        check_optional_id(entity_type, "entity_type")
        condition = parse_filter(property_filter, "property_filter")
        return await self._find(entity_type, condition, check_limit(limit))

    @override
    async def count_entities(self, entity_type: str | None = None) -> int:
        return await self._count_entities(check_optional_id(entity_type, "entity_type"))

    @override
    async def count_relations(self, relation_type: str | None = None) -> int:
        return await self._count_relations(check_optional_id(relation_type, "relation_type"))

    @override
    async def clear(self) -> None:
        await self._clear()

    @override
    async def scan_entities(self) -> AsyncIterator[Entity]:
        self.ensure_open()
        turns = Turns()
        async with aclosing(self._entity_batches(_SCANNED)) as batches:
            async for entities in batches:
                for entity in entities:
                    yield entity
                entities.clear()  # whose memory the next batch takes
                await turns.give()
                self.ensure_open()

    @override
    async def scan_relations(self) -> AsyncIterator[Relation]:
        self.ensure_open()
        turns = Turns()
        async with aclosing(self._relation_batches(_SCANNED)) as batches:
            async for relations in batches:
                for relation in relations:
                    yield relation
                relations.clear()  # whose memory the next batch takes
                await turns.give()
                self.ensure_open()


async def _counted(batches: AsyncGenerator[Sequence[Entity | Relation], None], kind: str | None) -> int:
    """Return how many of what is in batches have a type."""
    async with aclosing(batches):
        return sum([sum(kind in (None, each["type"]) for each in found) async for found in batches])
