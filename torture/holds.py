"""How long the event loop's thread is busy with us at a time: every operation, over sizes and boundaries.

Boundaries are growth, compaction, the choice of directions, a filter on a key that
was not asked for before, near-equal vectors, freeing what was stored. What one
callback of the event loop computes is counted by the thread's own clock. Items are
made, and arguments, before the clock is looked at. `python -m torture.holds` prints all of it.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from torture.tally import Tally

LONGEST = 0.010  # seconds, which the contract promises about
SIZES = (1_000, 10_000, 100_000)
_EQUAL = "equal vectors"
_VECTORS = (("8", 8, "none"), ("384", 384, "none"), (_EQUAL, 32, "none"), ("32", 32, "hnsw"))
_FLOATS = 3_200_000  # of lists at the most

Work = Callable[[], Awaitable[object]]


class Holds:
    """The longest callback of the event loop since it was asked last."""

    def __init__(self) -> None:
        self._longest = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure each callback."""
        run = asyncio.events.Handle._run

        def measured(handle: asyncio.Handle) -> None:
            started = time.thread_time()
            run(handle)
            self._longest = max(self._longest, time.thread_time() - started)

        with patch.object(asyncio.events.Handle, "_run", measured):
            yield

    async def longest(self, work: Work) -> float:
        """Return the longest hold, in seconds, while `work()` runs."""
        gc.collect()
        gc.disable()
        await asyncio.sleep(0)  # what was prepared is over
        self._longest = 0
        try:
            await work()
            await asyncio.sleep(0)
        finally:
            gc.enable()
        return self._longest


def run(tally: Tally, sizes: Sequence[int] = SIZES) -> dict[str, dict[int, float]]:
    """Measure every operation of the embedded providers at each size; return the holds, in seconds."""
    holds = Holds()
    found: dict[str, dict[int, float]] = {}
    gc.freeze()  # so that collecting before each operation need not look at the rest of the process
    with tempfile.TemporaryDirectory() as base, asyncio.Runner() as runner, holds.watching():
        for size in sizes:
            for provider, steps in _all(size, Path(base, f"{size}")):
                for name, held in runner.run(_sweep(tally, holds, f"{provider}, {size:,}", steps)).items():
                    found.setdefault(f"{provider}: {name}", {})[size] = held
    gc.unfreeze()
    longest, name = max((max(by_size.values()), name) for name, by_size in found.items())
    tally.outcomes[f"the longest hold, of {name}, in µs"] = round(longest * 1e6)
    return found


async def _sweep(tally: Tally, holds: Holds, place: str, steps: AsyncIterator[tuple[str, Work]]) -> dict[str, float]:
    found: dict[str, float] = {}
    async for name, work in steps:
        found[name] = await holds.longest(work)
        with tally.trying(f"{name}, {place}"):
            if found[name] > LONGEST:
                raise AssertionError(f"held the event loop for {found[name] * 1000:.1f} ms")
    return found


def table(found: dict[str, dict[int, float]]) -> str:
    """Return the holds as Markdown, in milliseconds."""
    sizes = sorted({size for by_size in found.values() for size in by_size})
    lines = [f"| operation | {' | '.join(f'{size:,}' for size in sizes)} |", f"| --- |{' ---: |' * len(sizes)}"]
    lines += [
        f"| {name} | {' | '.join(f'{by_size[size] * 1000:.1f}' for size in sizes)} |" for name, by_size in found.items()
    ]
    return "\n".join(lines)


def _all(size: int, base: Path) -> Iterator[tuple[str, AsyncIterator[tuple[str, Work]]]]:
    for provider, vectors, graph, checkpoints in (
        ("memory", InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore),
        ("file", FileVectorStore, FileKnowledgeGraph, FileCheckpointStore),
    ):
        for kind, dimension, index in _VECTORS:
            place = {"path": base / f"vectors {kind}"} if provider == "file" else {}
            steps = _vector_steps(vectors({"index": index, **place}), size, dimension, equal=kind == _EQUAL)
            yield f"{provider} vector_store of {kind}{' with an index' * (index == 'hnsw')}", steps
        yield (
            f"{provider} knowledge_graph",
            _graph_steps(graph({"path": base / "graph"} if provider == "file" else None), size),
        )
        yield (
            f"{provider} checkpoint_store",
            _checkpoint_steps(checkpoints({"path": base / "checkpoints"} if provider == "file" else None), size),
        )


def _each(call: Callable[[int], Awaitable[object]], count: int) -> Work:
    """Return what makes calls, each in a turn of its own."""

    async def work() -> None:
        for number in range(count):
            await asyncio.sleep(0)
            await call(number)

    return work


