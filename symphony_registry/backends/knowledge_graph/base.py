"""The contract of a knowledge graph."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import ClassVar, TypeAlias, TypedDict

from symphony_registry.backends.concurrency import Turns, delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.knowledge_graph import fallback
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_optional_id,
    check_path,
    check_relation_deletion,
    check_relations,
    check_types,
)
from symphony_registry.backends.naming import naming
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.selection import Selection, check_deletion, check_page, check_range
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import (
    Direction,
    JSONObject,
    check_bool,
    check_direction,
    check_id,
    check_limit,
    collected,
)
from symphony_registry.errors import UnsupportedOperationError

EntityInput: TypeAlias = "tuple[str, str, JSONObject | None]"
RelationInput: TypeAlias = "tuple[str, str, str, JSONObject | None]"
RelationKey: TypeAlias = tuple[str, str, str]


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


def relation_key(relation: Relation) -> RelationKey:
    """Return what identifies a relation."""
    return relation["from_id"], relation["to_id"], relation["type"]


class Subgraph(TypedDict):
    """Some entities, the nearest first, then by id, and the relations among them by (from, to, type)."""

    entities: list[Entity]
    relations: list[Relation]


class KnowledgeGraphBackend(StorageBackend):
    """A directed property graph.

    A provider has to write the abstract operations; the rest stands on them.
    Listing entities cannot be made of the others: a provider that overrides
    `scan_entities` gets `find_entities`, `count_entities`, `delete_entities` by a
    selection, `scan_relations`, `delete_relations` by types, `count_relations` and
    `clear` with it.
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
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "outgoing",
        *,
        after: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Relation]:
        """Return the entity's relations by (from, to, type); none for an unknown entity.

        With the direction "both", a relation of an entity to itself appears once.
        Given are `limit` of those that follow `after`, a (from, to, type).
        """

    @abstractmethod
    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        """Delete the relation and say whether it was there."""

    async def add_entities(self, items: Iterable[EntityInput], *, if_absent: bool = False) -> int:
        """Store `(id, type, properties)` items one after the other, all or none; the last of equal ids wins.

        With `if_absent`, what is there stays. Return how many were stored. As
        defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        check_bool(if_absent, "if_absent")
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_entities(given), len(given) * ITEM)
        return await delaying_cancellation(fallback.add_entities(self, checked, if_absent=if_absent))

    async def add_relations(self, items: Iterable[RelationInput]) -> None:
        """Store `(from, to, type, properties)` items, all or none; the last of equal ones wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_relations(given), len(given) * ITEM)
        await delaying_cancellation(fallback.add_relations(self, checked))

    async def get_entities(self, ids: Iterable[str]) -> list[Entity | None]:
        """Return the entity of each id, `None` where there is none, in the order asked."""
        checked = [check_id(id, "entity_id") for id in collected(ids)]
        return [await self.get_entity(id) for id in checked]

    async def find_entities(
        self,
        entity_type: str | None = None,
        property_filter: JSONObject | None = None,
        limit: int | None = 100,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        reverse: bool = False,
    ) -> list[Entity]:
        """Return the selected entities, by id or, with `reverse`, from the last id back; `None` for no limit.

        Selected is what has the type, begins with `prefix`, lies between `after`
        and `before` (exclusive) and whose properties match the filter.
        """
        ids = check_range(prefix, after, before)
        page = check_page(limit, reverse)
        found: list[Entity] = []
        turns = Turns()
        async for entity in self.scan_entities(entity_type=entity_type, prefix=prefix, property_filter=property_filter):
            await turns.give()
            if ids.holds(entity["id"]):
                found.append(entity)
                if len(found) == page.limit and not page.reverse:
                    break
        return found[::-1][: page.limit] if page.reverse else found

    async def delete_entities(
        self,
        ids: Iterable[str] | None = None,
        *,
        entity_type: str | None = None,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected, with their relations; return how many were there.

        Whole or not at all. Raises `InvalidValueError` without either: that is what
        `clear` is for. As defined here, others may see a part of it while it runs.
        """
        chosen = check_deletion(ids, prefix, after, before, property_filter, "property_filter", entity_type)

        async def delete() -> int:
            found = chosen
            if isinstance(found, Selection):
                selected = await self.find_entities(
                    entity_type, property_filter, None, prefix=prefix, after=after, before=before
                )
                found = [entity["id"] for entity in selected]
            return await fallback.deleted(self.delete_entity, [(id,) for id in found])

        self.ensure_open()
        return await delaying_cancellation(delete())

    async def delete_relations(
        self, keys: Iterable[RelationKey] | None = None, *, relation_types: Sequence[str] | None = None
    ) -> int:
        """Delete all of `keys`, which are (from, to, type), or all relations of some types; return how many.

        Whole or not at all. Raises `InvalidValueError` without either.
        """
        chosen, types = check_relation_deletion(keys, relation_types)

        async def delete() -> int:
            found = chosen
            if types is not None:
                found = [relation_key(each) async for each in self.scan_relations(relation_types=types)]
            return await fallback.deleted(self.delete_relation, found)

        self.ensure_open()
        return await delaying_cancellation(delete())

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
        types = check_types(relation_types)
        if await self.get_entity(from_entity_id) is None:
            return None
        path = await fallback.shortest_path(
            self, from_entity_id, to_entity_id, None if types is None else set(types), max_depth
        )
        return None if path is None else await fallback.entities(self, path)

    async def subgraph(
        self,
        entity_ids: Iterable[str],
        depth: int = 1,
        *,
        relation_types: Sequence[str] | None = None,
        direction: Direction = "both",
        limit: int | None = 1000,
    ) -> Subgraph:
        """Return the entities within `depth` steps of some, these included, and the relations among them.

        At most `limit` entities, the nearest first, then by id; ids of none are left
        out. With relation types, only such relations are followed and returned.
        """
        self.ensure_open()
        starts = [check_id(id, "entity_id") for id in collected(entity_ids)]
        check_limit(depth, "depth", least=0)
        types = check_types(relation_types)
        kinds = None if types is None else set(types)
        page = check_page(limit, reverse=False)
        ids = await fallback.nearest(self, starts, depth, kinds, check_direction(direction), page.limit)
        relations = await fallback.relations_among(self, ids, kinds)
        return {"entities": await fallback.entities(self, ids), "relations": relations}

    async def count_entities(
        self,
        entity_type: str | None = None,
        *,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many entities are selected, or how many there are."""
        ids = check_range(prefix, after, before)
        turns = Turns()
        count = 0
        async for entity in self.scan_entities(entity_type=entity_type, prefix=prefix, property_filter=property_filter):
            await turns.give()
            count += ids.holds(entity["id"])
        return count

    async def count_relations(self, relation_type: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        check_optional_id(relation_type, "relation_type")
        return await fallback.counted(self.scan_relations(), relation_type)

    async def clear(self) -> None:
        """Delete everything. As defined here, others may see a part of it while it runs."""

        async def delete_all() -> None:
            await fallback.deleted(self.delete_entity, [(entity["id"],) async for entity in self.scan_entities()])

        await delaying_cancellation(delete_all())

    async def scan_entities(
        self,
        *,
        entity_type: str | None = None,  # noqa: ARG002
        prefix: str = "",  # noqa: ARG002
        property_filter: JSONObject | None = None,  # noqa: ARG002
    ) -> AsyncIterator[Entity]:
        """Yield the selected entities by id. What is written meanwhile may be seen or not."""
        self.ensure_open()
        raise UnsupportedOperationError(f"{self} cannot list its entities: its class does not define scan_entities.")
        yield  # what makes it an iterator

    async def scan_relations(self, *, relation_types: Sequence[str] | None = None) -> AsyncIterator[Relation]:
        """Yield all relations, or those of some types, by (from, to, type); what is written meanwhile perhaps."""
        with naming(self):
            types = check_types(relation_types)
        turns = Turns()
        async for entity in self.scan_entities():
            await turns.give()
            for relation in await self.get_relations(entity["id"]):
                if types is None or relation["type"] in types:
                    yield relation
