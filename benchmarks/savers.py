"""langgraph's checkpointers: ours over a checkpoint store, and langgraph's own."""

import os
import sqlite3
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from benchmarks.data import conversation
from benchmarks.harness import (
    MEGABYTES,
    OURS,
    Call,
    Plan,
    Result,
    at_most_times,
    installed,
    library,
    race,
    timed,
)
from benchmarks.postgres import Server
from benchmarks.redis import RedisServer
from benchmarks.threads import READS, reading, saving
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore

_STEPS = 25  # of a thread
_LONG = 1_000  # steps of a thread whose history is read, and which is deleted
_MESSAGE, _DOCUMENT = 1_000, 5_000  # bytes that each step changes, and that none does
_DELETIONS = 3
_SQLITE, _ASYNC_SQLITE = "langgraph SqliteSaver", "langgraph AsyncSqliteSaver"
_POSTGRES, _ASYNC_POSTGRES = "langgraph PostgresSaver", "langgraph AsyncPostgresSaver"
_REDIS = "langgraph AsyncRedisSaver"


class Saver:
    """A checkpointer, called as langgraph calls it; those that share tables have threads of their own."""

    def __init__(self, saver: Any, threads: str = "", *, is_async: bool = True) -> None:
        self._saver, self._threads, self._async = saver, threads, is_async
        self._empty = library("langgraph.checkpoint.base").empty_checkpoint
        self._message, self._document = conversation(_MESSAGE), conversation(_DOCUMENT)

    def filled(self) -> None:
        """Save as durably as promised from now on."""

    async def _call(self, name: str, *args: Any) -> Any:
        if self._async:
            return await getattr(self._saver, f"a{name}")(*args)
        return getattr(self._saver, name)(*args)

    async def save(self, thread: str, step: int) -> None:
        """Save a step as a graph does: a new state, then the writes of its task."""
        versions = {"messages": f"{step + 1:032}.0", "document": f"{1:032}.0"}
        checkpoint = {
            **self._empty(),
            "v": 4,
            "id": self._id(step),
            "channel_values": {"messages": self._message, "document": self._document, "step": step},
            "channel_versions": {**versions, "step": versions["messages"]},
        }
        new = {"messages": versions["messages"], "step": versions["messages"], **({} if step else versions)}
        config = self._at(thread)
        if step:
            config["configurable"]["checkpoint_id"] = self._id(step - 1)
        saved = await self._call("put", config, checkpoint, {"source": "loop", "step": step, "parents": {}}, new)
        await self._call("put_writes", saved, [("messages", self._message), ("step", step)], uuid4().hex)

    async def fill(self, thread: str, steps: int) -> None:
        """Save so many steps."""
        for step in range(steps):
            await self.save(thread, step)

    async def latest(self, thread: str) -> Any:
        """Return the last step."""
        found = await self._call("get_tuple", self._at(thread))
        assert found is not None
        return found

    async def last_ten(self, thread: str) -> Any:
        """Return the last ten steps, the newest first."""
        return await self._listed(thread, 10)

    async def history(self, thread: str) -> Any:
        """Return all of a long thread."""
        found = await self._listed(thread, None)
        assert len(found) == _LONG
        return found

    async def _listed(self, thread: str, limit: int | None) -> list[Any]:
        if self._async:
            return [each async for each in self._saver.alist(self._at(thread), limit=limit)]
        return list(self._saver.list(self._at(thread), limit=limit))

    async def delete(self, thread: str) -> None:
        """Delete a thread."""
        await self._call("delete_thread", self._threads + thread)

    @staticmethod
    def _id(step: int) -> str:
        return f"{step:08}-0000-6000-8000-000000000000"

    def _at(self, thread: str) -> dict[str, Any]:
        return {"configurable": {"thread_id": self._threads + thread, "checkpoint_ns": ""}}


