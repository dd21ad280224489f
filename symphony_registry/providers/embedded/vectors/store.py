"""The embedded vector stores: `memory`, and `file` with a journal."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import ClassVar, TypeAlias

from typing_extensions import override

from symphony_registry.backends.concurrency import in_parts
from symphony_registry.backends.cost import FLOATS, ITEM, LONG, NUMBERS, SEARCH, SMALL
from symphony_registry.backends.filters import ANYTHING, Condition
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Float32s, FoundVector, SearchResult
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.backends.vector_store.scoring import Rows
from symphony_registry.errors import DimensionError
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.log import ON_DISK, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Decision, Log, Replica, deletion
from symphony_registry.providers.embedded.vectors import finding
from symphony_registry.providers.embedded.vectors.codec import VectorCodec, VectorSnapshot, merged
from symphony_registry.providers.embedded.vectors.following import IndexedReplica
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.neighbours import ensure_installed

_Results: TypeAlias = Callable[[list[tuple[float, str]]], list[SearchResult]]  # of the best, with their similarities

# Work here after which the event loop has a turn.
_TURN = LONG / 5
# Queries that are answered together, and scores that they may have.
_TOGETHER, _SCORES = 64, 2**23
# Numbers of a row that is scored exactly, in a step of the costs.
_CLOSELY = 40


class FileVectorOptions(FileOptions, HNSWOptions):
    """The options of the file provider."""


class EmbeddedVectorStore(VectorStoreEngine):
    """A vector store over an index in this process."""

    Options: ClassVar[type[BackendOptions]] = HNSWOptions

    def _configure(self) -> None:
        super()._configure()
        replica: type[Replica[VectorIndex]] = Replica
        log = self._log()
        if self._options.index == "hnsw":
            ensure_installed()
            replica = IndexedReplica
            self.guarantees = replace(self.guarantees, exact_search=False)
        self._data = self._hold(replica(self, self._empty, log, merged))
        self._steps: float = 0  # of searching since the event loop had its turn

    def _empty(self) -> VectorIndex:
        return VectorIndex(self._options)

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
    async def _get(self, ids: list[str], *, include_vectors: bool) -> list[FoundVector | None]:
        def get(id: str) -> FoundVector | None:
            return self._item(id, include_vectors=include_vectors) if id in self._data.state.rows else None

        cost = len(ids) * self._item_cost(include_vectors=include_vectors)
        return await self._data.read(lambda: in_parts(get, ids), cost)

    def _item(self, id: str, *, include_vectors: bool) -> FoundVector:
        state = self._data.state
        if include_vectors:
            return {"id": id, "vector": state.vector(id), "metadata": state.document(id)}
        return {"id": id, "metadata": state.document(id)}

    def _item_cost(self, *, include_vectors: bool) -> float:
        return SMALL + (self._data.state.dimension or 0) / FLOATS if include_vectors else SMALL

    @override
    async def _find(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[FoundVector]:
        def find() -> list[FoundVector]:
            ids = finding.find(self._data.state, selection, page)
            return in_parts(partial(self._item, include_vectors=include_vectors), ids)

        each = self._item_cost(include_vectors=include_vectors)
        return await self._data.read(find, self._cost(selection, page, each))

    def _cost(self, selection: Selection, page: Page, each: float) -> float:
        """Return about what finding costs; infinity while the index is being changed, and cannot be asked."""
        return math.inf if self._data.gate.changing else finding.cost(self._data.state, selection, page, each)

    @override
    async def _update(self, id: str, changes: JSONObject) -> bool:
        def decide() -> "Decision[bool]":
            if id not in self._data.state.rows:
                return [], False
            return [{"op": "update", "id": id, "metadata": changes}], True

        return await self._data.write(decide, touches=lambda: [id])

    @override
    async def _delete(self, chosen: list[str] | Selection) -> int:
        def decide() -> "Decision[int]":
            state = self._data.state
            if isinstance(chosen, Selection):
                ids = finding.find(state, chosen, Page())
            else:
                ids = [id for id in chosen if id in state.rows]
            return deletion(ids)

        if isinstance(chosen, Selection):
            return await self._data.write(decide, self._cost(chosen, Page(), ITEM))
        return await self._data.write(decide, len(chosen) * ITEM, lambda: chosen)

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))

    @override
    async def _search(
        self,
        queries: list[Float32s],
        limit: int,
        condition: Condition,
        *,
        min_similarity: float,
        include_vectors: bool,
    ) -> list[list[SearchResult]]:
        def results(best: list[tuple[float, str]]) -> list[SearchResult]:
            enough = takewhile(lambda scored: scored[0] >= min_similarity, best)
            return [self._result(similarity, id, include_vectors=include_vectors) for similarity, id in enough]

        together = min(_TOGETHER, max(1, _SCORES // max(1, len(self._data.state))))
        if len(queries) <= together:
            return await self._search_together(queries, limit, condition, results)
        found: list[list[SearchResult]] = []
        for start in range(0, len(queries), together):
            found += await self._search_together(queries[start : start + together], limit, condition, results)
            self._data.ensure_open()
        return found

    def _result(self, similarity: float, id: str, *, include_vectors: bool) -> SearchResult:
        result: SearchResult = {"id": id, "similarity": similarity, "metadata": self._data.state.document(id)}
        if include_vectors:
            result["vector"] = self._data.state.vector(id)
        return result

    async def _search_together(
        self, queries: list[Float32s], limit: int, condition: Condition, results: _Results
    ) -> list[list[SearchResult]]:
        state = self._data.state
        everything = condition is ANYTHING
        cost: float = 0 if everything else state.matching_cost(condition)
        if cost <= LONG and not self._data.gate.changing:
            rows = None if everything else state.matching(condition)
            count = len(state) if rows is None else len(rows)
            numbers = min(limit, count) * (state.dimension or 0)
            cost += len(queries) * (SEARCH + numbers / FLOATS) + state.numbers(count, len(queries), limit) / NUMBERS
            most = LONG / (SMALL + (state.dimension or 0) / _CLOSELY)
            found = self._found(queries, limit, rows, most, results) if cost <= LONG else None
            if found is not None:
                self._steps += cost
                if self._steps > _TURN:  # somebody may search without pause
                    self._steps = 0
                    await asyncio.sleep(0)
                return found

        def work() -> list[list[SearchResult]]:
            rows = None if everything else self._data.state.matching(condition)
            found = self._found(queries, limit, rows, math.inf, results)
            assert found is not None
            return found

        return await self._data.read_on_thread(work)

    def _found(
        self, queries: list[Float32s], limit: int, rows: Rows | None, most: float, results: _Results
    ) -> list[list[SearchResult]] | None:
        """Return what is found; `None` where more than `most` rows would have to be looked at closely."""
        state = self._data.state
        if not len(state):
            return [[] for _ in queries]
        for query in queries:
            if query.size != state.dimension:  # fixed while the read waited
                raise DimensionError(state.dimension or 0, query.size, "query vector")
        chosen = state.search_many(queries, limit, rows, most)
        return None if chosen is None else [results(best) for best in chosen]

    @override
    async def _count(self, selection: Selection) -> int:
        return await self._data.read(
            lambda: finding.count(self._data.state, selection), self._cost(selection, Page(), 0)
        )

    @override
    async def _dimension(self) -> int | None:
        return await self._data.read(lambda: self._data.state.dimension)


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
        snapshot = VectorSnapshot(self._options)
        return file_log(self.backend_type, self._options, self._empty, VectorCodec(), snapshot)
