"""Providers as a user would write them: plain dictionaries, and the abstract operations alone."""

# mypy: ignore-errors
# (as untyped as users write them)

import time

import numpy as np

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.checkpoint_store.base import check_payload, check_version
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph import KnowledgeGraphBackend
from symphony_registry.backends.knowledge_graph.checks import check_after, check_optional_id
from symphony_registry.backends.selection import check_page, check_range, check_selection
from symphony_registry.backends.values import (
    check_bool,
    check_dict,
    check_direction,
    check_id,
    check_limit,
    checked_object,
    collected,
    copied,
)
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.backends.vector_store.checks import check_similarity, check_vector
from symphony_registry.errors import InvalidTypeError, InvalidValueError, VersionConflictError


class DictVectorStore(VectorStoreBackend):
    def __init__(self, config=None):
        super().__init__(config)
        self.items = {}

    def checked(self, vector, what="vector"):
        stored = next((vector for vector, _ in self.items.values()), None)
        dimension = self.config.get("dimension") if stored is None else stored.size
        return check_vector(vector, dimension, self.metric, what)

    async def add(self, id, vector, metadata=None):
        self.ensure_open()
        self.items[check_id(id)] = self.checked(vector), checked_object(metadata, "metadata")

    async def get(self, id):
        self.ensure_open()
        found = self.items.get(check_id(id))
        return found and {"id": id, "vector": found[0].tolist(), "metadata": copied(found[1])}

    async def delete(self, id):
        self.ensure_open()
        return self.items.pop(check_id(id), None) is not None

    async def search(self, query_vector, limit=10, metadata_filter=None, *, min_similarity=None, include_vectors=True):
        self.ensure_open()
        check_limit(limit)
        least = check_similarity(min_similarity)
        query = self.checked(query_vector, "query vector").astype(float)
        condition = parse_filter(metadata_filter)
        found = [
            {"id": id, "similarity": self.similarity(query, vector.astype(float)), "metadata": copied(metadata)}
            for id, (vector, metadata) in self.items.items()
            if condition.matches(metadata)
        ]
        best = sorted(found, key=lambda result: (-result["similarity"], result["id"]))[:limit]
        best = [result for result in best if result["similarity"] >= least]
        if include_vectors:
            for result in best:
                result["vector"] = self.items[result["id"]][0].tolist()
        return best

    def similarity(self, a, b):
        if self.metric == "euclidean":
            return float(1 / (1 + np.linalg.norm(a - b)))
        if self.metric == "dot":
            return float(a @ b)
        return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))

    async def count(self, metadata_filter=None, *, prefix="", after=None, before=None):
        self.ensure_open()
        selected = check_selection(prefix, after, before, metadata_filter)
        found = [id for id, (_, metadata) in self.items.items() if selected.condition.matches(metadata)]
        return sum(map(selected.ids.holds, found))


class DictGraph(KnowledgeGraphBackend):
    """Cannot list its entities."""

    def __init__(self, config=None):
        super().__init__(config)
        self.entities = {}
        self.relations = {}

    async def add_entity(self, entity_id, entity_type, properties=None):
        self.ensure_open()
        check_id(entity_id, "entity_id")
        self.entities[entity_id] = check_id(entity_type, "entity_type"), checked_object(properties, "properties")

    async def get_entity(self, entity_id):
        self.ensure_open()
        found = self.entities.get(check_id(entity_id, "entity_id"))
        return found and {"id": entity_id, "type": found[0], "properties": copied(found[1])}

    async def update_entity(self, entity_id, properties):
        self.ensure_open()
        changes = checked_object(check_dict(properties, "properties"), "properties")
        if check_id(entity_id, "entity_id") not in self.entities:
            return False
        self.entities[entity_id][1].update(changes)
        return True

    async def delete_entity(self, entity_id):
        self.ensure_open()
        if self.entities.pop(check_id(entity_id, "entity_id"), None) is None:
            return False
        self.relations = {key: value for key, value in self.relations.items() if entity_id not in key[:2]}
        return True

    async def add_relation(self, from_entity_id, to_entity_id, relation_type, properties=None):
        self.ensure_open()
        for end in (from_entity_id, to_entity_id):
            if check_id(end, "entity id") not in self.entities:
                raise InvalidValueError(f"There is no entity {end!r} for the relation. Add it first.")
        key = from_entity_id, to_entity_id, check_id(relation_type, "relation_type")
        self.relations[key] = checked_object(properties, "properties")

    async def get_relations(self, entity_id, relation_type=None, direction="outgoing", *, after=None, limit=None):
        self.ensure_open()
        first, page = check_after(after) or (), check_page(limit, reverse=False)
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        ends = {"outgoing": (0,), "incoming": (1,), "both": (0, 1)}[check_direction(direction)]
        return [
            {"from_id": key[0], "to_id": key[1], "type": key[2], "properties": copied(self.relations[key])}
            for key in sorted(key for key in self.relations if any(key[end] == entity_id for end in ends))
            if relation_type in (None, key[2]) and key > first
        ][: page.limit]

    async def delete_relation(self, from_entity_id, to_entity_id, relation_type):
        self.ensure_open()
        key = check_id(from_entity_id), check_id(to_entity_id), check_id(relation_type)
        return self.relations.pop(key, None) is not None


