"""Opening what is persisted and answering the first search, in a fresh process each time."""

import asyncio
import base64
import shutil
import statistics
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

from benchmarks import peers
from benchmarks.data import Condition, Corpus, Float32s, mixture
from benchmarks.harness import OURS, Plan, Result, apart, at_most, at_most_times, library
from benchmarks.vectors import fill as fill_store
from symphony_registry.backends.vector_store import FileVectorStore

_DIMENSION = 384
_JOURNAL = {"journal.jsonl", "LOCK"}  # everything else beside them can be rebuilt
REBUILT = "symphony, everything but the JSON removed"
_QDRANT_SHARE = 10


class Npy(peers.VectorPeer):
    """A mapped `.npy` file and numpy."""

    modules = ("numpy",)

    def __init__(self, directory: Path, dimension: int) -> None:  # noqa: ARG002
        self._path = directory / "vectors.npy"
        self._vectors = np.load(self._path, mmap_mode="r") if self._path.exists() else np.empty((0, 0), np.float32)

    def fill(self, corpus: Corpus) -> None:
        np.save(self._path, corpus.vectors)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        similarities = self._vectors @ query
        return np.argpartition(similarities, -10)[-10:]


class JsonLines(peers.VectorPeer):
    """A line of JSON for each vector, and numpy."""

    modules = ("orjson",)

    def __init__(self, directory: Path, dimension: int) -> None:  # noqa: ARG002
        self._path = directory / "vectors.jsonl"
        if self._path.exists():
            with self._path.open("rb") as file:
                self._vectors = np.array([self.decode(orjson.loads(line)["vector"]) for line in file], np.float32)

    def fill(self, corpus: Corpus) -> None:
        with self._path.open("wb") as file:
            for id, vector in zip(corpus.ids, corpus.vectors, strict=True):
                file.write(orjson.dumps({"id": id, "vector": self.encode(vector)}) + b"\n")

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        similarities = self._vectors @ query
        return np.argpartition(similarities, -10)[-10:]

    @staticmethod
    @abstractmethod
    def encode(vector: Float32s) -> Any:
        """Return a vector as it stands in JSON."""

    @staticmethod
    @abstractmethod
    def decode(encoded: Any) -> Any:
        """Return the numbers again."""


class JsonLinesBase64(JsonLines):
    """With base64 of float32."""

    @staticmethod
    def encode(vector: Float32s) -> str:
        return base64.b64encode(vector.tobytes()).decode()

    @staticmethod
    def decode(encoded: str) -> Float32s:
        return np.frombuffer(base64.b64decode(encoded), np.float32)


class JsonLinesFloats(JsonLines):
    """With lists of floats."""

    @staticmethod
    def encode(vector: Float32s) -> Any:
        return vector.tolist()

    @staticmethod
    def decode(encoded: Any) -> Any:
        return encoded


LIBRARIES: Mapping[str, type[peers.VectorPeer]] = {
    "usearch, mapped": peers.Usearch,
    "sqlite-vec": peers.SqliteVec,
    "a mapped `.npy` and numpy": Npy,
    "faiss read_index": peers.Faiss,
    "lancedb": peers.Lancedb,
    "chroma": peers.Chroma,
    "JSON lines, base64": JsonLinesBase64,
    "JSON lines, lists of floats": JsonLinesFloats,
}


def fill_ours(directory: Path, corpus: Corpus) -> None:
    """Leave a corpus in a directory."""

    async def fill() -> None:
        async with FileVectorStore({"path": directory}) as store:
            await fill_store(store, corpus)

    asyncio.run(fill())


def open_ours(directory: Path, query: Float32s) -> float:
    """Return the seconds until the first answer."""

    async def first_search() -> float:
        start = time.perf_counter()
        async with FileVectorStore({"path": directory}) as store:
            await store.search(query)
            return time.perf_counter() - start

    return asyncio.run(first_search())


def _fill(kind: type[peers.VectorPeer], directory: Path, corpus: Corpus) -> None:
    filled = kind(directory, _DIMENSION)
    filled.fill(corpus)
    filled.close()


def _open(kind: type[peers.VectorPeer], directory: Path, query: Float32s) -> float:
    for name in kind.modules:
        library(name)
    start = time.perf_counter()
    kind(directory, _DIMENSION).search(query)
    return time.perf_counter() - start


def _remove_rebuildable(directory: Path) -> None:
    for path in directory.iterdir():
        if path.name not in _JOURNAL:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


async def opening(plan: Plan) -> list[Result]:
    """Opening a persisted store and answering the first search.

    A fresh process each time, which has imported everything; its files are in the page cache. Once after a clean
    close, and once when everything but the JSON was removed. qdrant's local mode is measured with a tenth of the
    vectors, and its time multiplied by ten.
    """
    corpus = mixture(plan.vectors)
    tenth = Corpus(corpus.vectors[: plan.vectors // _QDRANT_SHARE], corpus.queries)
    query = corpus.queries[0]
    with TemporaryDirectory(dir=plan.directory) as name:
        places = {who: Path(name) / str(number) for number, who in enumerate([OURS, *LIBRARIES, "qdrant local"])}
        openers: dict[str, Callable[[], float] | None] = {
            OURS: partial(apart, open_ours, places[OURS], query),
            REBUILT: partial(_open_rebuilt, places[OURS], query),
        }
        apart(fill_ours, places[OURS], corpus)
        for who, kind in {**LIBRARIES, "qdrant local": peers.Qdrant}.items():
            places[who].mkdir()
            try:
                apart(_fill, kind, places[who], tenth if kind is peers.Qdrant else corpus)
            except ModuleNotFoundError:
                openers[who] = None
            else:
                openers[who] = partial(apart, _open, kind, places[who], query)
        figures = _in_turn(plan, openers)
    if figures["qdrant local"] is not None:
        figures["qdrant local"] *= _QDRANT_SHARE
    after_close, rebuilt = figures.pop(OURS), figures.pop(REBUILT)
    work = f"{plan.vectors:,} x {_DIMENSION}"
    return [
        Result(
            f"{work}, after a clean close", {OURS: after_close, **figures}, reaches=[at_most_times(1, "sqlite-vec")]
        ),
        Result(f"{work}, rebuilt from the JSON", {OURS: rebuilt}, reaches=[at_most(2.0)]),
    ]


def _open_rebuilt(directory: Path, query: Float32s) -> float:
    _remove_rebuildable(directory)
    return apart(open_ours, directory, query)


def _in_turn(plan: Plan, openers: Mapping[str, Callable[[], float] | None]) -> dict[str, float | None]:
    """Return the median of each; the first turn, which brings the files into the cache, is not counted."""
    times: dict[str, list[float]] = {who: [] for who in openers}
    for _ in range(1 + min(plan.rounds, 3)):
        for who, opener in openers.items():
            if opener is not None:
                times[who].append(opener())
    return {who: statistics.median(seconds[1:]) if seconds else None for who, seconds in times.items()}
