"""The tools for knowledge graphs."""

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from mcp.types import ToolAnnotations
from pydantic import Field

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import Direction
from symphony_registry.integrations.mcp.answers import Answer, Counted, Deleted, Limits, Subgraph, Written
from symphony_registry.integrations.mcp.stores import StoreTools
from symphony_registry.integrations.mcp.tools import (
    READ,
    WRITE,
    After,
    Bound,
    Filter,
    Id,
    Integer,
    Limit,
    Method,
    Prefix,
    Skip,
    Store,
    check_chosen,
)

_Answer = TypeVar("_Answer", Answer, Subgraph)
_Ids = Annotated[list[Id], Field(min_length=1, description="The ids of entities.")]
_Type = Annotated[Bound, Field(description="Only entities of this type.")]
_Types = Annotated[list[Id] | None, Field(description="Only along relations of these types.")]
_Properties = Annotated[dict[str, Any] | None, Field(description="A JSON object.")]

_LONGEST_PATH = 100  # steps; in a graph with a circle, any number could be taken


class GraphTools:
    """What a model does with knowledge graphs."""

    def __init__(self, stores: StoreTools, limits: Limits) -> None:
        self._stores = stores
        self._limits = limits

    def tools(self) -> Iterator[tuple[Method, ToolAnnotations]]:
        """Yield the tools."""
        yield self.find_entities, READ
        yield self.get_entities, READ
        yield self.count_entities, READ
        yield self.get_relations, READ
        yield self.follow_relations, READ
        yield self.get_subgraph, READ
        yield self.find_shortest_path, READ
        yield self.add_entity, WRITE
        yield self.update_entity, WRITE
        yield self.add_relation, WRITE
        yield self.delete_entities, WRITE
        yield self.delete_relation, WRITE

    async def find_entities(
        self,
        store: Store = "default",
        entity_type: _Type = "",
        prefix: Prefix = "",
        after: After = "",
        property_filter: Filter = None,
        limit: Limit = 20,
    ) -> Answer:
        """List entities of a knowledge graph by id, with types and properties."""
        opened = await self._opened(store)
        most = self._limits.to_read(limit)
        found = await opened.find_entities(
            entity_type or None, property_filter, most, prefix=prefix, after=after or None
        )
        return self._limits.answer(found, limit, lambda shown: {"after": shown[-1]["id"]})

    async def get_entities(self, ids: _Ids, store: Store = "default") -> Answer:
        """Get the entities of a knowledge graph that have these ids, with types and properties."""
        return await self._limits.under(ids, (await self._opened(store)).get_entities)

    async def count_entities(
        self, store: Store = "default", entity_type: _Type = "", prefix: Prefix = "", property_filter: Filter = None
    ) -> Counted:
        """Count the entities of a knowledge graph, all or those that match."""
        opened = await self._opened(store)
        return Counted(
            count=await opened.count_entities(entity_type or None, property_filter=property_filter, prefix=prefix)
        )

    async def get_relations(
        self,
        id: Id,
        store: Store = "default",
        relation_type: Annotated[Bound, Field(description="Only relations of this type.")] = "",
        direction: Direction = "both",
        after: Annotated[
            list[str] | None, Field(min_length=3, max_length=3, description="After [from_id, to_id, type].")
        ] = None,
        limit: Limit = 20,
    ) -> Answer:
        """Get the relations from and to an entity, by (from_id, to_id, type)."""
        opened = await self._opened(store)
        most = self._limits.to_read(limit)
        found = await opened.get_relations(id, relation_type or None, direction, after=after, limit=most)
        answer = self._limits.answer(found, limit, lambda shown: {"after": _key(shown[-1])})
        return answer if found else await _with_missing(answer, opened, [id])

    async def follow_relations(
        self,
        id: Id,
        relation_types: Annotated[
            list[Id], Field(max_length=_LONGEST_PATH, description="The path: the type of each step in turn.")
        ],
        store: Store = "default",
        limit: Limit = 20,
        skip: Skip = 0,
    ) -> Answer:
        """Walk from an entity along outgoing relations, and get the entities at the end of the path, by id."""
        opened = await self._opened(store)
        found = await opened.query(id, relation_types, skip + self._limits.to_read(limit))
        answer = self._limits.answer(found[skip:], limit, lambda shown: {"skip": skip + len(shown)})
        return answer if found else await _with_missing(answer, opened, [id])

    async def get_subgraph(
        self,
        ids: _Ids,
        store: Store = "default",
        depth: Annotated[Integer, Field(ge=0, description="So many steps; 0: only what is among these entities.")] = 1,
        relation_types: _Types = None,
        direction: Direction = "both",
        limit: Limit = 50,
    ) -> Subgraph:
        """Get the entities within some steps of these, the nearest first, and the relations among them."""
        asked = self._limits.checked(ids)
        opened = await self._opened(store)
        most = self._limits.to_read(limit)
        found = await opened.subgraph(asked, depth, relation_types=relation_types, direction=direction, limit=most)
        answer = self._limits.subgraph(found["entities"], found["relations"], most - 1)
        there = {each["id"] for each in found["entities"]}
        return await _with_missing(answer, opened, [id for id in asked if id not in there])

    async def find_shortest_path(
        self,
        from_id: Id,
        to_id: Id,
        store: Store = "default",
        relation_types: _Types = None,
        max_depth: Annotated[Integer, Field(ge=0, description="At most so many steps.")] = 6,
        skip: Skip = 0,
    ) -> Answer:
        """Find the shortest way from one entity to another along outgoing relations; no items if there is none."""
        opened = await self._opened(store)
        found = await opened.shortest_path(from_id, to_id, relation_types, max_depth)
        if found is None:
            return await _with_missing(Answer(items=[]), opened, list(dict.fromkeys([from_id, to_id])))
        return self._limits.answer(found[skip:], len(found), lambda shown: {"skip": skip + len(shown)})

    async def add_entity(
        self, id: Id, entity_type: Id, store: Store = "default", properties: _Properties = None
    ) -> Written:
        """Store an entity. Type and properties that it had are replaced, its relations stay."""
        await (await self._opened(store)).add_entity(id, entity_type, properties)
        return Written(written=1)

    async def update_entity(self, id: Id, properties: dict[str, Any], store: Store = "default") -> Written:
        """Change these properties of an entity, and keep the others; `written` is 0 without the entity."""
        return Written(written=int(await (await self._opened(store)).update_entity(id, properties)))

    async def add_relation(
        self, from_id: Id, to_id: Id, relation_type: Id, store: Store = "default", properties: _Properties = None
    ) -> Written:
        """Store a relation between two entities that are there; properties that it had are replaced."""
        await (await self._opened(store)).add_relation(from_id, to_id, relation_type, properties)
        return Written(written=1)

    async def delete_entities(
        self,
        store: Store = "default",
        ids: Annotated[list[Id] | None, Field(description="Either these, or what the others select.")] = None,
        entity_type: _Type = "",
        prefix: Prefix = "",
        property_filter: Filter = None,
    ) -> Deleted:
        """Delete entities and all their relations, for ever: those with these ids, or all that the others select."""
        check_chosen(ids, entity_type=entity_type, prefix=prefix, property_filter=property_filter)
        opened = await self._opened(store)
        deleted = await opened.delete_entities(
            ids, entity_type=entity_type or None, property_filter=property_filter, prefix=prefix
        )
        return Deleted(deleted=deleted)

    async def delete_relation(self, from_id: Id, to_id: Id, relation_type: Id, store: Store = "default") -> Deleted:
        """Delete a relation, for ever; the entities stay."""
        return Deleted(deleted=int(await (await self._opened(store)).delete_relation(from_id, to_id, relation_type)))

    async def _opened(self, store: str) -> KnowledgeGraphBackend:
        return await self._stores.opened(BackendType.KNOWLEDGE_GRAPH, store)


async def _with_missing(answer: _Answer, opened: KnowledgeGraphBackend, ids: list[str]) -> _Answer:
    """Return an answer that tells which of the entities that it is about are not there."""
    if missing := [id for id, found in zip(ids, await opened.get_entities(ids), strict=True) if found is None]:
        answer["missing"] = missing
    return answer


def _key(relation: Any) -> list[str]:
    return [relation["from_id"], relation["to_id"], relation["type"]]
