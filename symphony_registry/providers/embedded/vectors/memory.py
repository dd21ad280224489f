"""Vectors in memory: exact search by numpy, no persistence."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from symphony_registry.backends.concurrency import ITEM_STEPS, LONG, computed
from symphony_registry.backends.filters import Condition, parse_filter
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
from symphony_registry.backends.vector_store.block import checked_rows
from symphony_registry.errors import DimensionError
from symphony_registry.providers.embedded.backend import Change, EmbeddedBackend
from symphony_registry.providers.embedded.vectors.columns import Mask
from symphony_registry.providers.embedded.vectors.index import VectorIndex

# What work costs, in the steps of `LONG`.
_SEARCH_STEPS = 1000
_NUMBERS_A_STEP = 300
_RESULTS_A_STEP = 8
# Work here after which the event loop has a turn.
_TURN_STEPS = LONG / 5
# Queries that are answered together, and scores that they may have.
_TOGETHER, _SCORES = 64, 2**23


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

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._steps: float = 0  # of searching since the event loop had its turn

    def _configure(self) -> None:
        self._options = read_options(VectorOptions, self.config, type(self).__name__)

    def _empty_state(self) -> VectorIndex:
        return VectorIndex(self._options.dimension, self._options.metric)

    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:  # noqa: D102
        self.ensure_open()
        id, checked, document = self._checked(id, vector, metadata)
        await self._put([id], checked[np.newaxis], [document], [checked.size])

    async def add_many(self, items: Iterable[Item]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        if not given:
            return
        cost = len(given) * ITEM_STEPS
        dimension, metric = self._state.dimension, self._options.metric
        block = await computed(lambda: checked_rows(given, dimension, metric), cost)
        if block is not None:
            await self._put(*block, [block[1].shape[1]], cost)
            return
        checked = await computed(lambda: check_items(given, ITEM_PARTS, self._checked), cost)
        ids, vectors, documents = map(list, zip(*checked, strict=True))
        sizes = [vector.size for vector in vectors]
        alike = len(set(sizes)) == 1  # if not, they are refused
        await self._put(ids, np.array(vectors if alike else [], np.float32), documents, sizes, cost)

    def _checked(self, id: str, vector: Vector, metadata: JSONObject | None) -> tuple[str, Float32s, JSONObject]:
        return (
            check_id(id),
            check_vector(vector, self._state.dimension, self._options.metric),
            checked_object(metadata, "metadata"),
        )

    async def _put(
        self, ids: list[str], vectors: Float32s, metadata: list[JSONObject], sizes: list[int], cost: float = 0
    ) -> None:
        """Put a block; `sizes` has the dimension of its vectors, or of each where they differ."""

        def decide() -> tuple[Sequence[Change], None]:
            dimension = self._state.dimension or sizes[0]
            for id, size in zip(ids, sizes, strict=False):
                if size != dimension:
                    raise DimensionError(dimension, size, f"vector of {id!r}")
            return [{"op": "put", "ids": ids, "vectors": vectors, "metadata": metadata}], None

        def touches() -> list[str] | None:
            return None if self._state.dimension is None else ids  # the first vector fixes the dimension for all

        await self._write(decide, cost, touches)

    def _growing_cost(self, changes: Sequence[Change]) -> float:
        more = 0
        for change in changes:
            more += len(change["ids"]) if change["op"] == "put" else 0
        return self._state.growth(more) / _NUMBERS_A_STEP

    async def get(self, id: str) -> VectorItem | None:  # noqa: D102
        self.ensure_open()
        check_id(id)
        return await self._read(lambda: self._items([id])[0])

    def _items(self, ids: list[str]) -> list[VectorItem | None]:
        there = [id for id in ids if id in self._state.rows]
        vectors = iter(self._state.vectors(there))
        return [
            {"id": id, "vector": next(vectors), "metadata": self._document(id)} if id in self._state.rows else None
            for id in ids
        ]

    def _document(self, id: str) -> JSONObject:
        document: JSONObject = copied(self._state.metadata(self._state.rows[id]))
        return document

    async def get_many(self, ids: Iterable[str]) -> list[VectorItem | None]:  # noqa: D102
        self.ensure_open()
        checked = [check_id(id) for id in collected(ids)]
        cost = len(checked) * (self._state.dimension or 0) / _RESULTS_A_STEP
        return await self._read(lambda: self._items(checked), cost)

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
        (found,) = await self.search_many([query_vector], limit, metadata_filter, include_vectors=include_vectors)
        return found

    async def search_many(  # noqa: D102
        self,
        query_vectors: Iterable[Vector],
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        include_vectors: bool = True,
    ) -> list[list[SearchResult]]:
        self.ensure_open()
        given = collected(query_vectors)
        check_limit(limit)
        dimension, metric = self._state.dimension, self._options.metric
        queries = await computed(
            lambda: [check_vector(query, dimension, metric, "query vector") for query in given],
            len(given) * ITEM_STEPS,
        )
        parsed = parse_filter(metadata_filter)
        condition = parsed if metadata_filter else None
        together = min(_TOGETHER, max(1, _SCORES // max(1, len(self._state))))
        found: list[list[SearchResult]] = []
        for start in range(0, len(queries), together):
            part = queries[start : start + together]
            found += await self._search(part, limit, condition, include_vectors=include_vectors)
        return found

    async def _search(
        self, queries: list[Float32s], limit: int, condition: Condition | None, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        self.ensure_open()
        state = self._state
        mask: Mask | None = None
        cost: float = 0 if condition is None else state.mask_cost(condition)
        if cost <= LONG and not self._gate.changing:
            mask = None if condition is None else state.mask(condition)
            count = len(state) if mask is None else int(np.count_nonzero(mask))
            found = min(limit, count) * (state.dimension or 0)
            cost += len(queries) * (_SEARCH_STEPS + state.numbers(count) / _NUMBERS_A_STEP + found / _RESULTS_A_STEP)
            if cost <= LONG:
                results = self._found(queries, limit, mask, include_vectors=include_vectors)
                self._steps += cost
                if self._steps > _TURN_STEPS:  # somebody may search without pause
                    self._steps = 0
                    await asyncio.sleep(0)
                return results

        def work() -> list[list[SearchResult]]:
            mask = None if condition is None else self._state.mask(condition)
            return self._found(queries, limit, mask, include_vectors=include_vectors)

        return await self._gate.read(work)

    def _found(
        self, queries: list[Float32s], limit: int, mask: Mask | None, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        if not len(self._state):
            return [[] for _ in queries]
        for query in queries:
            if query.size != self._state.dimension:  # fixed while the read waited
                raise DimensionError(self._state.dimension or 0, query.size, "query vector")
        found: list[list[SearchResult]] = []
        for best in self._state.search_many(queries, limit, mask):
            results: list[SearchResult] = [
                {"id": id, "similarity": similarity, "metadata": self._document(id)} for similarity, id in best
            ]
            if include_vectors:
                for result, vector in zip(results, self._state.vectors(id for _, id in best), strict=True):
                    result["vector"] = vector
            found.append(results)
        return found

    async def count(self, metadata_filter: JSONObject | None = None) -> int:  # noqa: D102
        self.ensure_open()
        condition = parse_filter(metadata_filter)
        if not metadata_filter:
            return await self._read(lambda: len(self._state))
        cost = self._state.mask_cost(condition)
        return await self._read(lambda: int(np.count_nonzero(self._state.mask(condition))), cost)

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
