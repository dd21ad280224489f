"""Approximate search in memory, at equal recall."""

import time
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from benchmarks.data import Corpus, Float32s, enlarged, mixture, real
from benchmarks.harness import (
    MEGABYTES,
    OURS,
    Call,
    Plan,
    Result,
    Unit,
    at_most_times,
    installed,
    library,
    race,
    resident,
)
from benchmarks.vectors import SAME, WARM, fill
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.providers.embedded.vectors import approximate as ours

_TOP = 10
_QUERIES = 200
_M, _EF_CONSTRUCTION = 16, 64
_EF_SEARCH = (20, 40, 80, 160, 320, 640)
_RECALL = 0.95
RECALL = Unit(lambda share: f"{share:.3f}")


class _Contestant(ABC):
    """A graph of a corpus, which gives ids with similarities and metadata."""

    def __init__(self, directory: Path, corpus: Corpus) -> None:
        self._path, self._corpus = directory, corpus

    @abstractmethod
    async def make(self) -> None: ...

    @abstractmethod
    def use(self, ef_search: int) -> None: ...

    @abstractmethod
    async def search(self, turn: int) -> list[Any]: ...

    @abstractmethod
    async def replace(self, rows: slice, vectors: Float32s) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def open(self) -> None: ...


class _Ours(_Contestant):
    @override
    async def make(self) -> None:
        options = {"path": self._path / "ours", "index": "hnsw", "m": _M, "ef_construction": _EF_CONSTRUCTION}
        self._store = FileVectorStore({**options, "durability": "os"})
        await self._store.connect()
        await fill(self._store, self._corpus)
        await self._store._data.at_rest()

    @override
    def use(self, ef_search: int) -> None:
        self._store._data.state.approximate._graph._graph.expansion_search = ef_search

    @override
    async def search(self, turn: int) -> list[Any]:
        return await self._store.search(self._corpus.query(turn), _TOP, include_vectors=False)

    @override
    async def replace(self, rows: slice, vectors: Float32s) -> None:
        await self._store.add_many(zip(self._corpus.ids[rows], vectors[rows], self._corpus.metadata(rows), strict=True))
        await self._store._data.at_rest()

    @override
    async def close(self) -> None:
        await self._store.disconnect()

    @override
    async def open(self) -> None:
        await self._store.connect()
        await self._store._data.at_rest()


class _Library(_Contestant):
    """What gives row numbers, and distances of rounded vectors."""

    module: ClassVar[str]

    def __init__(self, directory: Path, corpus: Corpus) -> None:
        super().__init__(directory, corpus)
        self._library = library(self.module)
        self._index: Any = None
        self._vectors = corpus.vectors

    @abstractmethod
    async def rows(self, turn: int) -> npt.NDArray[np.integer[Any]]: ...

    @override
    async def search(self, turn: int) -> list[Any]:
        rows, query = await self.rows(turn), self._corpus.query(turn)
        similarities = self._vectors[rows].astype(np.float64) @ query.astype(np.float64)
        found = sorted(zip(similarities.tolist(), rows.tolist(), strict=True), reverse=True)
        return [
            {"id": self._corpus.ids[row], "similarity": similarity, "metadata": dict(self._metadata[row])}
            for similarity, row in found
        ]

    @override
    async def make(self) -> None:
        self._metadata = self._corpus.metadata(slice(None))

    @override
    async def replace(self, rows: slice, vectors: Float32s) -> None:
        self._vectors = vectors


class _Usearch(_Library):
    module = "usearch.index"

    def _new(self) -> Any:
        return self._library.Index(
            ndim=self._corpus.vectors.shape[1],
            metric="ip",
            dtype="bf16",
            connectivity=_M,
            expansion_add=_EF_CONSTRUCTION,
        )

    @override
    async def make(self) -> None:
        await super().make()
        self._index = self._new()
        self._index.add(np.arange(len(self._corpus.vectors)), self._corpus.vectors, threads=1)

    @override
    def use(self, ef_search: int) -> None:
        self._index.expansion_search = ef_search

    @override
    async def rows(self, turn: int) -> npt.NDArray[np.integer[Any]]:
        keys: npt.NDArray[np.uint64] = self._index.search(self._corpus.query(turn), _TOP, threads=1).keys
        return keys

    @override
    async def replace(self, rows: slice, vectors: Float32s) -> None:
        await super().replace(rows, vectors)
        keys = np.arange(rows.start, rows.stop)
        self._index.remove(keys)
        self._index.add(keys, vectors[rows], threads=1)

    @override
    async def close(self) -> None:
        self._index.save(str(self._path / "usearch"))

    @override
    async def open(self) -> None:
        self._index = self._new()
        self._index.load(str(self._path / "usearch"))


