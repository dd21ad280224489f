"""The contract of a knowledge graph."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import ClassVar, TypeAlias, TypedDict

from symphony_registry.backends.concurrency import Turns, delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_optional_id,
    check_path,
    check_relations,
)
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

    @abstractmethod
    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:
        """Return the distinct entities at the end of a path of outgoing relation types, by id.

        An empty path gives the start. Costs as much as the edges it touches,
        never as the number of paths.
        """

    async def add_entities(self, items: Iterable[EntityInput]) -> None:
        """Store `(id, type, properties)` items, all or none; the last of equal ids wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_entities(given), len(given) * ITEM)

        async def add_all() -> None:
            before: list[tuple[str, Entity | None]] = []
            turns = Turns()
            try:
                for item in checked:
                    await turns.give()
                    before.append((item[0], await self.get_entity(item[0])))
                    await self.add_entity(*item)
            except Exception:
                for entity_id, entity in reversed(before):
                    if entity is None:
                        await self.delete_entity(entity_id)
                    else:
                        await self.add_entity(entity_id, entity["type"], entity["properties"])
                raise

        await delaying_cancellation(add_all())

    async def add_relations(self, items: Iterable[RelationInput]) -> None:
        """Store `(from, to, type, properties)` items, all or none; the last of equal ones wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)
        checked = await here_or_in_thread(lambda: check_relations(given), len(given) * ITEM)

        async def add_all() -> None:
            turns = Turns()
            before: dict[tuple[str, str, str], JSONObject] = {}
            for from_id, kind in dict.fromkeys((from_id, kind) for from_id, _, kind, _ in checked):
                await turns.give()
                for relation in await self.get_relations(from_id, kind):
                    before[from_id, relation["to_id"], kind] = relation["properties"]
            added: list[tuple[str, str, str]] = []
            try:
                for from_id, to_id, kind, properties in checked:
                    await turns.give()
                    added.append((from_id, to_id, kind))
                    await self.add_relation(from_id, to_id, kind, properties)
            except Exception:
                for key in added:
                    if key in before:
                        await self.add_relation(*key, before[key])
                    else:
                        await self.delete_relation(*key)
                raise

        await delaying_cancellation(add_all())

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
        seen = {entity_id}
        frontier = [entity_id]
        turns = Turns()
        for _ in range(depth):
            reached: set[str] = set()
            for near in frontier:
                await turns.give()
                for relation in await self.get_relations(near, relation_type, direction):
                    reached.update((relation["from_id"], relation["to_id"]))
            frontier = sorted(reached - seen)
            if not frontier:
                break
            seen.update(frontier)
        return await self._entities(sorted(seen - {entity_id})[:limit])

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
        itself. Breadth-first, each level in the order of its paths.
        """
        check_limit(max_depth, "max_depth")
        check_id(to_entity_id, "to_entity_id")
        wanted = None if relation_types is None else set(check_path(relation_types, "relation_types"))
        if await self.get_entity(from_entity_id) is None:
            return None
        came_from: dict[str, str | None] = {from_entity_id: None}
        frontier = [from_entity_id]
        turns = Turns()
        for _ in range(max_depth):
            if to_entity_id in came_from or not frontier:
                break
            following: list[str] = []
            for near in frontier:
                await turns.give()
                for relation in await self.get_relations(near):
                    if relation["to_id"] not in came_from and (wanted is None or relation["type"] in wanted):
                        came_from[relation["to_id"]] = near
                        following.append(relation["to_id"])
            frontier = following
        path = trace(came_from, to_entity_id)
        return None if path is None else await self._entities(path)

    async def _entities(self, ids: Iterable[str]) -> list[Entity]:
        turns = Turns()
        found: list[Entity] = []
        for entity_id in ids:
            await turns.give()
            entity = await self.get_entity(entity_id)
            if entity is not None:
                found.append(entity)
        return found

    async def count_entities(self, entity_type: str | None = None) -> int:
        """Return how many entities of a type there are, or how many at all."""
        check_optional_id(entity_type, "entity_type")
        return await _counted(self.scan_entities(), entity_type)

    async def count_relations(self, relation_type: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        check_optional_id(relation_type, "relation_type")
        return await _counted(self.scan_relations(), relation_type)

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


async def _counted(found: AsyncIterator[Entity] | AsyncIterator[Relation], kind: str | None) -> int:
    """Return how many of what is found have a type."""
    turns = Turns()
    count = 0
    async for each in found:
        await turns.give()
        count += kind in (None, each["type"])
    return count


def trace(came_from: Mapping[str, str | None], goal: str) -> list[str] | None:
    """Return the ids from the start to `goal`, or `None` where it was not reached."""
    if goal not in came_from:
        return None
    path: list[str] = []
    step: str | None = goal
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]
