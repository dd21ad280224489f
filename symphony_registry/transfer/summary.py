"""What a store holds, in numbers."""

from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import public_errors
from symphony_registry.transfer.kinds import COLLECTIONS


async def count_items(store: StorageBackend) -> dict[str, int]:
    """Return how many items an open store has in each of its collections."""
    return {each.name: await each.count(store) for each in COLLECTIONS[store.backend_type]}


async def summarize(store: StorageBackend) -> JSONObject:
    """Return what can be said of an open store in numbers; a graph is read once, to count by type."""
    found: JSONObject = {}
    with public_errors(f"{store} failed"):
        for each in COLLECTIONS[store.backend_type]:
            found |= await each.summary(store)
    return found
