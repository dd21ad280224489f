"""Adding to a file, with every write on the disk before it is acknowledged."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import peers
from benchmarks.data import Corpus, mixture
from benchmarks.harness import OURS, RATE, Call, Plan, Result, at_least, at_least_times, installed, library, race
from symphony_registry.backends.vector_store import FileVectorStore

DIMENSION = 384
GROWING = "the disk's limit, a growing file"
AHEAD = "the disk's limit, a file written ahead"
AIOSQLITE = "aiosqlite, the same"
_TASKS = 64
BATCHES = f"sqlite, batches of {_TASKS}"
_TABLE = (
    "pragma journal_mode = wal",
    "pragma synchronous = full",
    "create table v (id text primary key, x blob)",
)
_INSERT = "insert or replace into v values (?, ?)"


class Limit:
    """Nothing but the bytes: they are written at the end of what was written, and synced."""

    def __init__(self, directory: Path, size: int, ahead: int = 0) -> None:
        """Write `ahead` bytes in advance; they are overwritten then, again and again."""
        self._file = os.open(directory / f"limit-{size}-{ahead}", os.O_RDWR | os.O_CREAT)
        self._record = b"x" * size
        self._ahead = ahead
        self._end = 0
        if ahead:
            os.pwrite(self._file, bytes(ahead), 0)
            os.fsync(self._file)

    def write(self) -> None:
        if self._ahead and self._end + len(self._record) > self._ahead:
            self._end = 0
        os.pwrite(self._file, self._record, self._end)
        os.fdatasync(self._file)
        self._end += len(self._record)


class Sqlite:
    """sqlite with a write-ahead log, synced at each commit."""

    def __init__(self, directory: Path) -> None:
        self._connection = sqlite3.connect(directory / "vectors.sqlite", isolation_level=None)
        for statement in _TABLE:
            self._connection.execute(statement)

    def add(self, ids: list[str], vectors: Any) -> None:
        self._connection.execute("begin")
        self._connection.executemany(_INSERT, _rows(ids, vectors))
        self._connection.execute("commit")


class Aiosqlite:
    """The same by aiosqlite: each statement is awaited on a thread of the connection."""

    def __init__(self, directory: Path) -> None:
        self._connection = library("aiosqlite").connect(directory / "aiosqlite.sqlite", isolation_level=None)

    async def open(self) -> None:
        await self._connection
        for statement in _TABLE:
            await self._connection.execute(statement)

    async def add(self, ids: list[str], vectors: Any) -> None:
        rows = _rows(ids, vectors)
        if len(rows) == 1:
            await self._connection.execute(_INSERT, rows[0])
            return
        await self._connection.execute("begin")
        await self._connection.executemany(_INSERT, rows)
        await self._connection.execute("commit")

    async def close(self) -> None:
        await self._connection.close()


def _rows(ids: list[str], vectors: Any) -> list[tuple[str, bytes]]:
    return [(id, vector.tobytes()) for id, vector in zip(ids, vectors, strict=True)]


async def record_size(directory: Path, corpus: Corpus) -> int:
    """Return how many bytes one of our records has."""
    sizes = []
    for count in (100, 200):
        path = directory / f"measured-{count}"
        async with FileVectorStore({"path": path}) as store:
            await store.add_many(zip(corpus.ids[:count], corpus.vectors, [None] * count, strict=False))
        sizes.append(len((path / "journal.jsonl").read_bytes().rstrip(b"\0\n ")))
    return (sizes[1] - sizes[0]) // 100


def _places(directory: Path) -> Callable[[str], Path]:
    def place(name: str) -> Path:
        (directory / name).mkdir()
        return directory / name

    return place


def _in_turn(corpus: Corpus, step: int, size: int, add: Callable[[list[int]], Any]) -> Call:
    """Return a call that adds `step` vectors, `size` at once, others in each turn."""

    def work(turn: int) -> None:
        start = turn * step % (len(corpus.vectors) - step)
        for first in range(start, start + step, size):
            add(list(range(first, first + size)))

    return work


def _libraries(place: Callable[[str], Path], corpus: Corpus, step: int, size: int, names: dict[str, Any]) -> Any:
    def adding(name: str, kind: Any) -> Callable[[], Call]:
        def set_up() -> Call:
            peer = kind(place(name), DIMENSION)
            return _in_turn(corpus, step, size, lambda rows: peer.add(rows, corpus.vectors[rows[0] : rows[-1] + 1]))

        return set_up

    return {name: adding(name, kind) for name, kind in names.items()}


@asynccontextmanager
async def _aiosqlite(directory: Path, corpus: Corpus, step: int, size: int) -> AsyncIterator[Call | None]:
    """Give the call that adds with aiosqlite, until it is closed; `None`: not installed."""
    try:
        peer = Aiosqlite(directory)
    except ModuleNotFoundError:
        yield None
        return
    await peer.open()

    async def work(turn: int) -> None:
        start = turn * step % (len(corpus.vectors) - step)
        for first in range(start, start + step, size):
            await peer.add(corpus.ids[first : first + size], corpus.vectors[first : first + size])

    try:
        yield work
    finally:
        await peer.close()


async def durable(plan: Plan) -> list[Result]:
    """Durable adding, one at a time.

    Each vector is on the disk before the next is added. The disk's limit is a loop that writes as many bytes and
    syncs them with `fdatasync`: at the end of a growing file, and over a file that was written ahead. All but ours and
    aiosqlite hold the event loop meanwhile.
    """
    corpus = mixture(min(plan.vectors, 20_000))
    step = 100 if plan.vectors >= 100_000 else 5
    with TemporaryDirectory(dir=plan.directory) as directory:
        place = _places(Path(directory))
        size = await record_size(place("sizes"), corpus)
        growing, ahead = Limit(Path(directory), size), Limit(Path(directory), size, ahead=size * 10_000)
        sqlite = Sqlite(Path(directory))
        others = {"qdrant local": peers.Qdrant, "lancedb": peers.Lancedb, "chroma": peers.Chroma}
        async with (
            FileVectorStore({"path": place("ours")}) as store,
            _aiosqlite(Path(directory), corpus, step, 1) as aiosqlite,
        ):

            async def add(turn: int) -> None:
                start = turn * step % (len(corpus.vectors) - step)
                for row in range(start, start + step):
                    await store.add(corpus.ids[row], corpus.vectors[row])

            contestants = {
                OURS: add,
                GROWING: _in_turn(corpus, step, 1, lambda _: growing.write()),
                AHEAD: _in_turn(corpus, step, 1, lambda _: ahead.write()),
                "sqlite, WAL, synchronous=FULL": _in_turn(
                    corpus, step, 1, lambda rows: sqlite.add([corpus.ids[rows[0]]], corpus.vectors[rows])
                ),
                AIOSQLITE: aiosqlite,
                **installed(_libraries(place, corpus, step, 1, others)),
            }
            figures = await race(plan, contestants, per=step, settle=os.sync)
    return [Result(f"`add`, {size:,} bytes each", figures, RATE, [at_least_times(1, AIOSQLITE)])]


async def group(plan: Plan) -> list[Result]:
    """Durable adding, 64 at once.

    64 tasks, each adding one vector after the other; and `add_many` of 64. All of a group is on the disk before it is
    acknowledged. All but ours and aiosqlite hold the event loop meanwhile.
    """
    corpus = mixture(min(plan.vectors, 20_000))
    step = _TASKS * (20 if plan.vectors >= 100_000 else 1)
    with TemporaryDirectory(dir=plan.directory) as directory:
        place = _places(Path(directory))
        limit = Limit(Path(directory), _TASKS * await record_size(place("sizes"), corpus))
        sqlite = Sqlite(Path(directory))
        others = {"lancedb": peers.Lancedb, "chroma": peers.Chroma}
        async with (
            FileVectorStore({"path": place("ours")}) as store,
            _aiosqlite(Path(directory), corpus, step, _TASKS) as aiosqlite,
        ):

            async def tasks(turn: int) -> None:
                start = turn * step % (len(corpus.vectors) - step)

                async def add(first: int) -> None:
                    for row in range(first, start + step, _TASKS):
                        await store.add(corpus.ids[row], corpus.vectors[row])

                await asyncio.gather(*(add(start + task) for task in range(_TASKS)))

            async def add_many(turn: int) -> None:
                start = turn * step % (len(corpus.vectors) - step)
                for first in range(start, start + step, _TASKS):
                    rows = slice(first, first + _TASKS)
                    await store.add_many(zip(corpus.ids[rows], corpus.vectors[rows], [None] * _TASKS, strict=True))

            def batches(rows: list[int]) -> None:
                sqlite.add([corpus.ids[row] for row in rows], corpus.vectors[rows])

            contestants = {
                OURS: tasks,
                "`add_many`": add_many,
                f"{GROWING}, {_TASKS} at once": _in_turn(corpus, step, _TASKS, lambda _: limit.write()),
                "sqlite, a commit each": _in_turn(
                    corpus, step, 1, lambda rows: sqlite.add([corpus.ids[rows[0]]], corpus.vectors[rows])
                ),
                BATCHES: _in_turn(corpus, step, _TASKS, batches),
                f"aiosqlite, batches of {_TASKS}": aiosqlite,
                **{
                    f"{name}, batches of {_TASKS}": call
                    for name, call in installed(_libraries(place, corpus, step, _TASKS, others)).items()
                },
            }
            figures = await race(plan, contestants, per=step, settle=os.sync)
    peers_figures = {name: figure for name, figure in figures.items() if name not in (OURS, "`add_many`")}
    return [
        Result(f"{_TASKS} tasks", {OURS: figures[OURS], **peers_figures}, RATE, [at_least_times(0.5, BATCHES)]),
        Result(f"`add_many({_TASKS})`", {OURS: figures["`add_many`"], **peers_figures}, RATE, [at_least(40_000)]),
    ]
