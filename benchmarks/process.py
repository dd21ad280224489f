"""What searching asks of the process: of its event loop, and of its memory."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import peers
from benchmarks.data import Corpus, mixture
from benchmarks.durable import Limit
from benchmarks.harness import OURS, TIMES, Call, Plan, Result, at_most, each_apart, resident
from benchmarks.vectors import CONDITIONS, WARM, fill, loaded, searching
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore, VectorStoreBackend


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


async def busy_writes(plan: Plan) -> list[Result]:
    """Durable writes beside tasks that are always ready.

    How long one takes while three tasks compute for so long each between their turns; beside it, as many bytes written
    and synced by `asyncio.to_thread`.
    """
    corpus = mixture(min(plan.vectors, 1_000))
    with TemporaryDirectory(dir=plan.directory) as directory:
        limit = Limit(Path(directory), 2_000)
        async with FileVectorStore({"path": Path(directory, "ours")}) as store:
            return await _beside_each(
                plan,
                {
                    OURS: lambda turn: store.add("a", corpus.vectors[turn % 100]),
                    "asyncio.to_thread": lambda _: asyncio.to_thread(limit.write),
                },
            )


async def busy_searches(plan: Plan) -> list[Result]:
    """Searches on a thread beside tasks that are always ready.

    How long one for the 300 nearest takes while three tasks compute for so long each between their turns.
    """
    corpus = mixture(plan.vectors)
    async with loaded(corpus) as store:
        for turn in range(WARM):
            await store.search(corpus.query(turn), 300)
        return await _beside_each(plan, {OURS: lambda turn: store.search(corpus.query(turn), 300)})


async def _beside_each(plan: Plan, works: Mapping[str, Call]) -> list[Result]:
    results: list[Result] = []
    for milliseconds in (0.0, 0.2, 1.0, 5.0):
        waits = {name: await _beside(plan, milliseconds, work) for name, work in works.items()}
        for word, of in (("median", np.median), ("worst", np.max)):
            figures = {name: float(of(found)) for name, found in waits.items()}
            results.append(Result(f"{milliseconds:g} ms, {word}", figures))
    return results


async def _beside(plan: Plan, milliseconds: float, work: Call) -> list[float]:
    """Return how long `work` took each time, beside tasks that compute for so long between their turns."""
    done = asyncio.Event()

    async def compute() -> None:
        while not done.is_set():
            end = time.perf_counter() + milliseconds / 1000
            while time.perf_counter() < end:
                pass
            await asyncio.sleep(0)

    found: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(compute())
        ended = time.perf_counter() + plan.seconds
        while not found or (len(found) < 50 and time.perf_counter() < ended):
            started = time.perf_counter()
            await work(len(found))
            found.append(time.perf_counter() - started)
        done.set()
    return found


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