def _through(scan: Callable[[], AsyncIterator[object]]) -> Work:
    async def work() -> None:
        async for item in scan():
            del item

    return work


async def _vector_steps(store: Any, size: int, dimension: int, *, equal: bool) -> AsyncIterator[tuple[str, Work]]:
    rows = np.random.default_rng(1).standard_normal((size + 400, dimension)).astype(np.float32)
    rows[:] = rows[0] if equal else rows
    items = [(f"i{n}", rows[n], {"n": n, "word": f"w{n % 7}", "half": n / 2}) for n in range(size)]
    lists = [row.tolist() for row in rows[:300]]
    ids = [id for id, _, _ in items]
    few = {"n": {"$lt": size // 100}}
    await store.connect()
    yield "add_many", lambda: store.add_many(items)
    yield "the index is made", store._data.at_rest
    yield "search, first filter", _each(lambda n: store.search(rows[n], 10, {"n": {"$lt": size // 2}}), 20)
    yield "search, directions are chosen", _each(lambda n: store.search(rows[n]), 40)
    yield "search, few match", _each(lambda n: store.search(rows[n], 10, few), 20)
    yield "search for all", lambda: store.search(rows[0], size)
    yield "search_many", lambda: store.search_many(lists, 5)
    yield "search_many, filter", lambda: store.search_many(lists, 5, {"word": "w1"})
    yield "count", _each(lambda n: store.count([{"half": {"$gt": 5}}, {"word": {"$gte": "w3"}}, few][n]), 3)
    yield "add, growth", _each(lambda n: store.add(f"new{n}", rows[size + n], {"n": n}), 300)
    yield "search after growth", _each(lambda n: store.search(rows[n]), 5)
    yield "add_many over half", lambda: store.add_many(items[: size // 2 + 1])
    yield "search after that", _each(lambda n: store.search(rows[n]), 5)
    yield "the index is made anew", store._data.at_rest
    yield "get_many", lambda: store.get_many(ids)
    yield "get_many, no vectors", lambda: store.get_many(ids, include_vectors=False)
    yield "get", _each(lambda n: store.get(ids[n]), 300)
    yield "find", store.find
    yield "find, filter", lambda: store.find(metadata_filter={"word": {"$gt": "w1"}}, include_vectors=False)
    yield "find, prefix and filter", lambda: store.find(prefix="i1", metadata_filter={"half": {"$gt": 5}})
    yield "update", _each(lambda n: store.update(ids[n], {"z": n}), 100)
    yield "scan", _through(store.scan)
    yield "scan, filter", _through(lambda: store.scan(metadata_filter=few))
    yield "delete", _each(lambda n: store.delete(ids[n]), 100)
    yield "delete_many", lambda: store.delete_many(ids[: size // 2])
    yield "delete_many by a filter", lambda: store.delete_many(metadata_filter={"word": {"$gt": "w3"}})
    yield "delete_many by a prefix", lambda: store.delete_many(prefix="i")
    forgotten = [[(id, rows[n].tolist(), {"n": n}) for n, id in enumerate(ids[: _FLOATS // dimension])]]
    yield "add_many of lists that nobody else has", lambda: store.add_many(forgotten.pop())
    yield "clear", store.clear
    yield "add_many after that", lambda: store.add_many(items)
    yield "disconnect", store.disconnect


async def _graph_steps(graph: Any, size: int) -> AsyncIterator[tuple[str, Work]]:
    ids = [f"e{n}" for n in range(size)]
    entities = [(f"e{n}", "T", {"n": n, "word": f"w{n % 7}"}) for n in range(size)]
    relations: list[Any] = [(f"e{n}", f"e{n * 7919 % size}", "R", {"n": n}) for n in range(size)]
    relations += [("e0", f"e{n}", "HUB", None) for n in range(size)]
    await graph.connect()
    yield "add_entities", lambda: graph.add_entities(entities)
    yield "add_relations", lambda: graph.add_relations(relations)
    forgotten = [[(f"e{n}", f"e{n * 7 % size}", "LOST", {"n": n}) for n in range(size)]]
    yield "add_relations that nobody else has", lambda: graph.add_relations(forgotten.pop())
    yield "query", lambda: graph.query("e1", ["R"] * 3)
    yield "query from a hub", lambda: graph.query("e0", ["HUB", "R"], size)
    yield "neighbors of a hub", lambda: graph.neighbors("e0", depth=2)
    yield "shortest_path", lambda: graph.shortest_path("e1", "e2")
    yield "get_relations of a hub", lambda: graph.get_relations("e0")
    yield "a page of them", lambda: graph.get_relations("e0", after=("e0", "e5", "HUB"), limit=20)
    yield "find_entities", lambda: graph.find_entities("T", {"n": {"$gt": size - 5}})
    yield "find_entities, all", lambda: graph.find_entities(None, None, None)
    yield "find_entities by a prefix", lambda: graph.find_entities(None, None, None, prefix="e1", reverse=True)
    yield "get_entities", lambda: graph.get_entities([f"e{n}" for n in range(0, size, 10)])
    yield "subgraph of a hub", lambda: graph.subgraph(["e0"], 2, limit=None)
    yield "subgraph of all", lambda: graph.subgraph(ids, limit=None)
    yield "add_entities again", lambda: graph.add_entities(entities, if_absent=True)
    yield "counts", _each(lambda n: (graph.count_entities if n else graph.count_relations)("R"), 2)
    yield "add_relation", _each(lambda n: graph.add_relation(f"e{n}", f"e{n + 1}", "NEW", {}), 200)
    yield "update_entity", _each(lambda n: graph.update_entity(f"e{n}", {"z": n}), 100)
    yield "scan_entities", _through(graph.scan_entities)
    yield "scan_relations", _through(graph.scan_relations)
    yield "delete_relations", lambda: graph.delete_relations([each[:3] for each in relations[: size // 10]])
    yield "delete_relations of a type", lambda: graph.delete_relations(relation_types=["R"])
    yield "delete_entity of a hub", lambda: graph.delete_entity("e0")
    yield "delete_entity", _each(lambda n: graph.delete_entity(f"e{n + 1}"), 100)
    yield "delete_entities", lambda: graph.delete_entities([f"e{n}" for n in range(0, size, 10)])
    yield "delete_entities by a prefix", lambda: graph.delete_entities(prefix="e1")
    yield "clear", graph.clear
    yield "disconnect", graph.disconnect


async def _checkpoint_steps(store: Any, size: int) -> AsyncIterator[tuple[str, Work]]:
    small = {"messages": [{"role": "user", "content": "hello"}] * 4}
    large = {"text": "x" * (1 << 20)}
    saved = [(f"c{n}", small, {"n": n}, float(n)) for n in range(size)]
    others = [(f"d{n}", small, None) for n in range(size // 3)]
    ids = [f"c{n}" for n in range(size)]
    await store.connect()
    yield "restore_checkpoints", lambda: store.restore_checkpoints(saved)
    yield "save_checkpoint", _each(lambda n: store.save_checkpoint(f"c{n % 50}", small, {"n": n}), 300)
    yield "save_checkpoint, 1 MB", lambda: store.save_checkpoint("large", large)
    yield "get_checkpoint, 1 MB", lambda: store.get_checkpoint("large")
    forgotten = [[(f"c{n}", {"messages": [{"content": "hello"} for _ in range(4)]}, None) for n in range(size)]]
    yield "save_checkpoints that nobody else has", lambda: store.save_checkpoints(forgotten.pop())
    yield "list_checkpoints", store.list_checkpoints
    yield "list_checkpoints, filter", lambda: store.list_checkpoints(metadata_filter={"n": {"$lt": 5}})
    yield "list_checkpoints, last 10", lambda: store.list_checkpoints(limit=10, newest_first=True)
    yield "find_checkpoints", lambda: store.find_checkpoints(prefix="c1", reverse=True)
    yield "find_checkpoints, with data", lambda: store.find_checkpoints(prefix="c1", include_data=True)
    yield "find_checkpoints, filter", lambda: store.find_checkpoints(metadata_filter={"n": {"$lt": 5}})
    yield "get_latest_checkpoint of a prefix", lambda: store.get_latest_checkpoint(prefix="c1")
    yield "get_checkpoints", lambda: store.get_checkpoints(ids)
    yield "save_checkpoints", lambda: store.save_checkpoints(others)
    yield "save_checkpoints where absent", lambda: store.save_checkpoints(others, if_absent=True)
    yield "a payload of 1 MB", lambda: store.save_checkpoint("payload", {}, payload=bytes(1 << 20))
    yield "get_latest_checkpoint, count", _each(lambda n: [store.get_latest_checkpoint, store.count][n](), 2)
    yield "scan", _through(store.scan)
    yield "delete_checkpoint", _each(lambda n: store.delete_checkpoint(f"c{n}"), 100)
    yield "delete_checkpoints by a prefix", lambda: store.delete_checkpoints(prefix="d")
    yield "prune of a prefix", lambda: store.prune(5, prefix="c1")
    yield "prune", lambda: store.prune(5)
    yield "clear", store.clear
    yield "disconnect", store.disconnect


if __name__ == "__main__":
    print(table(run(Tally("event loop"))))
