"""Generated from `KnowledgeGraphBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator, Sequence

from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    KnowledgeGraphBackend,
    Relation,
    RelationInput,
    RelationKey,
    Subgraph,
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
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "outgoing",
        *,
        after: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Relation]:
        """Return the entity's relations by (from, to, type); none for an unknown entity."""
        return self._call(self._target.get_relations, entity_id, relation_type, direction, after=after, limit=limit)

    def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        """Delete the relation and say whether it was there."""
        return self._call(self._target.delete_relation, from_entity_id, to_entity_id, relation_type)

    def add_entities(self, items: Iterable[EntityInput], *, if_absent: bool = False) -> int:
        """Store `(id, type, properties)` items one after the other, all or none; the last of equal ids wins."""
        return self._call(self._target.add_entities, self._collected(items), if_absent=if_absent)

    def add_relations(self, items: Iterable[RelationInput]) -> None:
        """Store `(from, to, type, properties)` items, all or none; the last of equal ones wins."""
        self._call(self._target.add_relations, self._collected(items))

    def get_entities(self, ids: Iterable[str]) -> list[Entity | None]:
        """Return the entity of each id, `None` where there is none, in the order asked."""
        return self._call(self._target.get_entities, self._collected(ids))

    def find_entities(
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
        """Return the selected entities, by id or, with `reverse`, from the last id back; `None` for no limit."""
        return self._call(
            self._target.find_entities,
            entity_type,
            property_filter,
            limit,
            prefix=prefix,
            after=after,
            before=before,
            reverse=reverse,
        )

    def delete_entities(
        self,
        ids: Iterable[str] | None = None,
        *,
        entity_type: str | None = None,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected, with their relations; return how many were there."""
        return self._call(
            self._target.delete_entities,
            self._collected(ids),
            entity_type=entity_type,
            property_filter=property_filter,
            prefix=prefix,
            after=after,
            before=before,
        )

    def delete_relations(
        self, keys: Iterable[RelationKey] | None = None, *, relation_types: Sequence[str] | None = None
    ) -> int:
        """Delete all of `keys`, which are (from, to, type), or all relations of some types; return how many."""
        return self._call(self._target.delete_relations, self._collected(keys), relation_types=relation_types)

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

    def subgraph(
        self,
        entity_ids: Iterable[str],
        depth: int = 1,
        *,
        relation_types: Sequence[str] | None = None,
        direction: Direction = "both",
        limit: int | None = 1000,
    ) -> Subgraph:
        """Return the entities within `depth` steps of some, these included, and the relations among them."""
        return self._call(
            self._target.subgraph,
            self._collected(entity_ids),
            depth,
            relation_types=relation_types,
            direction=direction,
            limit=limit,
        )

    def count_entities(
        self,
        entity_type: str | None = None,
        *,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many entities are selected, or how many there are."""
        return self._call(
            self._target.count_entities,
            entity_type,
            property_filter=property_filter,
            prefix=prefix,
            after=after,
            before=before,
        )

    def count_relations(self, relation_type: str | None = None) -> int:
        """Return how many relations of a type there are, or how many at all."""
        return self._call(self._target.count_relations, relation_type)

    def clear(self) -> None:
        """Delete everything. As defined here, others may see a part of it while it runs."""
        self._call(self._target.clear)

    def scan_entities(
        self, *, entity_type: str | None = None, prefix: str = "", property_filter: JSONObject | None = None
    ) -> Iterator[Entity]:
        """Yield the selected entities by id. What is written meanwhile may be seen or not."""
        return self._iterate(
            self._target.scan_entities, entity_type=entity_type, prefix=prefix, property_filter=property_filter
        )

    def scan_relations(self, *, relation_types: Sequence[str] | None = None) -> Iterator[Relation]:
        """Yield all relations, or those of some types, by (from, to, type); what is written meanwhile perhaps."""
        return self._iterate(self._target.scan_relations, relation_types=relation_types)
