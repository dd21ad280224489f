"""A provider of your own: a vector store in a dict, on the helpers of the package.

python examples/custom_provider.py
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from symphony_registry import ServiceRegistry
from symphony_registry.backends.base import BackendType, StorageBackendFactory
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.options import read_options
from symphony_registry.backends.selection import check_selection
from symphony_registry.backends.values import JSONObject, check_id, check_limit, checked_object, copied
from symphony_registry.backends.vector_store.base import (
    Float32s,
    Metric,
    SearchResult,
    Vector,
    VectorItem,
    VectorOptions,
    VectorStoreBackend,
)
from symphony_registry.backends.vector_store.checks import check_similarity, check_vector


class MyCustomVectorStore(VectorStoreBackend):
    """Keeps vectors in a dict as long as the object lives."""

    class Provider:
        """Makes the stores; configuration files are checked against `Options`."""

        Options = VectorOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> VectorStoreBackend:
            """Return a new store."""
            return MyCustomVectorStore(config)

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._options = read_options(VectorOptions, self.config, "MyCustomVectorStore")
        self._dimension = self._options.dimension
        self._items: dict[str, tuple[Float32s, JSONObject]] = {}

    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:
        """Store a vector, once everything about it is known to be right."""
        self.ensure_open()
        item = check_vector(vector, self._dimension, self._options.metric), checked_object(metadata, "metadata")
        self._items[check_id(id)] = item
        self._dimension = item[0].size

    async def get(self, id: str) -> VectorItem | None:
        """Return a copy of what is stored."""
        self.ensure_open()
        if check_id(id) not in self._items:
            return None
        vector, metadata = self._items[id]
        return {"id": id, "vector": vector.tolist(), "metadata": copied(metadata)}

    async def delete(self, id: str) -> bool:
        """Delete a vector."""
        self.ensure_open()
        return self._items.pop(check_id(id), None) is not None

    async def search(
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        """Compare with everything that matches the filter."""
        self.ensure_open()
        check_limit(limit)
        least = check_similarity(min_similarity)
        query = check_vector(query_vector, self._dimension, self._options.metric, "query vector")
        condition = parse_filter(metadata_filter)
        scored = [
            (-similarity(query, vector, self._options.metric), id)  # sorts the best first, equals by id
            for id, (vector, metadata) in self._items.items()
            if condition.matches(metadata)
        ]
        return [self._result(id, -score, include_vectors) for score, id in sorted(scored)[:limit] if -score >= least]

    def _result(self, id: str, similarity: float, include_vectors: bool) -> SearchResult:
        vector, metadata = self._items[id]
        result: SearchResult = {"id": id, "similarity": similarity, "metadata": copied(metadata)}
        if include_vectors:
            result["vector"] = vector.tolist()
        return result

    async def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Count what is selected."""
        self.ensure_open()
        ids, condition = check_selection(prefix, after, before, metadata_filter)
        return sum(ids.holds(id) and condition.matches(metadata) for id, (_, metadata) in self._items.items())

    async def clear(self) -> None:
        """Delete everything, and take vectors of any dimension again."""
        self.ensure_open()
        self._items.clear()
        self._dimension = self._options.dimension


def similarity(left: Float32s, right: Float32s, metric: Metric) -> float:
    """Return how similar two vectors are, added up in float64."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    if metric == "euclidean":
        return float(1 / (1 + np.linalg.norm(a - b)))
    if metric == "dot":
        return float(a @ b)
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


async def main() -> None:
    """Make the provider known, and use it as any other."""
    StorageBackendFactory.register_provider(BackendType.VECTOR_STORE, "my_custom", MyCustomVectorStore.Provider)
    print("Vector store providers:", ", ".join(StorageBackendFactory.list_providers(BackendType.VECTOR_STORE)))

    async with ServiceRegistry.get_instance() as registry:
        await registry.register_backend(BackendType.VECTOR_STORE, "my_custom", "colours")
        colours = registry.vector_store("colours")
        await colours.add("red", [1.0, 0.0, 0.0], {"warm": True})
        await colours.add("orange", [1.0, 0.5, 0.0], {"warm": True})
        await colours.add("blue", [0.0, 0.0, 1.0], {"warm": False})
        for found in await colours.search([0.9, 0.3, 0.1], limit=2, metadata_filter={"warm": True}):
            print(f"{found['similarity']:.3f}  {found['id']}")


if __name__ == "__main__":
    asyncio.run(main())