class OnSqlite(Saver):
    """langgraph's SqliteSaver, which syncs nothing until it is filled."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        stack.callback(self._connection.close)
        self._connection.execute("pragma synchronous = off")
        super().__init__(library("langgraph.checkpoint.sqlite").SqliteSaver(self._connection), is_async=False)

    def filled(self) -> None:
        self._connection.execute("pragma synchronous = full")


def _ours(store: Any) -> Saver:
    return Saver(library("symphony_registry.integrations.langgraph").RegistrySaver(store))


async def savers(plan: Plan) -> list[Result]:
    """Checkpointers of langgraph, on files.

    Threads of 25 steps, each with a new message of 1,000 bytes, a document of 5,000 that stays, and the two writes of
    its task, on the disk; a history and a deletion are of 1,000 steps.
    """
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(dir=plan.directory)))
        file = await stack.enter_async_context(FileCheckpointStore({"path": directory / "ours"}))
        memory = await stack.enter_async_context(InMemoryCheckpointStore())
        contestants: dict[str, Saver | None] = {
            OURS: _ours(file),
            "symphony, memory": _ours(memory),
            **installed({_SQLITE: OnSqlite}, directory / "sqlite", stack),
            _ASYNC_SQLITE: await _async_sqlite(directory / "async.sqlite", stack),
        }
        used = {OURS: directory / "ours", _SQLITE: directory / "sqlite", _ASYNC_SQLITE: directory / "async.sqlite"}

        async def disk() -> dict[str, float | None]:
            return {
                name: sum(map(_allocated, path.parent.glob(f"{path.name}*"))) / 1e6 if contestants[name] else None
                for name, path in used.items()
            }

        return await _measured(plan, contestants, [_SQLITE, _ASYNC_SQLITE], disk)


async def postgres_savers(plan: Plan) -> list[Result]:
    """Checkpointers of langgraph, in PostgreSQL.

    As on files.
    """
    async with Server.started() as server, AsyncExitStack() as stack:
        store = await server.open(PostgresCheckpointStore)
        contestants: dict[str, Saver | None] = {
            OURS: _ours(store),
            **installed({_POSTGRES: _on_postgres}, server.dsn, stack),
            _ASYNC_POSTGRES: await _async_postgres(server.dsn, stack),
        }

        async def disk() -> dict[str, float | None]:
            tables = [f"{server.ours}.checkpoints"]
            if contestants[_POSTGRES] is None:
                return {OURS: (await server.sizes(*tables))[0] / 1e6}
            ours, theirs = await server.sizes(*tables, "checkpoints, checkpoint_blobs, checkpoint_writes")
            return {OURS: ours / 1e6, _POSTGRES: theirs / 2e6}  # of the two that share tables

        return await _measured(plan, contestants, [_POSTGRES, _ASYNC_POSTGRES], disk)


async def redis_savers(plan: Plan) -> list[Result]:
    """Checkpointers of langgraph, in Redis.

    As on files.
    """
    async with RedisServer.started() as server, AsyncExitStack() as stack:
        contestants: dict[str, Saver | None] = {
            OURS: _ours(await server.open(RedisCheckpointStore)),
            _REDIS: await _on_redis(server.url, stack),
        }

        async def memory() -> dict[str, float | None]:
            there = [name for name, saver in contestants.items() if saver is not None]
            return {name: await server.memory(ours=name == OURS) for name in there}

        return await _measured(plan, contestants, [_REDIS], memory, "in memory")


def _allocated(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_blocks * 512 for each in files)


async def _async_sqlite(path: Path, stack: AsyncExitStack) -> Saver | None:
    try:
        make = library("langgraph.checkpoint.sqlite.aio").AsyncSqliteSaver.from_conn_string
    except ModuleNotFoundError:
        return None
    saver = await stack.enter_async_context(make(os.fspath(path)))
    await saver.setup()
    await saver.conn.execute("pragma synchronous = full")
    return Saver(saver)


def _on_postgres(dsn: str, stack: AsyncExitStack) -> Saver:
    saver = stack.enter_context(library("langgraph.checkpoint.postgres").PostgresSaver.from_conn_string(dsn))
    saver.setup()
    return Saver(saver, is_async=False)


async def _async_postgres(dsn: str, stack: AsyncExitStack) -> Saver | None:
    try:
        make = library("langgraph.checkpoint.postgres.aio").AsyncPostgresSaver.from_conn_string
    except ModuleNotFoundError:
        return None
    return Saver(await stack.enter_async_context(make(dsn)), "async-")


async def _on_redis(url: str, stack: AsyncExitStack) -> Saver | None:
    try:
        make = library("langgraph.checkpoint.redis.aio").AsyncRedisSaver.from_conn_string
    except ModuleNotFoundError:
        return None
    saver = await stack.enter_async_context(make(url))
    await saver.asetup()
    return Saver(saver)


async def _measured(
    plan: Plan,
    contestants: Mapping[str, Saver | None],
    rivals: Sequence[str],
    size: Callable[[], Awaitable[dict[str, float | None]]],
    where: str = "on the disk",
) -> list[Result]:
    count = plan.steps // 5 // _STEPS
    there = {name: saver for name, saver in contestants.items() if saver is not None}
    for saver in there.values():
        for number in range(count):
            await saver.fill(f"thread-{number}", _STEPS)
        saver.filled()
    reaches = [at_most_times(1, rival) for rival in rivals if rival in there]
    taken = Result(where, await size(), MEGABYTES, [at_most_times(1, rivals[0])] if rivals[0] in there else [])
    for saver in there.values():
        await saver.fill("long", _LONG)
    calls: dict[str, tuple[int, dict[str, Call | None]]] = {
        "save a step": (
            READS,
            {name: saving(saver.save, count, _STEPS) if saver else None for name, saver in contestants.items()},
        ),
        "a thread's latest": (
            READS,
            {name: reading(saver.latest, count) if saver else None for name, saver in contestants.items()},
        ),
        "its last ten": (
            READS,
            {name: reading(saver.last_ten, count) if saver else None for name, saver in contestants.items()},
        ),
        "a history of 1,000": (
            1,
            {name: partial(_history, saver) if saver else None for name, saver in contestants.items()},
        ),
    }
    results = [
        Result(work, await race(plan, contestants, per), reaches=reaches) for work, (per, contestants) in calls.items()
    ]
    seconds: dict[str, list[float]] = {name: [] for name in there}
    for number in range(_DELETIONS):
        for name, saver in there.items():
            if number:
                await saver.fill("long", _LONG)
            seconds[name].append(await timed(partial(_deleted, saver)))
    deleting = {name: statistics.median(seconds[name]) if name in seconds else None for name in contestants}
    return [*results, Result(f"delete a thread of {_LONG:,}", deleting, reaches=reaches), taken]


async def _history(saver: Saver, _: int) -> Any:
    return await saver.history("long")


async def _deleted(saver: Saver, _: int) -> None:
    await saver.delete("long")
