"""What the abstract class of vector stores makes of the operations that every provider has."""

from typing import TYPE_CHECKING

from symphony_registry.backends.concurrency import Turns
from symphony_registry.backends.selection import Range
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import UnsupportedOperationError

if TYPE_CHECKING:
    from symphony_registry.backends.vector_store.base import (
        Float32s,
        FoundVector,
        SearchResult,
        VectorItem,
        VectorStoreBackend,
    )


async def add_many(store: "VectorStoreBackend", items: "list[tuple[str, Float32s, JSONObject]]") -> None:
    """Add checked items one after the other; where one fails, put back what was there."""
    before: list[tuple[str, VectorItem | None]] = []
    turns = Turns()
    try:
        for id, vector, metadata in items:
            await turns.give()
            before.append((id, await store.get(id)))
            await store.add(id, vector, metadata)
    except Exception:
        for id, item in reversed(before):
            if item is None:
                await store.delete(id)
            else:
                await store.add(id, item["vector"], item["metadata"])
        raise


async def delete_many(store: "VectorStoreBackend", ids: list[str]) -> int:
    """Delete one after the other; where one fails, put back what was there."""
    before: list[VectorItem] = []
    turns = Turns()
    try:
        for id in ids:
            await turns.give()
            item = await store.get(id)
            if item is not None and await store.delete(id):
                before.append(item)
    except Exception:
        for item in before:
            await store.add(item["id"], item["vector"], item["metadata"])
        raise
    return len(before)


async def selected(
    store: "VectorStoreBackend", ids: Range, metadata_filter: JSONObject | None, *, include_vectors: bool
) -> "list[SearchResult]":
    """Return what is selected, in no order, by one search for everything."""
    total = await store.count()
    if not total:
        return []
    dimension = await store.dimension()
    if dimension is None:
        raise UnsupportedOperationError(f"{store} cannot list its items: it does not know its dimension.")
    found = await store.search([1.0] * dimension, total, metadata_filter, include_vectors=include_vectors)
    return [result for result in found if ids.holds(result["id"])]


def without_similarity(result: "SearchResult") -> "FoundVector":
    """Return what was found as `find` gives it."""
    found: FoundVector = {"id": result["id"], "metadata": result["metadata"]}
    if "vector" in result:
        found["vector"] = result["vector"]
    return found
