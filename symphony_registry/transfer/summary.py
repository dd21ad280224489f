"""What a store holds, in numbers."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo, CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import own_errors


async def summarize(store: StorageBackend) -> JSONObject:
    """Return the numbers of an open store; a graph is read once, to count by type."""
    with own_errors(f"{store} failed"):
        return await _summary(store)


async def _summary(store: StorageBackend) -> JSONObject:
    if isinstance(store, VectorStoreBackend):
        return {"vectors": await store.count(), "dimension": await store.dimension()}
    if isinstance(store, KnowledgeGraphBackend):
        entities, relations = await _types(store.scan_entities()), await _types(store.scan_relations())
        return {
            "entities": sum(entities.values()),
            "relations": sum(relations.values()),
            "entity_types": entities,
            "relation_types": relations,
        }
    assert isinstance(store, CheckpointStoreBackend)
    oldest, newest = await store.list_checkpoints(limit=1), await store.list_checkpoints(limit=1, newest_first=True)
    return {"checkpoints": await store.count(), "oldest": _described(oldest), "newest": _described(newest)}


async def _types(records: AsyncIterator[Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    async for record in records:
        counts[record["type"]] += 1
    return dict(sorted(counts.items()))


def _described(found: list[CheckpointInfo]) -> JSONObject | None:
    if not found:
        return None
    return {"checkpoint_id": found[0]["checkpoint_id"], "timestamp": found[0]["metadata"]["timestamp"]}
