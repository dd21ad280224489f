"""The contract of a knowledge graph."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import ClassVar, TypeAlias, TypedDict

from symphony_registry.backends.concurrency import Turns, delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.knowledge_graph import fallback
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_optional_id,
    check_path,
    check_relations,
)
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import (
    Direction,
    JSONObject,
    check_id,
    check_limit,
    collected,
)
from symphony_registry.errors import UnsupportedOperationError

EntityInput: TypeAlias = "tuple[str, str, JSONObject | None]"
RelationInput: TypeAlias = "tuple[str, str, str, JSONObject | None]"


class Entity(TypedDict):
    """A node of the graph."""

    id: str
    type: str
    properties: JSONObject


class Relation(TypedDict):
    """A directed edge; (from, to, type) identifies it."""

    from_id: str
    to_id: str
    type: str
    properties: JSONObject


class KnowledgeGraphBackend(StorageBackend):
    """A directed property graph.

    A provider has to write the abstract operations; the rest stands on them.
    Listing entities cannot be made of the others: a provider that overrides
    `scan_entities` gets `find_entities`, `count_entities`, `scan_relations`,
    `count_relations` and `clear` with it.
    """

    backend_type: ClassVar[BackendType] = BackendType.KNOWLEDGE_GRAPH
    _operations = OPERATIONS[backend_type]

    @abstractmethod
    async def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:
        """Store an entity; replaces its type and properties, keeps its relations."""

    @abstractmethod
    async def get_entity(self, entity_id: str) -> Entity | None:
        """Return the entity, or `None`."""

    @abstractmethod
    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:
        """Merge the top-level keys of `properties` into the entity's; say whether it is there."""

    @abstractmethod
    async def delete_entity(self, entity_id: str) -> bool:
        """Delete the entity and every relation that touches it; say whether it was there."""

    @abstractmethod
    async def add_relation(
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        """Store a relation; replaces its properties. Raises `InvalidValueError` for an entity that does not exist."""

    @abstractmethod
    async def get_relations(
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        """Return the entity's relations by (from, to, type); none for an unknown entity.

        With the direction "both", a relation of an entity to itself appears once.
        """

    @abstractmethod
    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        """Delete the relation and say whether it was there."""

    async def add_entities(self, items: Iterable[EntityInput]) -> None:
        """Store `(id, type, properties)` items, all or none; the last of equal ids wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_entities(given), len(given) * ITEM)
        await delaying_cancellation(fallback.add_entities(self, checked))

    async def add_relations(self, items: Iterable[RelationInput]) -> None:
        """Store `(from, to, type, properties)` items, all or none; the last of equal ones wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_relations(given), len(given) * ITEM)
        await delaying_cancellation(fallback.add_relations(self, checked))

    async def find_entities(
        self, entity_type: str | None = None, property_filter: JSONObject | None = None, limit: int = 100
    ) -> list[Entity]:
        """Return the entities of a type whose properties match the filter, by id."""
        check_limit(limit)
        check_optional_id(entity_type, "entity_type")
        condition = parse_filter(property_filter, "property_filter")
        found: list[Entity] = []
        turns = Turns()
        async for entity in self.scan_entities():
            await turns.give()
            if entity_type in (None, entity["type"]) and condition.matches(entity["properties"]):
                found.append(entity)
                if len(found) == limit:
                    break
        return found

    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:
        """Return the distinct entities at the end of a path of outgoing relation types, by id.

        An empty path gives the start. Costs as much as the edges it touches,
        never as the number of paths.
        """
        check_id(start_entity_id, "start_entity_id")
        path = check_path(relation_path)
        check_limit(limit)
        ids = await fallback.query(self, start_entity_id, path)
        return await fallback.entities(self, ids[:limit])

    async def neighbors(
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        """Return the distinct entities within `depth` steps, without the start, by id."""
        check_id(entity_id, "entity_id")
        check_limit(depth, "depth")
        check_limit(limit)
        ids = await fallback.neighbors(self, entity_id, relation_type, direction, depth)
        return await fallback.entities(self, ids[:limit])

    async def shortest_path(
        self,
        from_entity_id: str,
        to_entity_id: str,
        relation_types: Sequence[str] | None = None,
        max_depth: int = 6,
    ) -> list[Entity] | None:
        """Return the entities from one to the other along outgoing relations, or `None`.

        Of equally short paths it is the smallest by ids, compared one after the
        other. At most `max_depth` relations long; an entity's path to itself is
        itself.
        """
        check_limit(max_depth, "max_depth")
        check_id(to_entity_id, "to_entity_id")
        wanted = None if relation_types is None else set(check_path(relation_types, "relation_types"))
        if await self.get_entity(from_entity_id) is None:
            return None
        path = await fallback.shortest_path(self, from_entity_id, to_entity_id, wanted, max_depth)
        return None if path is None else await fallback.entities(self, path)

    async def count_entities(self, entity_type: str | None = None) -> int:
        """Return how many entities of a type there are, or how many at all."""
        check_optional_id(entity_type, "entity_type")
        return await fallback.counted(self.scan_entities(), entity_type)

    async def count_relations(self, relation_type: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        check_optional_id(relation_type, "relation_type")
        return await fallback.counted(self.scan_relations(), relation_type)

    async def clear(self) -> None:
        """Delete everything. As defined here, others may see a part of it while it runs."""

        async def delete_all() -> None:
            turns = Turns()
            for entity_id in [entity["id"] async for entity in self.scan_entities()]:
                await turns.give()
                await self.delete_entity(entity_id)

        await delaying_cancellation(delete_all())

    async def scan_entities(self) -> AsyncIterator[Entity]:
        """Yield all entities by id. What is written meanwhile may be seen or not."""
        self.ensure_open()
        raise UnsupportedOperationError(f"{self} cannot list its entities: its class does not define scan_entities.")
        yield  # what makes it an iterator

    async def scan_relations(self) -> AsyncIterator[Relation]:
        """Yield all relations by (from, to, type). What is written meanwhile may be seen or not."""
        turns = Turns()
        async for entity in self.scan_entities():
            await turns.give()
            for relation in await self.get_relations(entity["id"]):
                yield relation
