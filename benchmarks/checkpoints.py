"""Checkpoints in a file: saving, loading, listing."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from benchmarks.data import conversation
from benchmarks.harness import OURS, Call, Plan, Result, at_most_times, installed, library, race
from symphony_registry.backends.checkpoint_store import FileCheckpointStore

_PLAIN, _PLAIN_BYTES = "orjson and the write", "the write"
_SMALL_BYTES = 1_000
_PART = 1 << 20
_KEPT = 4  # checkpoints that a turn writes over


class Appended:
    """Encoded data at the end of a file, synced."""

    def __init__(self, directory: Path, name: str) -> None:
        self._file = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PART):  # in the middle of a page, all at once takes several times as long
            os.write(self._file, data[start : start + _PART])
        os.fdatasync(self._file)

    def read(self, size: int, _: int) -> bytes:
        return os.pread(self._file, size, 0)


class Langgraph:
    """langgraph's SqliteSaver; its log is synced at each commit."""

    def __init__(self, directory: Path) -> None:
        connection = sqlite3.connect(directory / "langgraph.sqlite", check_same_thread=False)
        connection.execute("pragma synchronous = full")
        self._saver = library("langgraph.checkpoint.sqlite").SqliteSaver(connection)
        self._empty = library("langgraph.checkpoint.base").empty_checkpoint

    @staticmethod
    def _at(thread: str) -> dict[str, Any]:
        return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}

    def save(self, thread: str, data: Any) -> None:
        checkpoint = {**self._empty(), "channel_values": data}
        self._saver.put(self._at(thread), checkpoint, {"source": "loop", "step": 1}, {})

    def load(self, thread: str) -> Any:
        return self._saver.get_tuple(self._at(thread)).checkpoint["channel_values"]

    def list(self) -> Any:
        return list(self._saver.list(None))


def _writers(directory: Path) -> dict[str, Callable[[], Callable[[Any], None]]]:
    """Return what sets up each plain way to write an object durably."""

    def plain(encode: Callable[[Any], bytes], name: str) -> Callable[[Any], None]:
        file = Appended(directory, name)
        return lambda data: file.write(encode(data))

    return {
        _PLAIN: lambda: plain(orjson.dumps, "orjson"),
        "json": lambda: plain(lambda data: json.dumps(data).encode(), "json"),
        "msgspec": lambda: plain(library("msgspec.json").encode, "msgspec"),
    }


def _saving(directory: Path, data: Any, times: int) -> dict[str, Call | None]:
    """Return calls that save `data` `times` times, under an id each."""

    def repeated(set_up: Callable[[], Callable[[Any], None]]) -> Callable[[], Call]:
        def call() -> Call:
            write = set_up()

            def work(_: int) -> None:
                for _ in range(times):
                    write(data)

            return work

        return call

    def langgraph() -> Call:
        saver = Langgraph(directory)

        def work(_: int) -> None:
            for number in range(times):
                saver.save(f"thread-{number}", data)

        return work

    writers = {name: repeated(set_up) for name, set_up in _writers(directory).items()}
    return installed({**writers, "langgraph SqliteSaver": langgraph})


def _loading(directory: Path, data: Any) -> dict[str, Call | None]:
    text = orjson.dumps(data)

    def msgspec() -> Call:
        decode = library("msgspec.json").decode
        return lambda _: decode(text)

    def langgraph() -> Call:
        saver = Langgraph(directory)
        saver.save("loaded", data)
        return lambda _: saver.load("loaded")

    return installed(
        {
            _PLAIN: lambda: lambda _: orjson.loads(text),
            "json": lambda: lambda _: json.loads(text),
            "msgspec": msgspec,
            "langgraph SqliteSaver": langgraph,
        }
    )


