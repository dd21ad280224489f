"""Stores of threads: ours, what one would write by hand, and langgraph's savers."""

import sqlite3
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from benchmarks.harness import library

_STEP = "SELECT step, metadata, data FROM steps"


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


class InRedis(Threads):
    """Plain commands on the same client: a sorted set of the steps of a thread, and a hash of its writes."""

    def __init__(self, client: Any, data: Any) -> None:
        self._client, self._data = client, data

    async def fill(self, thread: str, steps: int) -> None:
        await self._client.zadd(thread, {self._step(step): step for step in range(steps)})

    def _step(self, step: int) -> bytes:
        return orjson.dumps([step, _metadata(step), self._data])

    async def latest(self, thread: str) -> Any:
        return list(map(orjson.loads, await self._client.zrange(thread, 0, 0, desc=True)))

    async def last_ten(self, thread: str) -> Any:
        return list(map(orjson.loads, await self._client.zrange(thread, 0, 9, desc=True)))

    async def inputs(self, thread: str) -> Any:
        steps = map(orjson.loads, await self._client.zrange(thread, 0, -1))
        return [step for step in steps if step[1]["source"] == "input"]

    async def save(self, thread: str, step: int) -> None:
        pipe = self._client.pipeline(transaction=True)
        pipe.zadd(thread, {self._step(step): step})
        pipe.hset(f"{thread}:writes", mapping={f"{step}/{place}": orjson.dumps({"value": place}) for place in range(3)})
        await pipe.execute()

    async def delete(self, thread: str) -> None:
        await self._client.unlink(thread, f"{thread}:writes")


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


def on_postgres(dsn: str, data: Any, stack: AsyncExitStack) -> Threads:
    """Return langgraph's PostgresSaver."""
    saver = stack.enter_context(library("langgraph.checkpoint.postgres").PostgresSaver.from_conn_string(dsn))
    saver.setup()
    return Langgraph(saver, data)


def on_redis(url: str, data: Any, stack: AsyncExitStack) -> Threads:
    """Return langgraph's RedisSaver."""
    saver = stack.enter_context(library("langgraph.checkpoint.redis").RedisSaver.from_conn_string(url))
    saver.setup()
    return Langgraph(saver, data)
