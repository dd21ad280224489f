"""What an engine of knowledge graphs writes, and what it may leave to others."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar, TypeAlias

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import SMALL
from symphony_registry.backends.engine import Engine
from symphony_registry.backends.filters import comparisons
from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    KnowledgeGraphBackend,
    Relation,
    RelationKey,
    Subgraph,
    relation_key,
)
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import EVERYTHING, Page, Selection
from symphony_registry.backends.values import MAX_LIMIT, Direction, JSONObject

EntityRow: TypeAlias = tuple[str, str, JSONObject]
RelationRow: TypeAlias = tuple[str, str, str, JSONObject]


class KnowledgeGraphHooks(Engine, KnowledgeGraphBackend):
    """The hooks of an engine, whose arguments are checked.

    A row of an entity is (id, type, properties), of a relation (from, to, type, properties).
    """

    _part: ClassVar[PartLimit | None] = None
    """How much of a bulk write is taken at once; then nothing comes twice, and parts are in order."""

    @abstractmethod
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]], *, if_absent: bool) -> int:
        """Store entities over what their ids had, and keep their relations; all or none, a later row wins.

        Or only where nothing is, where a later row finds the one before it. Return how many were stored.
        """

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
    async def _delete_entities(self, ids: list[str]) -> int:
        """Delete the entities and the relations that touch them, all or none; return how many were there."""

    @abstractmethod
    async def _get_relations(
        self,
        entity_id: str,
        relation_type: str | None,
        direction: Direction,
        after: RelationKey | None,
        limit: int | None,
    ) -> list[Relation]:
        """Return so many of the entity's relations that follow `after`, by (from, to, type)."""

    @abstractmethod
    async def _delete_relations(self, keys: list[RelationKey]) -> int:
        """Delete distinct relations, all or none; return how many were there."""

    @abstractmethod
    async def _clear(self) -> None:
        """Delete everything."""

    @abstractmethod
    def _entity_batches(self, selection: Selection, size: int) -> AsyncGenerator[list[Entity], None]:
        """Yield the selected entities by id, at most `size` at a time; `chosen` here selects from all."""

    # What an engine may leave to the abstract class, which goes from entity to entity ...

    async def _get_entities(self, ids: list[str]) -> list[Entity | None]:
        return await super().get_entities(ids)

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

    async def _subgraph(
        self, ids: list[str], depth: int, relation_types: list[str] | None, direction: Direction, limit: int | None
    ) -> Subgraph:
        return await super().subgraph(ids, depth, relation_types=relation_types, direction=direction, limit=limit)

    def _relation_batches(self, size: int, relation_types: list[str] | None) -> AsyncGenerator[list[Relation], None]:
        async def everything() -> AsyncGenerator[list[Relation], None]:
            async with aclosing(self._entity_batches(EVERYTHING, size)) as batches:
                async for entities in batches:
                    for entity in entities:
                        yield await self._get_relations(entity["id"], None, "outgoing", None, None)

        return of_types(everything(), relation_types)

    # ... or to the spine, which reads all that is selected, in the largest batches that the engine gives.

    async def _find(self, selection: Selection, page: Page) -> list[Entity]:
        found: list[Entity] = []
        async with aclosing(self._entity_batches(selection, MAX_LIMIT)) as batches:
            async for entities in batches:
                found += entities
                if page.limit is not None and not page.reverse and len(found) >= page.limit:
                    break
        return found[:: -1 if page.reverse else 1][: page.limit]

    async def _delete_selected(self, selection: Selection) -> int:
        return await self._delete_entities([entity["id"] for entity in await self._find(selection, Page())])

    async def _delete_types(self, relation_types: list[str]) -> int:
        async with aclosing(self._relation_batches(MAX_LIMIT, relation_types)) as batches:
            keys = [relation_key(relation) async for relations in batches for relation in relations]
        return await self._delete_relations(keys)

    async def _count_entities(self, selection: Selection) -> int:
        return await _counted(self._entity_batches(selection, MAX_LIMIT))

    async def _count_relations(self, relation_type: str | None) -> int:
        return await _counted(self._relation_batches(MAX_LIMIT, None if relation_type is None else [relation_type]))


async def chosen(
    batches: AsyncGenerator[list[Entity], None], selection: Selection
) -> AsyncGenerator[list[Entity], None]:
    """Yield those of the entities in batches that are selected, for an engine that cannot select."""
    ids, condition, kind = selection

    def matching(entities: list[Entity]) -> list[Entity]:
        within = (each for each in entities if ids.holds(each["id"]) and kind in (None, each["type"]))
        return [entity for entity in within if condition.matches(entity["properties"])]

    async with aclosing(batches):
        async for entities in batches:
            yield await here_or_in_thread(partial(matching, entities), len(entities) * SMALL * comparisons(condition))


async def of_types(
    batches: AsyncGenerator[list[Relation], None], relation_types: list[str] | None
) -> AsyncGenerator[list[Relation], None]:
    """Yield those of the relations in batches that have one of the types, for an engine that cannot select."""
    async with aclosing(batches):
        async for relations in batches:
            yield (
                relations
                if relation_types is None
                else await here_or_in_thread(partial(_typed, relations, relation_types), len(relations) * SMALL)
            )


def _typed(relations: list[Relation], types: list[str]) -> list[Relation]:
    return [relation for relation in relations if relation["type"] in types]


async def _counted(batches: AsyncGenerator[Sequence[Entity | Relation], None]) -> int:
    """Return how much is in batches."""
    async with aclosing(batches):
        return sum([len(found) async for found in batches])
