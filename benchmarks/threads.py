"""Agent state: many threads in one checkpoint store."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg

from benchmarks.data import conversation
from benchmarks.harness import OURS, Call, Plan, Reach, Result, at_most, at_most_times, installed, race, timed
from benchmarks.postgres import BY_HAND, Server
from benchmarks.redis import COMMANDS, RedisServer
from benchmarks.threads_peers import Hand, InRedis, OnSqlite, Ours, Threads, on_postgres, on_redis
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore

_STEPS, _BYTES = 50, 1_000  # of a thread, and of one of its checkpoints
_LONG = 1_000  # steps of a thread that is deleted
_DELETIONS = 5
_LATEST, _NEWEST, _LAST_TEN = "a thread's last step", "its step that was saved last", "its last ten"
_FILTER, _SAVE = "its inputs, by a filter", "save a step"


async def threads(plan: Plan) -> list[Result]:
    """Threads of agent state.

    Checkpoints of 1,000 bytes, fifty in each thread; read with their data. A step is saved with three writes of its
    own, on the disk; a thread of a thousand steps is deleted. langgraph's saver syncs each commit, of which a step
    needs two.
    """
    data = conversation(_BYTES)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(dir=plan.directory)))
        file = await stack.enter_async_context(FileCheckpointStore({"path": directory / "ours"}))
        memory = await stack.enter_async_context(InMemoryCheckpointStore())
        peers = {"langgraph SqliteSaver": OnSqlite}
        stores = {
            OURS: Ours(file, data),
            "symphony, memory": Ours(memory, data),
            **installed(peers, directory / "langgraph.sqlite", data, stack),
        }
        reach = [at_most(0.000_2)]
        return await _measured(
            plan, stores, dict.fromkeys((_LATEST, _NEWEST, _LAST_TEN, _FILTER), reach), 0.010, _nothing
        )


async def threads_growth(plan: Plan) -> list[Result]:
    """The same reads in stores of growing size.

    A thread's last step, by its id and by the order saved, and its last ten, on files and in PostgreSQL; a thread has
    fifty checkpoints. They must not take more than 1.5 times as long.
    """
    data = conversation(_BYTES)
    sizes = [plan.steps // 10, plan.steps, plan.steps * 10]
    read: dict[str, dict[str, Call]] = {}
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(dir=plan.directory)))
        server = await stack.enter_async_context(Server.started())
        for size in sizes:
            file = await stack.enter_async_context(FileCheckpointStore({"path": directory / f"{size}"}))
            table = await server.open(PostgresCheckpointStore, table_prefix=f"of_{size}_")
            for place, store in (("files", file), ("PostgreSQL", table)):
                ours = Ours(store, data)
                await _fill(ours, size // _STEPS)
                await server.analyze([f"of_{size}_checkpoints"] if store is table else [], [])
                for work, operation in ((_LATEST, ours.latest), (_NEWEST, ours.newest), (_LAST_TEN, ours.last_ten)):
                    name = OURS if size == sizes[-1] else f"among {size:,}"
                    read.setdefault(f"{work}, {place}", {})[name] = reading(operation, size // _STEPS)
        smallest = f"among {sizes[0]:,}"
        return [
            Result(
                f"{work}, among {sizes[-1]:,}", await race(plan, calls, READS), reaches=[at_most_times(1.5, smallest)]
            )
            for work, calls in read.items()
        ]


async def postgres_threads(plan: Plan) -> list[Result]:
    """Threads of agent state in PostgreSQL.

    As on files; by hand, a table of steps and one of writes, in one transaction.
    """
    data = conversation(_BYTES)
    async with Server.started() as server, AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            asyncpg.create_pool(server.dsn, min_size=2, server_settings={"search_path": server.hand})
        )
        hand = Hand(pool, data)
        await hand.make_tables()
        stores = {
            OURS: Ours(await server.open(PostgresCheckpointStore), data),
            BY_HAND: hand,
            **installed({"langgraph PostgresSaver": on_postgres}, server.dsn, data, stack),
        }
        reach = [at_most_times(1.25, BY_HAND)]
        reaches: dict[str, list[Reach]] = dict.fromkeys((_LATEST, _NEWEST, _LAST_TEN, _FILTER, _SAVE), reach)
        return await _measured(
            plan, stores, reaches, 0.020, partial(server.analyze, ["checkpoints"], ["steps", "writes"])
        )


async def redis_threads(plan: Plan) -> list[Result]:
    """Threads of agent state in Redis.

    As on files, with a tenth of the threads; by hand, a sorted set of steps and a hash of writes for each thread, in
    one transaction.
    """
    plan, data = replace(plan, steps=plan.steps // 10), conversation(_BYTES)
    async with RedisServer.started() as server, AsyncExitStack() as stack:
        stores = {
            OURS: Ours(await server.open(RedisCheckpointStore), data),
            COMMANDS: InRedis(server.client, data),
            **installed({"langgraph RedisSaver": on_redis}, server.url, data, stack),
        }
        reach = [at_most_times(1.25, COMMANDS)]
        reaches: dict[str, list[Reach]] = dict.fromkeys((_LATEST, _NEWEST, _LAST_TEN, _FILTER, _SAVE), reach)
        return await _measured(plan, stores, reaches, 0.020, _nothing)


READS = 20  # of one turn


async def _nothing() -> None:
    pass


async def _fill(store: Threads, count: int) -> None:
    for number in range(count):
        await store.fill(f"thread-{number}", _STEPS)


def reading(operation: Callable[[str], Awaitable[Any]], count: int) -> Call:
    """Return a call that reads from `READS` of `count` threads."""

    async def read(turn: int) -> None:
        for number in range(READS):
            await operation(f"thread-{(turn * READS + number) * 7919 % count}")

    return read


def saving(operation: Callable[[str, int], Awaitable[Any]], count: int, steps: int) -> Call:
    """Return a call that saves a step of `READS` of `count` threads, which have `steps` already."""

    async def save(turn: int) -> None:
        for number in range(READS):
            await operation(f"thread-{number * 7919 % count}", steps + turn * READS + number)

    return save


async def _measured(
    plan: Plan,
    stores: Mapping[str, Threads | None],
    reaches: Mapping[str, Sequence[Reach]],
    deletion: float,
    filled: Callable[[], Awaitable[None]],
) -> list[Result]:
    count = plan.steps // _STEPS
    there = {name: store for name, store in stores.items() if store is not None}
    for store in there.values():
        await _fill(store, count)
        store.filled()
    await filled()
    calls: dict[str, dict[str, Call | None]] = {
        work: {name: reading(getattr(store, operation), count) if store else None for name, store in stores.items()}
        for work, operation in (
            (_LATEST, "latest"),
            (_NEWEST, "newest"),
            (_LAST_TEN, "last_ten"),
            (_FILTER, "inputs"),
        )
    }
    calls[_SAVE] = {name: saving(store.save, count, _STEPS) if store else None for name, store in stores.items()}
    results = [
        Result(work, await race(plan, contestants, READS), reaches=reaches.get(work, ()))
        for work, contestants in calls.items()
    ]
    seconds: dict[str, list[float]] = {name: [] for name in there}
    for number in range(_DELETIONS):
        for name, store in there.items():
            await store.fill(f"long-{number}", _LONG)
            seconds[name].append(await timed(partial(_deleted, store), number))
    deleting = {name: statistics.median(seconds[name]) if name in seconds else None for name in stores}
    results.append(Result(f"delete a thread of {_LONG:,}", deleting, reaches=[at_most(deletion)]))
    return results


async def _deleted(store: Threads, number: int) -> None:
    await store.delete(f"long-{number}")
