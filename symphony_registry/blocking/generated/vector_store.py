"""Generated from `VectorStoreBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator

from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import (
    FoundVector,
    Item,
    Metric,
    SearchResult,
    Vector,
    VectorItem,
    VectorStoreBackend,
)
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
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        """Return the most similar vectors, the best first, equals by id."""
        return self._call(
            self._target.search,
            query_vector,
            limit,
            metadata_filter,
            min_similarity=min_similarity,
            include_vectors=include_vectors,
        )

    def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many vectors are selected, as by `find`, or how many there are."""
        return self._call(self._target.count, metadata_filter, prefix=prefix, after=after, before=before)

    @property
    def metric(self) -> Metric:
        """What similarity means."""
        return self._target.metric

    def add_many(self, items: Iterable[Item]) -> None:
        """Store `(id, vector, metadata)` items, all or none; the last of equal ids wins."""
        self._call(self._target.add_many, self._collected(items))

    def get_many(self, ids: Iterable[str], *, include_vectors: bool = True) -> list[FoundVector | None]:
        """Return what is stored under each id, `None` where nothing is, in the order asked."""
        return self._call(self._target.get_many, self._collected(ids), include_vectors=include_vectors)

    def find(
        self,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        reverse: bool = False,
        include_vectors: bool = True,
    ) -> list[FoundVector]:
        """Return the selected items, by id or, with `reverse`, from the last id back."""
        return self._call(
            self._target.find,
            prefix=prefix,
            after=after,
            before=before,
            metadata_filter=metadata_filter,
            limit=limit,
            reverse=reverse,
            include_vectors=include_vectors,
        )

    def update(self, id: str, metadata: JSONObject) -> bool:
        """Merge metadata, by their top-level keys, into those that are stored; say whether the id was there."""
        return self._call(self._target.update, id, metadata)

    def delete_many(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected as by `find`, whole or not at all; return how many were there."""
        return self._call(
            self._target.delete_many,
            self._collected(ids),
            prefix=prefix,
            after=after,
            before=before,
            metadata_filter=metadata_filter,
        )

    def search_many(
        self,
        query_vectors: Iterable[Vector],
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[list[SearchResult]]:
        """Return the results of `search` for each query vector."""
        return self._call(
            self._target.search_many,
            self._collected(query_vectors),
            limit,
            metadata_filter,
            min_similarity=min_similarity,
            include_vectors=include_vectors,
        )

    def clear(self) -> None:
        """Delete everything; the next vector stored fixes the dimension, unless the option does."""
        self._call(self._target.clear)

    def dimension(self) -> int | None:
        """Return the dimension that is fixed, or `None`."""
        return self._call(self._target.dimension)

    def scan(
        self,
        batch_size: int = 1000,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> Iterator[VectorItem]:
        """Yield what is selected, as by `find`, or all items by id, reading `batch_size` at a time."""
        return self._iterate(
            self._target.scan, batch_size, prefix=prefix, after=after, before=before, metadata_filter=metadata_filter
        )
