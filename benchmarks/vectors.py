"""Vectors in memory: searching, filters, adding."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.data import Condition, Corpus, enlarged, mixture, noise, real
from benchmarks.harness import (
    OURS,
    RATE,
    Call,
    Plan,
    Result,
    at_least,
    at_most,
    at_most_times,
    installed,
    library,
    race,
)
from benchmarks.numpy_peers import Numpy, same_results
from symphony_registry.backends.vector_store import InMemoryVectorStore, VectorStoreBackend

_TOP = 10
# Searches before anything is timed: ours arranges its vectors after some.
WARM = 20
_BATCH = 50_000
FAISS, NUMPY, SAME = "faiss IndexFlatIP", "numpy", "with the same results"
READY = "faiss, a ready selector"
CONDITIONS = {
    "50 %": Condition("lang", "=", "en"),
    "5 %": Condition("score", "<", 50),
    "0.1 %": Condition("topic", "=", 7),
}


# Among a few, the results are half of the work: there they are counted on both sides.
REACHES = {"50 %": (0.6, READY), "5 %": (0.6, READY), "0.1 %": (1, f"{READY}, {SAME}")}


@asynccontextmanager
async def loaded(corpus: Corpus) -> AsyncIterator[InMemoryVectorStore]:
    """Open a store that holds a corpus."""
    async with InMemoryVectorStore() as store:
        await fill(store, corpus)
        yield store


async def fill(store: VectorStoreBackend, corpus: Corpus) -> None:
    """Add everything, in batches."""
    for start in range(0, len(corpus.vectors), _BATCH):
        rows = slice(start, start + _BATCH)
        await store.add_many(zip(corpus.ids[rows], corpus.vectors[rows], corpus.metadata(rows), strict=True))


def searching_peer(kind: type[peers.VectorPeer], directory: Path | None) -> Callable[[Corpus], Call]:
    """Return what sets up a library for single searches."""

    def set_up(corpus: Corpus) -> Call:
        filled = kind(directory, corpus.vectors.shape[1])
        filled.fill(corpus)
        return lambda turn: filled.search(corpus.query(turn))

    return set_up


def converting(kind: type[peers.VectorPeer]) -> Callable[[Corpus], Call]:
    """Return what sets up a library for single searches, with the results that ours gives."""

    def set_up(corpus: Corpus) -> Call:
        search, convert = searching_peer(kind, None)(corpus), same_results(corpus)
        return lambda turn: convert(search(turn))

    return set_up


async def _agree(store: VectorStoreBackend, corpus: Corpus) -> None:
    """Stop the run where ours misses a result."""
    for query in corpus.queries:
        found = [result["similarity"] for result in await store.search(query, _TOP)]
        assert np.allclose(found, np.sort(corpus.vectors @ query)[::-1][:_TOP], atol=1e-5)


async def search(plan: Plan) -> list[Result]:
    """Exact search, one query.

    The ten most similar, with their metadata and vectors. The vectors of the first column are a mixture of Gaussians
    of low intrinsic dimension; real ones are embeddings of the descriptions of Debian's packages, also enlarged by
    mixtures of two; in noise nothing can be left out, and all must be read. faiss and numpy give row numbers, "with the
    same results" what ours gives. Chroma's index is approximate.
    """
    few: Mapping[str, Callable[[Corpus], Call]] = {
        FAISS: searching_peer(peers.Faiss, None),
        NUMPY: searching_peer(Numpy, None),
        f"{NUMPY}, {SAME}": converting(Numpy),
    }
    results = []
    with tempfile.TemporaryDirectory(dir=plan.directory) as directory:
        everybody = {
            **few,
            "hnswlib BFIndex": searching_peer(peers.Hnswlib, None),
            "usearch exact": searching_peer(peers.Usearch, None),
            "sqlite-vec": searching_peer(peers.SqliteVec, None),
            "duckdb": searching_peer(peers.Duckdb, None),
            "qdrant local": searching_peer(peers.Qdrant, None),
            "lancedb": searching_peer(peers.Lancedb, Path(directory)),
            "chroma (approximate)": searching_peer(peers.Chroma, None),
        }
        corpora = [("", mixture(plan.vectors), everybody), ("noise, ", noise(plan.vectors), few)]
        if plan.data:
            corpora[1:1] = [("real, ", real(plan.data), few), ("real, ", enlarged(real(plan.data), plan.vectors), few)]
        for name, corpus, setups in corpora:
            async with loaded(corpus) as store:
                await _agree(store, corpus)
                contestants = {OURS: searching(store, corpus), **installed(setups, corpus)}
                figures = await race(plan, contestants, warm=WARM)
            work = f"{name}{len(corpus.vectors):,} x {corpus.vectors.shape[1]}"
            reach = at_most_times(1, NUMPY) if name == "noise, " else at_most_times(0.35, FAISS)
            results.append(Result(work, figures, reaches=[reach]))
    return results


def searching(store: VectorStoreBackend, corpus: Corpus, condition: Condition | None = None) -> Call:
    """Return the search for a turn's query."""
    wanted = None if condition is None else condition.ours
    return lambda turn: store.search(corpus.query(turn), _TOP, wanted)


