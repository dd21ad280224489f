"""Agent state: many threads in one checkpoint store."""

import sqlite3
import statistics
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import orjson

from benchmarks.data import conversation
from benchmarks.harness import OURS, Call, Plan, Reach, Result, at_most, at_most_times, installed, library, race, timed
from benchmarks.postgres import BY_HAND, Server
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore

_STEPS, _BYTES = 50, 1_000  # of a thread, and of one of its checkpoints
_LONG = 1_000  # steps of a thread that is deleted
_DELETIONS = 5
_STEP = "SELECT step, metadata, data FROM steps"
_LATEST, _NEWEST, _LAST_TEN = "a thread's last step", "its step that was saved last", "its last ten"
_FILTER, _SAVE = "its inputs, by a filter", "save a step"


class Threads(ABC):
    """A store of threads; each step has some writes of its own."""

    def filled(self) -> None:  # noqa: B027 - nothing to do for most
        """Save as durably as promised from now on."""

    @abstractmethod
    async def fill(self, thread: str, steps: int) -> None:
        """Save so many steps, quickly."""

    @abstractmethod
    async def latest(self, thread: str) -> Any:
        """Return the last step, with its data."""

    async def newest(self, thread: str) -> Any:
        """Return the step that was saved last, with its data: for most, that is the last one."""
        return await self.latest(thread)

    @abstractmethod
    async def last_ten(self, thread: str) -> Any:
        """Return the last ten steps, the newest first, with their data."""

    @abstractmethod
    async def inputs(self, thread: str) -> Any:
        """Return the steps whose source is an input, with their data."""

    @abstractmethod
    async def save(self, thread: str, step: int) -> None:
        """Save a step and three writes of it, durably."""

    @abstractmethod
    async def delete(self, thread: str) -> None:
        """Delete a thread."""


def _metadata(step: int) -> dict[str, Any]:
    return {"source": "loop" if step % 10 else "input", "step": step}


class Ours(Threads):
    """A checkpoint store: a step under `thread/step`, its writes below it."""

    def __init__(self, store: Any, data: Any) -> None:
        self._store, self._data = store, data

    async def fill(self, thread: str, steps: int) -> None:
        await self._store.save_checkpoints([(f"{thread}/{n:06}", self._data, _metadata(n)) for n in range(steps)])

    async def latest(self, thread: str) -> Any:
        return await self._store.find_checkpoints(prefix=f"{thread}/", reverse=True, limit=1, include_data=True)

    async def newest(self, thread: str) -> Any:
        return await self._store.get_latest_checkpoint(prefix=f"{thread}/")

    async def last_ten(self, thread: str) -> Any:
        return await self._store.find_checkpoints(prefix=f"{thread}/", reverse=True, limit=10, include_data=True)

    async def inputs(self, thread: str) -> Any:
        wanted = {"source": "input"}
        return await self._store.find_checkpoints(prefix=f"{thread}/", metadata_filter=wanted, include_data=True)

    async def save(self, thread: str, step: int) -> None:
        id = f"{thread}/{step:06}"
        writes = [(f"{id}/{place}", {"value": place}, None) for place in range(3)]
        await self._store.save_checkpoints([(id, self._data, _metadata(step)), *writes])

    async def delete(self, thread: str) -> None:
        await self._store.delete_checkpoints(prefix=f"{thread}/")


