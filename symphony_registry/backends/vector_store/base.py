"""The contract of a vector store."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import itemgetter
from typing import Any, ClassVar, Literal, NotRequired, TypeAlias, TypedDict, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field

from symphony_registry.backends.concurrency import Turns, delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.naming import naming
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.selection import Selection, check_deletion, check_page, check_selection
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import (
    JSONObject,
    check_bool,
    check_dict,
    check_id,
    check_items,
    check_limit,
    checked_object,
    collected,
)
from symphony_registry.backends.vector_store import fallback
from symphony_registry.backends.vector_store.checks import check_similarity, check_vector
from symphony_registry.errors import DimensionError

Metric = Literal["cosine", "dot", "euclidean"]
Vector: TypeAlias = "Sequence[float] | npt.NDArray[Any]"
Float32s: TypeAlias = "npt.NDArray[np.float32]"
Item: TypeAlias = "tuple[str, Vector, JSONObject | None]"
ITEM_PARTS = ("id", "vector", "metadata")


class VectorItem(TypedDict):
    """A stored vector, rounded to float32, with its metadata."""

    id: str
    vector: list[float]
    metadata: JSONObject


class FoundVector(TypedDict):
    """What `find` and `get_many` give; `vector` only with `include_vectors`."""

    id: str
    metadata: JSONObject
    vector: NotRequired[list[float]]


class SearchResult(TypedDict):
    """A vector found; `vector` only with `include_vectors`."""

    id: str
    similarity: float
    metadata: JSONObject
    vector: NotRequired[list[float]]


class VectorOptions(BackendOptions):
    """The options that every vector store has."""

    dimension: int | None = Field(default=None, ge=1, description="Length of every vector; default: of the first.")
    metric: Metric = Field(default="cosine", description="What similarity means.")


class VectorStoreBackend(StorageBackend):
    """Keeps vectors with metadata under ids, and finds the most similar ones.

    A vector is a 1-D sequence or array of finite numbers. The first one stored,
    or the option `dimension`, fixes the dimension until `clear`. A provider has
    to write `add`, `get`, `delete`, `search` and `count`; the rest stands on them.
    """

    backend_type: ClassVar[BackendType] = BackendType.VECTOR_STORE
    _operations = OPERATIONS[backend_type]

    @abstractmethod
    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:
        """Store a vector; replaces the vector and the metadata that `id` had.

        Raises `DimensionError` for another dimension, `InvalidValueError` or
        `InvalidTypeError` for what cannot be stored.
        """

    @abstractmethod
    async def get(self, id: str) -> VectorItem | None:
        """Return what is stored under `id`, or `None`."""

    @abstractmethod
    async def delete(self, id: str) -> bool:
        """Delete `id` and say whether it was there."""

    @abstractmethod
    async def search(
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        """Return the most similar vectors, the best first, equals by id.

        `similarity` is the cosine in [-1, 1], the dot product, or
        1 / (1 + Euclidean distance), by the option `metric`. Only what matches
        `metadata_filter` is considered, and given only what is similar enough.
        """

    @abstractmethod
    async def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many vectors are selected, as by `find`, or how many there are."""

    @property
    def metric(self) -> Metric:
        """What similarity means."""
        metric: Metric = self.config.get("metric", "cosine")
        return metric

    async def add_many(self, items: Iterable[Item]) -> None:
        """Store `(id, vector, metadata)` items, all or none; the last of equal ids wins.

        As defined here, others may see a part of the items while it runs.
        """
        self.ensure_open()
        given = collected(items)

        def check() -> list[tuple[str, Float32s, JSONObject]]:
            checked = check_items(given, ITEM_PARTS, _checked_item)
            for _, vector, _ in checked[1:]:
                if vector.size != checked[0][1].size:
                    raise DimensionError(checked[0][1].size, vector.size)
            return checked

        checked = await here_or_in_thread(check, len(given) * ITEM)

        await delaying_cancellation(fallback.add_many(self, checked))

    async def get_many(self, ids: Iterable[str], *, include_vectors: bool = True) -> list[FoundVector | None]:
        """Return what is stored under each id, `None` where nothing is, in the order asked."""
        check_bool(include_vectors, "include_vectors")
        turns = Turns()
        found: list[FoundVector | None] = []
        for id in [check_id(id) for id in collected(ids)]:
            await turns.give()
            item = cast("FoundVector | None", await self.get(id))
            if item is not None and not include_vectors:
                del item["vector"]
            found.append(item)
        return found

    async def find(
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
        """Return the selected items, by id or, with `reverse`, from the last id back.

        Selected is what begins with `prefix`, lies between `after` and `before`
        (exclusive) and matches the filter.
        """
        selection = check_selection(prefix, after, before, metadata_filter)
        page = check_page(limit, reverse)
        check_bool(include_vectors, "include_vectors")
        chosen = await fallback.selected(self, selection.ids, metadata_filter, include_vectors=include_vectors)
        chosen.sort(key=itemgetter("id"), reverse=reverse)
        return [fallback.without_similarity(result) for result in chosen[: page.limit]]

    async def update(self, id: str, metadata: JSONObject) -> bool:
        """Merge metadata, by their top-level keys, into those that are stored; say whether the id was there.

        As defined here, it reads the item and adds it again.
        """
        check_id(id)
        changes = checked_object(check_dict(metadata, "metadata"), "metadata")

        async def merge() -> bool:
            item = await self.get(id)
            if item is not None:
                await self.add(id, item["vector"], item["metadata"] | changes)
            return item is not None

        self.ensure_open()
        return await delaying_cancellation(merge())

    async def delete_many(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected as by `find`, whole or not at all; return how many were there.

        Raises `InvalidValueError` without either: that is what `clear` is for.
        """
        self.ensure_open()
        chosen = check_deletion(ids, prefix, after, before, metadata_filter)

        async def delete() -> int:
            if isinstance(chosen, Selection):
                found = await fallback.selected(self, chosen.ids, metadata_filter, include_vectors=False)
                return await fallback.delete_many(self, [result["id"] for result in found])
            return await fallback.delete_many(self, chosen)

        return await delaying_cancellation(delete())

    async def search_many(
        self,
        query_vectors: Iterable[Vector],
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[list[SearchResult]]:
        """Return the results of `search` for each query vector."""
        self.ensure_open()
        check_limit(limit)
        check_similarity(min_similarity)
        parse_filter(metadata_filter)
        turns = Turns()
        found: list[list[SearchResult]] = []
        for query in collected(query_vectors):
            await turns.give()
            found.append(
                await self.search(
                    query, limit, metadata_filter, min_similarity=min_similarity, include_vectors=include_vectors
                )
            )
        return found

    async def clear(self) -> None:
        """Delete everything; the next vector stored fixes the dimension, unless the option does.

        As defined here, the dimension stays.
        """
        await self.delete_many([item["id"] async for item in self.scan()])

    async def dimension(self) -> int | None:
        """Return the dimension that is fixed, or `None`.

        As defined here, it asks by a search that cannot fit, and an empty store
        does not tell.
        """
        if not await self.count():
            return None
        try:
            await self.search([1.0], 1)
        except DimensionError as error:
            return error.expected
        return 1

    async def scan(
        self,
        batch_size: int = 1000,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> AsyncIterator[VectorItem]:
        """Yield what is selected, as by `find`, or all items by id, reading `batch_size` at a time.

        What is written meanwhile may be seen or not. As defined here, it asks
        for everything by one search.
        """
        with naming(self):
            check_limit(batch_size, "batch_size")
            selection = check_selection(prefix, after, before, metadata_filter)
        found = await fallback.selected(self, selection.ids, metadata_filter, include_vectors=False)
        ids = sorted(result["id"] for result in found)
        for start in range(0, len(ids), batch_size):
            for item in await self.get_many(ids[start : start + batch_size]):
                if item is not None:
                    yield cast("VectorItem", item)


def _checked_item(id: Any, vector: Any, metadata: Any) -> tuple[str, Float32s, JSONObject]:
    return check_id(id), check_vector(vector, None, "dot"), checked_object(metadata, "metadata")
