"""Generated from `KnowledgeGraphBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator, Sequence

from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    KnowledgeGraphBackend,
    Relation,
    RelationInput,
)
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.blocking.generated.backend import BlockingBackend


class BlockingKnowledgeGraph(BlockingBackend[KnowledgeGraphBackend]):
    """A `KnowledgeGraphBackend` without `await`."""

    def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:
        """Store an entity; replaces its type and properties, keeps its relations."""
        self._call(self._target.add_entity, entity_id, entity_type, properties)

    def get_entity(self, entity_id: str) -> Entity | None:
        """Return the entity, or `None`."""
        return self._call(self._target.get_entity, entity_id)

    def update_entity(self, entity_id: str, properties: JSONObject) -> bool:
        """Merge the top-level keys of `properties` into the entity's; say whether it is there."""
        return self._call(self._target.update_entity, entity_id, properties)

    def delete_entity(self, entity_id: str) -> bool:
        """Delete the entity and every relation that touches it; say whether it was there."""
        return self._call(self._target.delete_entity, entity_id)

    def add_relation(
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        """Store a relation; replaces its properties. Raises `InvalidValueError` for an entity that does not exist."""
        self._call(self._target.add_relation, from_entity_id, to_entity_id, relation_type, properties)

    def get_relations(
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        """Return the entity's relations by (from, to, type); none for an unknown entity."""
        return self._call(self._target.get_relations, entity_id, relation_type, direction)

    def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        """Delete the relation and say whether it was there."""
        return self._call(self._target.delete_relation, from_entity_id, to_entity_id, relation_type)

    def add_entities(self, items: Iterable[EntityInput]) -> None:
        """Store `(id, type, properties)` items, all or none; the last of equal ids wins."""
        self._call(self._target.add_entities, self._collected(items))

    def add_relations(self, items: Iterable[RelationInput]) -> None:
        """Store `(from, to, type, properties)` items, all or none; the last of equal ones wins."""
        self._call(self._target.add_relations, self._collected(items))

    def find_entities(
        self, entity_type: str | None = None, property_filter: JSONObject | None = None, limit: int = 100
    ) -> list[Entity]:
        """Return the entities of a type whose properties match the filter, by id."""
        return self._call(self._target.find_entities, entity_type, property_filter, limit)

    def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:
        """Return the distinct entities at the end of a path of outgoing relation types, by id."""
        return self._call(self._target.query, start_entity_id, relation_path, limit)

    def neighbors(
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        """Return the distinct entities within `depth` steps, without the start, by id."""
        return self._call(self._target.neighbors, entity_id, relation_type, direction, depth, limit)

    def shortest_path(
        self, from_entity_id: str, to_entity_id: str, relation_types: Sequence[str] | None = None, max_depth: int = 6
    ) -> list[Entity] | None:
        """Return the entities from one to the other along outgoing relations, or `None`."""
        return self._call(self._target.shortest_path, from_entity_id, to_entity_id, relation_types, max_depth)

    def count_entities(self, entity_type: str | None = None) -> int:
        """Return how many entities of a type there are, or how many at all."""
        return self._call(self._target.count_entities, entity_type)

    def count_relations(self, relation_type: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        return self._call(self._target.count_relations, relation_type)

    def clear(self) -> None:
        """Delete everything. As defined here, others may see a part of it while it runs."""
        self._call(self._target.clear)

    def scan_entities(self) -> Iterator[Entity]:
        """Yield all entities by id. What is written meanwhile may be seen or not."""
        return self._iterate(self._target.scan_entities)

    def scan_relations(self) -> Iterator[Relation]:
        """Yield all relations by (from, to, type). What is written meanwhile may be seen or not."""
        return self._iterate(self._target.scan_relations)