async def checkpoints(plan: Plan) -> list[Result]:
    """A large checkpoint.

    An agent's state as nested JSON. Saving means on the disk; the plain ways write at the end of a file and
    sync it. Loading gives the data; the plain ways decode what is in memory already.
    """
    results = []
    for size in plan.checkpoint_bytes:
        data = conversation(size)
        work = f"{len(orjson.dumps(data)) / 1e6:.3g} MB"
        with TemporaryDirectory(dir=plan.directory) as name:
            async with FileCheckpointStore({"path": Path(name) / "ours"}) as store:

                async def save(turn: int, store: FileCheckpointStore = store, data: Any = data) -> None:
                    await store.save_checkpoint(f"checkpoint-{turn % _KEPT}", data)

                saving = await race(plan, {OURS: save, **_saving(Path(name), data, 1)}, settle=os.sync)
                load = partial(_load, store)
                loading = await race(plan, {OURS: load, **_loading(Path(name), data)})
        results.append(Result(f"save {work}", saving, reaches=[at_most_times(2, _PLAIN)]))
        results.append(Result(f"load {work}", loading, reaches=[at_most_times(1.5, _PLAIN)]))
    return results


async def payloads(plan: Plan) -> list[Result]:
    """A payload.

    Bytes of a serialised state, which no compression makes shorter; saved means on the disk. The plain way writes them
    at the end of a file and syncs it, and reads them from there.
    """
    results = []
    for size in plan.checkpoint_bytes:
        payload = os.urandom(size)
        with TemporaryDirectory(dir=plan.directory) as name:
            file = Appended(Path(name), "plain")
            async with FileCheckpointStore({"path": Path(name) / "ours"}) as store:

                async def save(turn: int, store: FileCheckpointStore = store, payload: bytes = payload) -> None:
                    await store.save_checkpoint(f"checkpoint-{turn % _KEPT}", {}, payload=payload)

                def write(_: int, file: Appended = file, payload: bytes = payload) -> None:
                    file.write(payload)

                saving = await race(plan, {OURS: save, _PLAIN_BYTES: write}, settle=os.sync)
                contestants: dict[str, Call | None] = {
                    OURS: partial(_load, store),
                    _PLAIN_BYTES: partial(file.read, size),
                }
                loading = await race(plan, contestants)
        work = f"{size / 1e6:.3g} MB"
        results.append(Result(f"save {work}", saving, reaches=[at_most_times(1.5, _PLAIN_BYTES)]))
        results.append(Result(f"load {work}", loading, reaches=[at_most_times(1.5, _PLAIN_BYTES)]))
    return results


async def _load(store: FileCheckpointStore, _: int) -> Any:
    return await store.get_checkpoint("checkpoint-0")


async def small(plan: Plan) -> list[Result]:
    """Many small checkpoints.

    One after the other, each on the disk before the next, about 1,000 bytes; then the list of all, which must not
    become slower when the data are ten times as large.
    """
    data = conversation(_SMALL_BYTES)
    saved = plan.checkpoints // 10
    with TemporaryDirectory(dir=plan.directory) as name:
        directory = Path(name)
        async with FileCheckpointStore({"path": directory / "ours"}) as store:

            async def save(turn: int) -> None:
                for number in range(saved):
                    await store.save_checkpoint(f"checkpoint-{number}", data, {"turn": turn})

            saving = await race(plan, {OURS: save, **_saving(directory, data, saved)}, saved, os.sync)
        listing = await _listing(plan, directory)
    return [
        Result(f"save {saved:,}, one of them", saving, reaches=[at_most_times(1.5, _PLAIN)]),
        Result(f"list {plan.checkpoints:,}", listing, reaches=[at_most_times(1.5, _SMALLER)]),
    ]


_SMALLER = "symphony, a tenth of the data"


async def _listing(plan: Plan, directory: Path) -> dict[str, float | None]:
    def langgraph() -> Call:
        saver = Langgraph(directory)
        for number in range(plan.checkpoints):
            saver.save(f"thread-{number}", {"n": number})
        return lambda _: saver.list()

    async with (
        FileCheckpointStore({"path": directory / "large"}) as large,
        FileCheckpointStore({"path": directory / "little"}) as little,
    ):
        for store, size in ((large, 10 * _SMALL_BYTES), (little, _SMALL_BYTES)):
            data = conversation(size)
            ids = iter(range(plan.checkpoints))

            async def save(ids: Any = ids, store: FileCheckpointStore = store, data: Any = data) -> None:
                for number in ids:
                    await store.save_checkpoint(f"checkpoint-{number}", data, {"step": number})

            await asyncio.gather(*(save() for _ in range(64)))
        contestants = {
            OURS: lambda _: large.list_checkpoints(),
            _SMALLER: lambda _: little.list_checkpoints(),
            **installed({"langgraph SqliteSaver": langgraph}),
        }
        return await race(plan, contestants)
