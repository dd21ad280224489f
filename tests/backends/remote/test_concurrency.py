"""Many tasks, and two processes, at work on the same store of a server."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import count, cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.knowledge_graph import KnowledgeGraphBackend
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.errors import DimensionError, InvalidValueError
from symphony_registry.testing import Harness, sentences
from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.promises import NotPromised
from symphony_registry.testing.report import examine
from tests.helpers.engines import ENGINES, Engine

pytestmark = pytest.mark.slow

TASKS = 20


class ByTurns(StorageBackend):
    """A backend that hands every other call to its twin, which has a pool of its own."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.twin: StorageBackend = type(self).__mro__[2]({**self.config, "connect_timeout": 9})
        self.turns: cycle[StorageBackend] = cycle([self])

    def __init_subclass__(cls) -> None:
        for name in OPERATIONS[cls.backend_type]:
            setattr(cls, name, taking_turns(getattr(cls, name)))

    async def connect(self) -> None:
        await super().connect()
        self.twin.name = self.name
        await self.twin.connect()
        self.turns = cycle([self, self.twin])

    async def disconnect(self) -> None:
        await super().disconnect()
        await self.twin.disconnect()


def taking_turns(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments, **options: operation(next(self.turns), *arguments, **options)


# By name, since other processes make some of them, too.
BY_TURNS = {
    kind: type(f"{kind.__name__}ByTurns", (ByTurns, kind), {"__module__": __name__})
    for engine in ENGINES.values()
    for kind in engine.kinds
}
globals().update({by_turns.__name__: by_turns for by_turns in BY_TURNS.values()})


async def test_the_contract_holds_for_twenty_sentences_at_a_time_and_stores_with_two_pools(
    kind: type[StorageBackend], engine: Engine, server: Any, tmp_path: Path
) -> None:
    numbers = count(1)
    harness: Harness[Any] = Harness(
        kind.backend_type,
        BY_TURNS[kind],
        tmp_path,
        options=lambda _: engine.options(server, f"{kind.backend_type}_{next(numbers)}"),
    )
    # in the event loop's own sentences nobody else may hold it; and two change everybody's clock
    alone = ("event_loop.", "sequence.clock_changes", "sequence.persisted")
    waiting = [sentence for sentence in sentences(kind.backend_type) if not sentence.id.startswith(alone)]
    failed = []

    async def work() -> None:
        while waiting:
            sentence = waiting.pop()
            try:
                await examine(sentence, harness)
            except NotPromised:
                continue
            except Exception as error:
                failed.append((sentence.id, error))

    assert len(waiting) > 100
    await asyncio.gather(*(work() for _ in range(TASKS)))
    assert not failed


# What follows is done by two processes that begin at the same time.

Work = Callable[[Any, int], Awaitable[Any]]
_barrier: Any = None


def _meet(barrier: Any) -> None:
    global _barrier  # noqa: PLW0603 - a process has one
    _barrier = barrier


def _begin(work: Work, number: int, kind: type[StorageBackend], options: Mapping[str, Any]) -> Any:
    async def run() -> Any:
        _barrier.wait()
        async with kind(options) as backend:
            return await work(backend, number)

    return asyncio.run(run())


def in_two_processes(work: Work, kind: type[StorageBackend], options: Mapping[str, Any]) -> list[Any]:
    context = get_context("spawn")
    with ProcessPoolExecutor(2, context, _meet, (context.Barrier(2),)) as processes:
        begun = [processes.submit(_begin, work, number, kind, options) for number in range(2)]
        return [each.result() for each in begun]


async def write_own_and_shared(backend: Any, number: int) -> None:
    adapter = adapt(backend)

    async def task(own: int) -> None:
        for turn in range(10):
            await adapter.put(f"{number} {own} {turn}", {"by": number})
            await adapter.put("shared", {"by": number, "again": [number] * 10})

    await asyncio.gather(*(task(own) for own in range(TASKS)))


async def test_what_two_processes_were_told_is_stored_is_there(kind: Any, options: dict[str, Any]) -> None:
    await asyncio.to_thread(in_two_processes, write_own_and_shared, kind, options)
    async with kind(options) as backend:
        adapter = adapt(backend)
        for number in range(2):
            ids = [f"{number} {own} {turn}" for own in range(TASKS) for turn in range(10)]
            assert [await adapter.get(id) for id in ids] == [{"by": number}] * len(ids)
        assert await adapter.get("shared") in [{"by": number, "again": [number] * 10} for number in range(2)]


async def cross(backend: VectorStoreBackend, number: int) -> None:
    """Add the same ids in the opposite order, and delete some of them."""
    ids = [f"{item:03}" for item in range(400)][:: 1 if number else -1]
    for turn in range(15):
        await backend.add_many([(id, [number + 1, turn], {"by": [number + 1, turn]}) for id in ids])
        await backend.delete_many(ids[::7])
    await backend.add_many([(id, [number + 1, 15], {"by": [number + 1, 15]}) for id in ids])


async def test_bulk_writes_that_cross_each_other_leave_every_item_whole(
    engine: Engine, options: dict[str, Any]
) -> None:
    await asyncio.to_thread(in_two_processes, cross, engine.kinds[0], options)
    async with engine.kinds[0](options) as store:
        items = [item async for item in store.scan()]
    assert [item["metadata"]["by"] for item in items] == [item["vector"] for item in items]
    # the later of the two ends with adding all; of the items, the other deleted none after that
    assert len(items) == 400


async def build_or_tear(backend: KnowledgeGraphBackend, number: int) -> int:
    """The first process builds a graph, the other deletes what it finds of it."""
    refused = 0
    ids = [f"{item:02}" for item in range(40)]
    for _ in range(5):
        if number:
            await asyncio.gather(*(backend.delete_entity(id) for id in ids))
            continue
        await backend.add_entities([(id, "T", None) for id in ids])
        try:
            await backend.add_relations([(a, b, "R", None) for a in ids[::3] for b in reversed(ids)])
        except InvalidValueError:  # an end was deleted
            refused += 1
    return refused


async def test_a_graph_that_is_built_and_torn_down_at_once_has_no_relation_without_its_ends(
    engine: Engine, options: dict[str, Any]
) -> None:
    refused, _ = await asyncio.to_thread(in_two_processes, build_or_tear, engine.kinds[1], options)
    assert 0 <= refused <= 5
    async with engine.kinds[1](options) as graph:
        entities = {entity["id"] async for entity in graph.scan_entities()}
        async for relation in graph.scan_relations():
            assert {relation["from_id"], relation["to_id"]} <= entities


async def add_of_own_dimension(backend: VectorStoreBackend, number: int) -> int:
    """Add vectors of this process's dimension; the store is emptied in between."""
    added = 0
    for turn in range(60):
        try:
            await backend.add(f"{number} {turn}", [1.0] * (number + 2))
            added += 1
        except DimensionError:
            if turn % 5 == number:
                await backend.clear()
    return added


async def test_the_first_vector_fixes_the_dimension_for_two_processes(engine: Engine, options: dict[str, Any]) -> None:
    added = await asyncio.to_thread(in_two_processes, add_of_own_dimension, engine.kinds[0], options)
    assert any(added)
    async with engine.kinds[0](options) as store:
        sizes = {len(item["vector"]) async for item in store.scan()}
        assert sizes == {await store.dimension()}


def product_of(backend: StorageBackend) -> str:
    return type(backend).__module__.split(".")[-2]


async def open_many(backend: Any, number: int) -> list[bool]:
    """Open five more, each with a pool and a place to make."""
    more = []
    for turn in range(5):
        for backend_type in BackendType:
            options = {**backend.config, "connect_timeout": 20 + turn}
            more.append(StorageBackendFactory.build(backend_type, product_of(backend), "second", options))
    await asyncio.gather(*(each.connect() for each in more))
    healthy = await asyncio.gather(*(each.health_check() for each in more))
    await asyncio.gather(*(each.disconnect() for each in more))
    return list(healthy)


async def test_ten_openers_that_all_find_nothing_there_make_it_once(engine: Engine, options: dict[str, Any]) -> None:
    healthy = await asyncio.to_thread(in_two_processes, open_many, engine.kinds[2], options)
    assert [all(each) for each in healthy] == [True, True]
    assert [len(each) for each in healthy] == [15, 15]


async def test_what_is_saved_last_is_the_newest_however_many_save_it(engine: Engine, options: dict[str, Any]) -> None:
    async with engine.kinds[2]({**options, "pool_max_size": 16}) as store:

        async def saved_after_another() -> None:
            await store.save_checkpoint("other", {})
            await store.save_checkpoint("shared", {})

        for _ in range(60):
            await asyncio.gather(saved_after_another(), *(store.save_checkpoint("shared", {}) for _ in range(8)))
            latest = await store.get_latest_checkpoint()
            assert latest is not None
            assert latest["checkpoint_id"] == "shared"