class DictGraphWithListing(DictGraph):
    """Can list its entities, and everything that stands on that."""

    guarantees = Guarantees(lists_entities=True)

    async def scan_entities(self, *, entity_type=None, prefix="", property_filter=None):
        self.ensure_open()
        check_range(prefix)
        check_optional_id(entity_type, "entity_type")
        condition = parse_filter(property_filter, "property_filter")
        for id in sorted(self.entities):
            entity = await self.get_entity(id)
            if entity is None or not id.startswith(prefix) or entity_type not in (None, entity["type"]):
                continue
            if condition.matches(entity["properties"]):
                yield entity


class DictCheckpointStore(CheckpointStoreBackend):
    """Cannot save several at once."""

    def __init__(self, config=None):
        super().__init__(config)
        self.saved = {}
        self.versions = 0

    def check(self, checkpoint_id, data, metadata, payload, if_version):
        check_id(checkpoint_id, "checkpoint_id")
        check_payload(payload)
        self.expect(checkpoint_id, check_version(if_version))
        if data is None:
            raise InvalidTypeError("data must be a dict, not None.")
        return checked_object(data, "data"), checked_object(metadata, "metadata"), payload

    def expect(self, checkpoint_id, version):
        found = self.saved[checkpoint_id]["version"] if checkpoint_id in self.saved else 0
        if version not in (None, found):
            raise VersionConflictError(checkpoint_id, version, found)

    def keep(self, checkpoint_id, data, metadata, payload):
        self.versions += 1
        self.saved.pop(checkpoint_id, None)
        self.saved[checkpoint_id] = {
            "checkpoint_id": checkpoint_id,
            "data": data,
            "metadata": {**metadata, "timestamp": time.time(), "checkpoint_id": checkpoint_id},
            "version": self.versions,
        }
        if payload is not None:
            self.saved[checkpoint_id]["payload"] = payload
        return self.versions

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, *, payload=None, if_version=None):
        self.ensure_open()
        return self.keep(checkpoint_id, *self.check(checkpoint_id, data, metadata, payload, if_version))

    async def get_checkpoint(self, checkpoint_id):
        self.ensure_open()
        return copied(self.saved.get(check_id(checkpoint_id, "checkpoint_id")))

    async def delete_checkpoint(self, checkpoint_id, *, if_version=None):
        self.ensure_open()
        check_id(checkpoint_id, "checkpoint_id")
        self.expect(checkpoint_id, check_version(if_version))
        return self.saved.pop(checkpoint_id, None) is not None

    async def list_checkpoints(self, *, prefix="", metadata_filter=None, limit=None, newest_first=False):
        self.ensure_open()
        check_range(prefix)
        condition = parse_filter(metadata_filter)
        found = [
            {key: copied(checkpoint[key]) for key in ("checkpoint_id", "metadata", "version")}
            for id, checkpoint in self.saved.items()
            if id.startswith(prefix) and condition.matches(checkpoint["metadata"])
        ][:: -1 if newest_first else 1]
        return found if limit is None else found[: check_limit(limit)]


class DictCheckpointStoreWithBulk(DictCheckpointStore):
    """Can save several at once."""

    guarantees = Guarantees(saves_several=True)

    async def save_checkpoints(self, items, *, if_absent=False):
        self.ensure_open()
        check_bool(if_absent, "if_absent")
        checked = []
        for item in collected(items):
            if not isinstance(item, list | tuple) or len(item) not in (3, 4):
                raise InvalidTypeError("An item has three or four parts.")
            id, data, metadata, payload = (*item, None)[:4]
            checked.append((id, *self.check(id, data, metadata, payload, None)))
        count = 0
        for id, *parts in checked:
            if not (if_absent and id in self.saved):
                self.keep(id, *parts)
                count += 1
        return count
