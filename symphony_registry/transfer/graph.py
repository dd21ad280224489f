"""What a knowledge graph holds."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from typing_extensions import override

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.values import JSONObject, check_id
from symphony_registry.errors import InvalidValueError
from symphony_registry.transfer.collection import Collection, Key, StoredItem, check_object


class Entities(Collection[KnowledgeGraphBackend]):
    """The nodes of a graph, by id; they go before the relations between them."""

    name = "entities"
    fields = ("id", "type", "properties")

    @override
    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[StoredItem]:
        return store.scan_entities()

    @override
    async def write(self, store: KnowledgeGraphBackend, items: Sequence[StoredItem]) -> None:
        await store.add_entities([(each["id"], each["type"], each["properties"]) for each in items])

    @override
    async def count(self, store: KnowledgeGraphBackend) -> int:
        return await store.count_entities()

    @override
    async def summary(self, store: KnowledgeGraphBackend) -> JSONObject:
        return await _summary_by_type(self, store, "entity_types")

    @override
    def promises(self, given: Guarantees) -> list[str]:
        return ["lists entities"] if given.lists_entities else []

    @override
    def key(self, item: StoredItem) -> Key:
        return (item["id"],)

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        check_id(item["id"])
        check_id(item["type"], "type")
        check_object(item, "properties")

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        ids.add(item["id"])


class Relations(Collection[KnowledgeGraphBackend]):
    """The edges of a graph, by (from, to, type)."""

    name = "relations"
    fields = ("from_id", "to_id", "type", "properties")

    @override
    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[StoredItem]:
        return store.scan_relations()

    @override
    async def write(self, store: KnowledgeGraphBackend, items: Sequence[StoredItem]) -> None:
        await store.add_relations([(*self.key(each), each["properties"]) for each in items])

    @override
    async def count(self, store: KnowledgeGraphBackend) -> int:
        return await store.count_relations()

    @override
    async def summary(self, store: KnowledgeGraphBackend) -> JSONObject:
        return await _summary_by_type(self, store, "relation_types")

    @override
    def key(self, item: StoredItem) -> tuple[str, str, str]:
        return (item["from_id"], item["to_id"], item["type"])

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        for field in ("from_id", "to_id", "type"):
            check_id(item[field], field)
        check_object(item, "properties")

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        for end in (item["from_id"], item["to_id"]):
            if end not in ids:
                raise InvalidValueError(f"no entity {end!r} comes before the relation")


async def _summary_by_type(
    collection: Collection[KnowledgeGraphBackend], store: KnowledgeGraphBackend, name: str
) -> JSONObject:
    """Return the number of items, and of each type: all are read once."""
    counts: Counter[str] = Counter()
    async for item in collection.read(store):
        counts[item["type"]] += 1
    return {collection.name: counts.total(), name: dict(sorted(counts.items()))}
