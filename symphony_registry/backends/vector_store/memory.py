"""Vectors in memory: exact search by numpy, no persistence."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from symphony_registry.backends.concurrency import ITEM_STEPS, computed
from symphony_registry.backends.embedded import Change, EmbeddedBackend
from symphony_registry.backends.filters import comparisons, parse_filter
from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import (
    JSONObject,
    check_id,
    check_items,
    check_limit,
    checked_object,
    collected,
    copied,
)
from symphony_registry.backends.vector_store.base import (
    ITEM_PARTS,
    Float32s,
    Item,
    SearchResult,
    Vector,
    VectorItem,
    VectorOptions,
    VectorStoreBackend,
    check_vector,
)
from symphony_registry.backends.vector_store.index import VectorIndex
from symphony_registry.errors import DimensionError

# What work costs, in the steps of `LONG`.
_FILTER_STEPS = 10
_NUMBERS_A_STEP = 100


class InMemoryVectorStore(EmbeddedBackend[VectorIndex], VectorStoreBackend):
    """A vector store in memory; `disconnect` forgets everything."""

    _options: VectorOptions

    class Provider:
        """Makes in-memory vector stores."""

        Options: ClassVar[type[BackendOptions]] = VectorOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new store."""
            return InMemoryVectorStore(config)

    def _configure(self) -> None:
        self._options = read_options(VectorOptions, self.config, type(self).__name__)

    def _empty_state(self) -> VectorIndex:
        return VectorIndex(self._options.dimension, self._options.metric)

    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:  # noqa: D102
        self.ensure_open()
        await self._put([self._checked(id, vector, metadata)])

    async def add_many(self, items: Iterable[Item]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        cost = len(given) * ITEM_STEPS
        changes = await computed(lambda: check_items(given, ITEM_PARTS, self._checked), cost)
        await self._put(changes, cost)

    def _checked(self, id: str, vector: Vector, metadata: JSONObject | None) -> Change:
        return {
            "op": "put",
            "id": check_id(id),
            "vector": check_vector(vector, self._state.dimension, self._options.metric),
            "metadata": checked_object(metadata, "metadata"),
        }

    async def _put(self, changes: Sequence[Change], cost: float = 0) -> None:
        def decide() -> tuple[Sequence[Change], None]:
            dimension = self._state.dimension
            for change in changes:
                dimension = dimension or change["vector"].size
                if change["vector"].size != dimension:
                    raise DimensionError(dimension, change["vector"].size, f"vector of {change['id']!r}")
            return changes, None

        def touches() -> list[str] | None:
            return None if self._state.dimension is None else [change["id"] for change in changes]

        cost += self._state.growth(len(changes)) / _NUMBERS_A_STEP
        await self._write(decide, cost, touches)  # the first vector fixes the dimension for all

    async def get(self, id: str) -> VectorItem | None:  # noqa: D102
        self.ensure_open()
        check_id(id)
        return await self._read(lambda: self._item(id))

    def _item(self, id: str) -> VectorItem | None:
        row = self._state.rows.get(id)
        if row is None:
            return None
        return {"id": id, "vector": self._state.vector(row), "metadata": copied(self._state.metadata(row))}

    async def get_many(self, ids: Iterable[str]) -> list[VectorItem | None]:  # noqa: D102
        self.ensure_open()
        checked = [check_id(id) for id in collected(ids)]
        cost = len(checked) * (self._state.dimension or 0) / 4
        return await self._read(lambda: [self._item(id) for id in checked], cost)

    async def delete(self, id: str) -> bool:  # noqa: D102
        return bool(await self.delete_many([id]))

    async def delete_many(self, ids: Iterable[str]) -> int:  # noqa: D102
        self.ensure_open()
        checked = dict.fromkeys(check_id(id) for id in collected(ids))

        def decide() -> tuple[Sequence[Change], int]:
            changes: list[Change] = [{"op": "delete", "id": id} for id in checked if id in self._state.rows]
            return changes, len(changes)

        return await self._write(decide, len(checked) * ITEM_STEPS, lambda: checked)

    async def clear(self) -> None:  # noqa: D102
        self.ensure_open()
        await self._write(lambda: ([{"op": "clear"}], None))

    async def search(  # noqa: D102
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        self.ensure_open()
        check_limit(limit)
        query: Float32s = check_vector(query_vector, self._state.dimension, self._options.metric, "query vector")
        parsed = parse_filter(metadata_filter)
        condition = parsed if metadata_filter else None

        def work() -> list[SearchResult]:
            if not len(self._state):
                return []
            if query.size != self._state.dimension:  # fixed while the read waited
                raise DimensionError(self._state.dimension or 0, query.size, "query vector")
            rows = None if condition is None else self._state.matching(condition)
            best = self._state.search(query, limit, rows)
            return [self._result(id, similarity, include_vectors=include_vectors) for similarity, id in best]

        filtering = _FILTER_STEPS * comparisons(condition) if condition else 0
        cost = len(self._state) * (query.size / _NUMBERS_A_STEP + filtering)
        return await self._read(work, cost + min(limit, len(self._state)) * query.size)

    def _result(self, id: str, similarity: float, *, include_vectors: bool) -> SearchResult:
        row = self._state.rows[id]
        result: SearchResult = {"id": id, "similarity": similarity, "metadata": copied(self._state.metadata(row))}
        if include_vectors:
            result["vector"] = self._state.vector(row)
        return result

    async def count(self, metadata_filter: JSONObject | None = None) -> int:  # noqa: D102
        self.ensure_open()
        condition = parse_filter(metadata_filter)
        if not metadata_filter:
            return await self._read(lambda: len(self._state))
        cost = len(self._state) * _FILTER_STEPS * comparisons(condition)
        return await self._read(lambda: len(self._state.matching(condition)), cost)

    async def dimension(self) -> int | None:  # noqa: D102
        self.ensure_open()
        return await self._read(lambda: self._state.dimension)

    async def scan(self, batch_size: int = 1000) -> AsyncIterator[VectorItem]:  # noqa: D102
        self.ensure_open()
        check_limit(batch_size, "batch_size")
        ids = await self._read(lambda: sorted(self._state.rows), len(self._state))
        for start in range(0, len(ids), batch_size):
            await asyncio.sleep(0)  # a short read does not give the event loop a turn
            for item in await self.get_many(ids[start : start + batch_size]):
                if item is not None:
                    yield item