class _Hnswlib(_Library):
    module = "hnswlib"

    def _new(self) -> Any:
        return self._library.Index(space="ip", dim=self._corpus.vectors.shape[1])

    @override
    async def make(self) -> None:
        await super().make()
        self._index = self._new()
        self._index.init_index(len(self._corpus.vectors), M=_M, ef_construction=_EF_CONSTRUCTION)
        self._index.add_items(self._corpus.vectors, num_threads=1)

    @override
    def use(self, ef_search: int) -> None:
        self._index.set_ef(ef_search)

    @override
    async def rows(self, turn: int) -> npt.NDArray[np.integer[Any]]:
        labels, _ = self._index.knn_query(self._corpus.query(turn)[np.newaxis], _TOP, num_threads=1)
        found: npt.NDArray[np.uint64] = labels[0]
        return found

    @override
    async def replace(self, rows: slice, vectors: Float32s) -> None:
        await super().replace(rows, vectors)
        self._index.add_items(vectors[rows], np.arange(rows.start, rows.stop), num_threads=1)

    @override
    async def close(self) -> None:
        self._index.save_index(str(self._path / "hnswlib"))

    @override
    async def open(self) -> None:
        self._index = self._new()
        self._index.load_index(str(self._path / "hnswlib"))


_KINDS: dict[str, type[_Contestant]] = {OURS: _Ours, "usearch": _Usearch, "hnswlib": _Hnswlib}


async def approximate(plan: Plan) -> list[Result]:
    """Approximate search in memory.

    The ten nearest by an HNSW graph (`m` 16, `ef_construction` 64), each contestant with the smallest `ef_search` of
    20, 40, 80 ... that finds 95 % of them. The libraries give row numbers, "with the same results" what ours gives:
    ids, metadata, and the similarities as float64. Made and opened on one core; then 30 % of the vectors are replaced.
    Ours is opened when its index is loaded; it answers before that.
    """
    size = plan.vectors
    corpus = enlarged(real(plan.data), size) if plan.data else mixture(size)
    return await _raced(plan, "real" if plan.data else "mixture", corpus)


async def approximate_large(plan: Plan) -> list[Result]:
    """Approximate search in memory, of many short vectors.

    As above. Making the indexes takes a quarter of an hour.
    """
    return await _raced(plan, "mixture", mixture(plan.sizes[-1], 128))


async def _raced(plan: Plan, kind: str, whole: Corpus) -> list[Result]:
    name = f"{kind}, {len(whole.vectors):,} x {whole.vectors.shape[1]}"
    with patch.object(ours, "_FEWEST", 1):  # in a quick run, too
        return await _measured(plan, name, whole)


async def _measured(plan: Plan, name: str, whole: Corpus) -> list[Result]:
    corpus = Corpus(whole.vectors[:-_QUERIES].copy(), whole.vectors[-_QUERIES:].copy())
    directory = plan.directory / name
    directory.mkdir()
    there = installed({each: partial(kind, directory, corpus) for each, kind in _KINDS.items()})
    contestants = {each: contestant for each, contestant in there.items() if contestant}
    built, memory, opened = {}, {}, {}
    for each, contestant in contestants.items():
        before, start = resident(), time.perf_counter()
        await contestant.make()
        built[each] = time.perf_counter() - start
        memory[each] = max(1, resident() - before)  # in a quick run, what was freed before may hide it
    results = await _searches(plan, name, corpus.vectors, corpus, contestants)
    for each, contestant in contestants.items():
        await contestant.close()
        start = time.perf_counter()
        await contestant.open()
        opened[each] = time.perf_counter() - start
    results += [
        Result(f"{name}: making", built),
        Result(f"{name}: memory, metadata included", memory, MEGABYTES),
        Result(f"{name}: opening", opened),
    ]
    rows = slice(0, 3 * len(corpus.vectors) // 10)
    vectors = corpus.vectors.copy()
    vectors[rows] = vectors[rows][::-1]
    for contestant in contestants.values():
        await contestant.replace(rows, vectors)
    results += await _searches(plan, f"{name}, 30 % replaced", vectors, corpus, contestants)
    await contestants[OURS].close()
    return results


def _of_others(call: Call) -> Call:
    """Return a call with other queries, whose neighbours do not bring those of the next contestant into the cache."""
    return lambda turn: call(turn + _QUERIES // 2)


async def _searches(
    plan: Plan, name: str, vectors: Float32s, corpus: Corpus, contestants: dict[str, _Contestant]
) -> list[Result]:
    nearest = [np.argpartition(vectors @ query, -_TOP)[-_TOP:].tolist() for query in corpus.queries]
    wanted = [{corpus.ids[row] for row in rows} for rows in nearest]
    recalls: dict[str, float | None] = {}
    for each, contestant in contestants.items():
        for ef_search in _EF_SEARCH:
            contestant.use(ef_search)
            found = [{hit["id"] for hit in await contestant.search(turn)} for turn in range(len(wanted))]
            recall = sum(len(ids & best) for ids, best in zip(found, wanted, strict=True)) / (_TOP * len(wanted))
            recalls[each] = recall
            if recall >= _RECALL:
                break
    calls: dict[str, Call | None] = {OURS: contestants[OURS].search}
    for each, contestant in contestants.items():
        if isinstance(contestant, _Library):
            calls |= {each: _of_others(contestant.rows), f"{each}, {SAME}": contestant.search}
    figures = await race(plan, calls, warm=WARM)
    return [
        Result(f"{name}: a search", figures, reaches=[at_most_times(1.3, f"usearch, {SAME}")]),
        Result(f"{name}: recall", recalls, RECALL),
    ]
