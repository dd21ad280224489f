"""What searching asks of the process: of its event loop, and of its memory."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import numpy as np

from benchmarks import peers
from benchmarks.data import Corpus, mixture
from benchmarks.harness import OURS, TIMES, Call, Plan, Result, at_most, each_apart, resident
from benchmarks.vectors import CONDITIONS, WARM, fill, loaded, searching
from symphony_registry.backends.vector_store import InMemoryVectorStore, VectorStoreBackend


async def loop(plan: Plan) -> list[Result]:
    """The event loop while another task searches.

    How late a task that sleeps for 1 ms wakes up, while another searches without pause, and
    while nobody does anything.
    """
    corpus = mixture(plan.vectors)
    async with loaded(corpus) as store:
        work = searching(store, corpus)
        for turn in range(WARM):
            await work(turn)
        busy = await lateness(plan, work)
    idle = await lateness(plan, lambda _: asyncio.sleep(0.02))
    return [
        Result("median", {OURS: float(np.median(busy)), "idle": float(np.median(idle))}, reaches=[at_most(2e-3)]),
        Result("latest of all", {OURS: max(busy), "idle": max(idle)}, reaches=[at_most(10e-3)]),
    ]


async def lateness(plan: Plan, work: Call) -> list[float]:
    """Return how late a sleeper was each time, while `work` was awaited again and again."""
    late: list[float] = []
    end = time.perf_counter() + plan.seconds

    async def sleeper() -> None:
        while (start := time.perf_counter()) < end:
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - start - 0.001)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sleeper())
        await asyncio.sleep(0)  # it sleeps now
        for turn in itertools.count():
            await work(turn)
            if time.perf_counter() >= end:
                break
    return late


async def memory(plan: Plan) -> list[Result]:
    """Memory, in sizes of the matrix.

    What the resident memory of a fresh process grows by (what was freed is given back first), after adding and
    searching: with ids alone, and with metadata of three keys, by which it has searched, too.
    """
    work = f"{plan.vectors:,} x 384"
    bare = each_apart({OURS: _bare_growth, "faiss IndexFlatIP": _faiss_growth}, plan.vectors)
    described = each_apart({OURS: _described_growth}, plan.vectors)
    return [
        Result(f"{work}, no metadata", bare, TIMES, [at_most(1.5, TIMES)]),
        Result(f"{work}, with metadata", described, TIMES),
    ]


def _bare_growth(count: int) -> float:
    async def use(store: VectorStoreBackend, corpus: Corpus) -> None:
        await store.add_many(zip(corpus.ids, corpus.vectors, itertools.repeat(None)))
        await store.search(corpus.queries[0])

    return asyncio.run(_growth(use, mixture(count)))


def _described_growth(count: int) -> float:
    async def use(store: VectorStoreBackend, corpus: Corpus) -> None:
        await fill(store, corpus)
        for condition in CONDITIONS.values():
            await store.search(corpus.queries[0], metadata_filter=condition.ours)

    return asyncio.run(_growth(use, mixture(count)))


async def _growth(use: Callable[[VectorStoreBackend, Corpus], Awaitable[None]], corpus: Corpus) -> float:
    before = resident()
    async with InMemoryVectorStore() as store:
        await use(store, corpus)
        return (resident() - before) / (corpus.vectors.nbytes / 1e6)


def _faiss_growth(count: int) -> float:
    corpus = mixture(count)
    index = peers.Faiss(None, corpus.vectors.shape[1])
    before = resident()
    index.add(range(count), corpus.vectors)
    index.search(corpus.queries[0])
    return (resident() - before) / (corpus.vectors.nbytes / 1e6)
