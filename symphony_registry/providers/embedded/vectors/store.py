"""The embedded vector stores: `memory`, and `file` with a journal."""

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import ClassVar

import numpy as np
from typing_extensions import override

from symphony_registry.backends.cost import FLOATS, ITEM, LONG, NUMBERS, SEARCH, SMALL
from symphony_registry.backends.filters import ANYTHING, Condition
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.values import JSONObject, copied
from symphony_registry.backends.vector_store.base import Float32s, SearchResult, VectorItem, VectorOptions
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.errors import DimensionError
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.log import ON_DISK, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Decision, Log, Replica
from symphony_registry.providers.embedded.vectors.codec import VectorCodec, VectorSnapshot
from symphony_registry.providers.embedded.vectors.columns import Mask
from symphony_registry.providers.embedded.vectors.index import VectorIndex

# Work here after which the event loop has a turn.
_TURN = LONG / 5
# Queries that are answered together, and scores that they may have.
_TOGETHER, _SCORES = 64, 2**23
# Numbers of a row that is scored exactly, in a step of the costs.
_CLOSELY = 40


class FileVectorOptions(FileOptions, VectorOptions):
    """The options of the file provider."""


class EmbeddedVectorStore(VectorStoreEngine):
    """A vector store over an index in this process."""

    def _configure(self) -> None:
        super()._configure()
        self._data = self._hold(Replica(self, self._empty, self._log()))
        self._steps: float = 0  # of searching since the event loop had its turn

    def _empty(self) -> VectorIndex:
        return VectorIndex(self._options.dimension, self._options.metric)

    def _log(self) -> Log[VectorIndex] | None:
        """Return where changes are kept."""
        return None

    @property
    @override
    def _known_dimension(self) -> int | None:
        return self._data.state.dimension

    @override
    async def _put(self, parts: Parts[Block]) -> None:
        ids, vectors, metadata = await parts.whole()
        size = vectors.shape[1]

        def decide() -> "Decision[None]":
            dimension = self._data.state.dimension
            if dimension not in (None, size):  # fixed while the write waited
                raise DimensionError(dimension, size, f"vector of {ids[0]!r}")
            return [{"op": "put", "ids": ids, "vectors": vectors, "metadata": metadata}], None

        def touches() -> list[str] | None:
            return None if self._data.state.dimension is None else ids  # the first vector fixes the dimension for all

        await self._data.write(decide, parts.cost, touches)

    @override
    async def _get(self, ids: list[str]) -> list[VectorItem | None]:
        cost = len(ids) * (SMALL + (self._data.state.dimension or 0) / FLOATS)
        return await self._data.read(lambda: self._items(ids), cost)

    def _items(self, ids: list[str]) -> list[VectorItem | None]:
        state = self._data.state
        vectors = iter(state.vectors(id for id in ids if id in state.rows))
        return [
            {"id": id, "vector": next(vectors), "metadata": self._document(id)} if id in state.rows else None
            for id in ids
        ]

    def _document(self, id: str) -> JSONObject:
        state = self._data.state
        document: JSONObject = copied(state.metadata(state.rows[id]))
        return document

    @override
    async def _delete(self, ids: list[str]) -> int:
        def decide() -> "Decision[int]":
            there = [id for id in ids if id in self._data.state.rows]
            return [{"op": "delete", "id": id} for id in there], len(there)

        return await self._data.write(decide, len(ids) * ITEM, lambda: ids)

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))

    @override
    async def _search(
        self, queries: list[Float32s], limit: int, condition: Condition, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        together = min(_TOGETHER, max(1, _SCORES // max(1, len(self._data.state))))
        if len(queries) <= together:
            return await self._search_together(queries, limit, condition, include_vectors=include_vectors)
        found: list[list[SearchResult]] = []
        for start in range(0, len(queries), together):
            part = queries[start : start + together]
            found += await self._search_together(part, limit, condition, include_vectors=include_vectors)
            self._data.ensure_open()
        return found

    async def _search_together(
        self, queries: list[Float32s], limit: int, condition: Condition, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        state = self._data.state
        everything = condition is ANYTHING
        cost: float = 0 if everything else state.mask_cost(condition)
        if cost <= LONG and not self._data.gate.changing:
            mask = None if everything else state.mask(condition)
            count = len(state) if mask is None else int(np.count_nonzero(mask))
            found = min(limit, count) * (state.dimension or 0)
            cost += len(queries) * (SEARCH + found / FLOATS) + state.numbers(count, len(queries)) / NUMBERS
            most = LONG / (SMALL + (state.dimension or 0) / _CLOSELY)
            results = None
            if cost <= LONG:
                results = self._found(queries, limit, mask, most, include_vectors=include_vectors)
            if results is not None:
                self._steps += cost
                if self._steps > _TURN:  # somebody may search without pause
                    self._steps = 0
                    await asyncio.sleep(0)
                return results

        def work() -> list[list[SearchResult]]:
            mask = None if everything else self._data.state.mask(condition)
            found = self._found(queries, limit, mask, math.inf, include_vectors=include_vectors)
            assert found is not None
            return found

        return await self._data.read_on_thread(work)

    def _found(
        self, queries: list[Float32s], limit: int, mask: Mask | None, most: float, *, include_vectors: bool
    ) -> list[list[SearchResult]] | None:
        """Return what is found; `None` where more than `most` rows would have to be looked at closely."""
        state = self._data.state
        if not len(state):
            return [[] for _ in queries]
        for query in queries:
            if query.size != state.dimension:  # fixed while the read waited
                raise DimensionError(state.dimension or 0, query.size, "query vector")
        chosen = state.search_many(queries, limit, mask, most)
        if chosen is None:
            return None
        found: list[list[SearchResult]] = []
        for best in chosen:
            results: list[SearchResult] = [
                {"id": id, "similarity": similarity, "metadata": self._document(id)} for similarity, id in best
            ]
            if include_vectors:
                for result, vector in zip(results, state.vectors(id for _, id in best), strict=True):
                    result["vector"] = vector
            found.append(results)
        return found

    @override
    async def _count(self, condition: Condition) -> int:
        if condition is ANYTHING:
            return await self._data.read(lambda: len(self._data.state))
        cost = self._data.state.mask_cost(condition)
        return await self._data.read(lambda: int(np.count_nonzero(self._data.state.mask(condition))), cost)

    @override
    async def _dimension(self) -> int | None:
        return await self._data.read(lambda: self._data.state.dimension)

    @override
    async def _batches(self, size: int) -> AsyncGenerator[list[VectorItem], None]:
        ids = await self._data.read(lambda: sorted(self._data.state.rows), len(self._data.state))
        for start in range(0, len(ids), size):
            yield [item for item in await self._get(ids[start : start + size]) if item is not None]


class InMemoryVectorStore(EmbeddedVectorStore):
    """A vector store in memory; `disconnect` forgets everything."""

    guarantees = IN_MEMORY


class FileVectorStore(DirectoryBackend, EmbeddedVectorStore):
    """A vector store that survives restarts: each change is in a journal before it is seen."""

    Options: ClassVar[type[BackendOptions]] = FileVectorOptions
    guarantees = ON_DISK
    _options: FileVectorOptions

    @override
    def _log(self) -> Log[VectorIndex]:
        self.guarantees = promises(self._options)
        return file_log(self.backend_type, self._options, self._empty, VectorCodec(), VectorSnapshot(self._options))
