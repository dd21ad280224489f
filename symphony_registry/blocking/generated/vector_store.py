"""Generated from `VectorStoreBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator

from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Item, SearchResult, Vector, VectorItem, VectorStoreBackend
from symphony_registry.blocking.generated.backend import BlockingBackend


class BlockingVectorStore(BlockingBackend[VectorStoreBackend]):
    """A `VectorStoreBackend` without `await`."""

    def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:
        """Store a vector; replaces the vector and the metadata that `id` had."""
        self._call(self._target.add, id, vector, metadata)

    def get(self, id: str) -> VectorItem | None:
        """Return what is stored under `id`, or `None`."""
        return self._call(self._target.get, id)

    def delete(self, id: str) -> bool:
        """Delete `id` and say whether it was there."""
        return self._call(self._target.delete, id)

    def search(
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        """Return the most similar vectors, the best first, equals by id."""
        return self._call(self._target.search, query_vector, limit, metadata_filter, include_vectors=include_vectors)

    def count(self, metadata_filter: JSONObject | None = None) -> int:
        """Return how many vectors match, or how many there are."""
        return self._call(self._target.count, metadata_filter)

    def add_many(self, items: Iterable[Item]) -> None:
        """Store `(id, vector, metadata)` items, all or none; the last of equal ids wins."""
        self._call(self._target.add_many, self._collected(items))

    def get_many(self, ids: Iterable[str]) -> list[VectorItem | None]:
        """Return what is stored under each id, `None` where nothing is, in the order asked."""
        return self._call(self._target.get_many, self._collected(ids))

    def delete_many(self, ids: Iterable[str]) -> int:
        """Delete all of `ids` and return how many were there."""
        return self._call(self._target.delete_many, self._collected(ids))

    def search_many(
        self,
        query_vectors: Iterable[Vector],
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        include_vectors: bool = True,
    ) -> list[list[SearchResult]]:
        """Return the results of `search` for each query vector."""
        return self._call(
            self._target.search_many,
            self._collected(query_vectors),
            limit,
            metadata_filter,
            include_vectors=include_vectors,
        )

    def clear(self) -> None:
        """Delete everything; the next vector stored fixes the dimension, unless the option does."""
        self._call(self._target.clear)

    def dimension(self) -> int | None:
        """Return the dimension that is fixed, or `None`."""
        return self._call(self._target.dimension)

    def scan(self, batch_size: int = 1000) -> Iterator[VectorItem]:
        """Yield all items by id, reading `batch_size` at a time."""
        return self._iterate(self._target.scan, batch_size)