class Hand(Threads):
    """Plain SQL on the same driver: a table of steps, and one of writes."""

    def __init__(self, pool: Any, data: Any) -> None:
        self._pool, self._data = pool, orjson.dumps(data)

    async def make_tables(self) -> None:
        await self._pool.execute(
            "CREATE TABLE steps (thread text, step int, metadata jsonb, data bytea, PRIMARY KEY (thread, step));"
            "CREATE TABLE writes (thread text, step int, place int, data bytea, PRIMARY KEY (thread, step, place))"
        )

    async def fill(self, thread: str, steps: int) -> None:
        rows = [(thread, step, orjson.dumps(_metadata(step)).decode(), self._data) for step in range(steps)]
        await self._pool.copy_records_to_table("steps", records=rows)

    async def _read(self, rest: str, thread: str) -> list[Any]:
        found = await self._pool.fetch(f"{_STEP} WHERE thread = $1 {rest}", thread)
        return [(step, orjson.loads(metadata), orjson.loads(data)) for step, metadata, data in found]

    async def latest(self, thread: str) -> Any:
        return await self._read("ORDER BY step DESC LIMIT 1", thread)

    async def last_ten(self, thread: str) -> Any:
        return await self._read("ORDER BY step DESC LIMIT 10", thread)

    async def inputs(self, thread: str) -> Any:
        return await self._read("""AND metadata @> '{"source": "input"}' ORDER BY step""", thread)

    async def save(self, thread: str, step: int) -> None:
        metadata = orjson.dumps(_metadata(step)).decode()
        writes = [(thread, step, place, orjson.dumps({"value": place})) for place in range(3)]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO steps VALUES ($1, $2, $3, $4)", thread, step, metadata, self._data)
            await connection.executemany("INSERT INTO writes VALUES ($1, $2, $3, $4)", writes)

    async def delete(self, thread: str) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM writes WHERE thread = $1", thread)
            await connection.execute("DELETE FROM steps WHERE thread = $1", thread)


class Langgraph(Threads):
    """A saver of langgraph's."""

    def __init__(self, saver: Any, data: Any) -> None:
        self._saver, self._data = saver, data
        self._empty = library("langgraph.checkpoint.base").empty_checkpoint

    @staticmethod
    def _at(thread: str) -> dict[str, Any]:
        return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}

    def _put(self, thread: str, step: int) -> Any:
        checkpoint = {**self._empty(), "id": f"{step:06}", "channel_values": {"state": self._data}}
        checkpoint["channel_versions"] = {"state": f"{step}"}
        return self._saver.put(self._at(thread), checkpoint, _metadata(step), {"state": f"{step}"})

    async def fill(self, thread: str, steps: int) -> None:
        for step in range(steps):
            self._put(thread, step)

    async def latest(self, thread: str) -> Any:
        return self._saver.get_tuple(self._at(thread))

    async def last_ten(self, thread: str) -> Any:
        return list(self._saver.list(self._at(thread), limit=10))

    async def inputs(self, thread: str) -> Any:
        return list(self._saver.list(self._at(thread), filter={"source": "input"}))

    async def save(self, thread: str, step: int) -> None:
        saved = self._put(thread, step)
        self._saver.put_writes(saved, [("channel", {"value": place}) for place in range(3)], uuid4().hex)

    async def delete(self, thread: str) -> None:
        self._saver.delete_thread(thread)


class OnSqlite(Langgraph):
    """langgraph's SqliteSaver, which syncs nothing until it is filled."""

    def __init__(self, path: Path, data: Any, stack: AsyncExitStack) -> None:
        self._connection = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
        self._connection.execute("pragma synchronous = off")
        super().__init__(library("langgraph.checkpoint.sqlite").SqliteSaver(self._connection), data)

    def filled(self) -> None:
        self._connection.execute("pragma synchronous = full")


def _on_postgres(dsn: str, data: Any, stack: AsyncExitStack) -> Threads:
    saver = stack.enter_context(library("langgraph.checkpoint.postgres").PostgresSaver.from_conn_string(dsn))
    saver.setup()
    return Langgraph(saver, data)


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
            **installed({"langgraph PostgresSaver": _on_postgres}, server.dsn, data, stack),
        }
        reach = [at_most_times(1.25, BY_HAND)]
        reaches: dict[str, list[Reach]] = dict.fromkeys((_LATEST, _NEWEST, _LAST_TEN, _FILTER, _SAVE), reach)
        return await _measured(
            plan, stores, reaches, 0.020, partial(server.analyze, ["checkpoints"], ["steps", "writes"])
        )


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