async def batch(plan: Plan) -> list[Result]:
    """Exact search, 64 queries at once.

    faiss with the faster of its kernels: its BLAS picks an old one.
    """
    corpus = mixture(plan.vectors)

    def searching_many(kind: Any) -> Callable[[], Call]:
        def set_up() -> Call:
            filled = kind(None, corpus.vectors.shape[1])
            filled.fill(corpus)
            return lambda _: filled.search_many(corpus.queries)

        return set_up

    async with loaded(corpus) as store:
        contestants = {OURS: lambda _: store.search_many(corpus.queries, _TOP)}
        others = installed({FAISS: searching_many(peers.Faiss), NUMPY: searching_many(Numpy)})
        figures = await race(plan, {**contestants, **others}, warm=WARM)
    work = f"{len(corpus.queries)} queries, {plan.vectors:,} x {corpus.vectors.shape[1]}"
    return [Result(work, figures, reaches=[at_most_times(0.5, NUMPY)])]


async def filter(plan: Plan) -> list[Result]:
    """Exact search with a filter.

    The filter keeps the share in the heading: an equality, a range and an equality. Ours evaluates it when
    it is first asked for, and again after a write. faiss is given the fastest of its selectors, numpy the rows and a
    copy of their vectors, all of which stand ready; they give row numbers, "with the same results" what ours gives.
    """
    corpus = mixture(plan.vectors)
    kinds: dict[str, Any] = {READY: peers.Faiss, "numpy, ready rows": Numpy}
    slow: dict[str, Any] = {"duckdb": peers.Duckdb, "qdrant local": peers.Qdrant}
    convert = same_results(corpus)
    filled: dict[str, peers.VectorPeer] = {}

    def filled_with(name: str) -> peers.VectorPeer:
        if name not in filled:
            filled[name] = {**kinds, **slow}[name](None, corpus.vectors.shape[1])
            filled[name].fill(corpus)
        return filled[name]

    def filtering(name: str) -> Callable[[Condition], Call]:
        def set_up(condition: Condition) -> Call:
            peer = filled_with(name)
            return lambda turn: peer.search(corpus.query(turn), condition)

        return set_up

    def same(name: str) -> Callable[[Condition], Call]:
        def set_up(condition: Condition) -> Call:
            search = filtering(name)(condition)
            return lambda turn: convert(search(turn))

        return set_up

    setups = {name: filtering(name) for name in kinds}
    setups |= {f"{name}, {SAME}": same(name) for name in kinds}
    setups |= {name: filtering(name) for name in slow}

    results = []
    async with loaded(corpus) as store:
        for share, condition in CONDITIONS.items():
            others = installed(setups, condition)
            figures = await race(plan, {OURS: searching(store, corpus, condition), **others}, warm=WARM)
            reach = at_most_times(*REACHES[share])
            results.append(Result(f"{share} of {plan.vectors:,}", figures, reaches=[reach]))
    return results


async def add(plan: Plan) -> list[Result]:
    """Adding in memory.

    One vector at a time, each awaited, without metadata; then all at once, the rows of one array.
    """
    corpus = mixture(plan.vectors)
    step = min(500, plan.vectors // 4)
    lists = corpus.vectors.tolist()

    def one_by_one(kind: Any) -> Callable[[], Call]:
        def set_up() -> Call:
            peer = kind(None, corpus.vectors.shape[1])

            def work(turn: int) -> None:
                for row in _rows(turn, step, plan):
                    peer.add([row], corpus.vectors[row : row + 1])

            return work

        return set_up

    slow = installed({"qdrant local": one_by_one(peers.Qdrant), "chroma": one_by_one(peers.Chroma)})
    others = {**installed({FAISS: one_by_one(peers.Faiss)}), **slow}
    async with InMemoryVectorStore() as store, InMemoryVectorStore() as other:

        def adding(target: VectorStoreBackend, vectors: Any) -> Call:
            async def work(turn: int) -> None:
                for row in _rows(turn, step, plan):
                    await target.add(corpus.ids[row], vectors[row])

            return work

        arrays = await race(plan, {OURS: adding(store, corpus.vectors), **others}, per=step)
        listed = await race(plan, {OURS: adding(other, lists)}, per=step)

    async def add_many(_: int) -> None:
        async with InMemoryVectorStore() as fresh:
            await fresh.add_many(zip(corpus.ids, corpus.vectors, itertools.repeat(None)))

    def faiss() -> Call:
        library("faiss")
        return lambda _: peers.Faiss(None, corpus.vectors.shape[1]).fill(corpus)

    bulk = await race(plan, {OURS: add_many, **installed({FAISS: faiss})}, per=plan.vectors)
    return [
        Result("from an array", arrays, reaches=[at_most(15e-6)]),
        Result("from a list of floats", listed, reaches=[at_most(30e-6)]),
        Result("`add_many`", bulk, RATE, [at_least(300_000)]),
    ]


def _rows(turn: int, step: int, plan: Plan) -> range:
    start = turn * step % (plan.vectors - step)
    return range(start, start + step)
