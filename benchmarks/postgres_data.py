"""Debian's packages: vectors, metadata and relations, read from real data or made up in the same shape."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.data import Corpus, Float32s, Integers, mixture, power_law, real
from benchmarks.harness import Plan

KIND = "DEPENDS_ON"
STEPS = 3

_SECTION, _TAG = "text", "game::card"
_SMALL_KB = 29


@dataclass(frozen=True)
class Filter:
    """A filter in the contract's language and in SQL, whose first parameter is $3."""

    share: str
    ours: dict[str, Any] | None
    sql: str = "true"
    argument: Any = None

    @property
    def arguments(self) -> list[Any]:
        """What belongs behind the other parameters."""
        return [] if self.argument is None else [self.argument]

    def keeps(self, document: dict[str, Any]) -> bool:
        """Say whether the filter keeps a package."""
        match self.share:
            case "50 %":
                return bool(document["arch"] == "amd64")
            case "5 %":
                return bool(document["section"] == _SECTION)
            case "5 %, a range":
                return bool(document["size_kb"] < _SMALL_KB)
            case "0.1 %":
                return _TAG in document["tags"]
            case _:
                return True


ALL = Filter("all", None)
FILTERS = (
    Filter("50 %", {"arch": "amd64"}, "metadata @> $3", {"arch": "amd64"}),
    Filter("5 %", {"section": _SECTION}, "metadata @> $3", {"section": _SECTION}),
    Filter("5 %, a range", {"size_kb": {"$lt": _SMALL_KB}}, "(metadata ->> 'size_kb')::int < $3", _SMALL_KB),
    Filter("0.1 %", {"tags": {"$contains": _TAG}}, "metadata @> $3", {"tags": [_TAG]}),
)


@dataclass(frozen=True)
class Packages:
    """Packages with their embeddings, and how they relate."""

    ids: list[str]
    vectors: Float32s
    queries: Float32s
    documents: list[dict[str, Any]]
    relations: list[tuple[str, str, str]]  # from, type, to

    def query(self, turn: int) -> Float32s:
        """Return the query for a turn."""
        chosen: Float32s = self.queries[turn % len(self.queries)]
        return chosen

    @cached_property
    def paths(self) -> Integers:
        """How many paths of three steps over `KIND` begin at each package."""
        rows = {id: row for row, id in enumerate(self.ids)}
        ends = np.array([(rows[source], rows[target]) for source, kind, target in self.relations if kind == KIND])
        counts = np.ones(len(self.ids), np.int64)
        for _ in range(STEPS):
            following = counts[ends[:, 1]]
            counts = np.zeros_like(counts)
            np.add.at(counts, ends[:, 0], following)
        return counts

    def hub(self) -> str:
        """Return the package at which the most paths begin."""
        return self.ids[int(self.paths.argmax())]

    def typical(self, count: int) -> list[str]:
        """Return packages at which paths begin, each as likely as the other."""
        rows = np.random.default_rng(5).choice(np.flatnonzero(self.paths), count)
        return [self.ids[row] for row in rows.tolist()]


def packages(plan: Plan) -> Packages:
    """Return the packages in the plan's directory of real data, or made-up ones."""
    if plan.data is not None and (plan.data / "packages.jsonl").exists():
        return _read(plan.data)
    return _made_up(plan)


def _read(directory: Path) -> Packages:
    corpus = real(directory)
    documents = [orjson.loads(line) for line in (directory / "packages.jsonl").read_bytes().splitlines()]
    lines = (directory / "relations.tsv").read_text().splitlines()
    relations = [(source, kind, target) for source, kind, target in (line.split("\t") for line in lines)]
    return Packages([each["id"] for each in documents], corpus.vectors, _queries(corpus), documents, relations)


def _queries(corpus: Corpus) -> Float32s:
    """Return the real queries, and as many between two packages as make up 200."""
    rng = np.random.default_rng(7)
    pairs = corpus.vectors[rng.integers(len(corpus.vectors), size=(200 - len(corpus.queries), 2))]
    between = pairs.mean(axis=1)
    unit: Float32s = between / np.linalg.norm(between, axis=1, keepdims=True)
    return np.concatenate([corpus.queries, unit])


def _made_up(plan: Plan) -> Packages:
    corpus = mixture(min(plan.vectors, 20_000))
    graph = power_law(len(corpus.vectors), degree=3)
    relations = [(corpus.ids[source], KIND, corpus.ids[target]) for source, target, _ in graph.triples()]
    return Packages(corpus.ids, corpus.vectors, corpus.queries, _documents(corpus), sorted(set(relations)))


def _documents(corpus: Corpus) -> list[dict[str, Any]]:
    numbers = np.random.default_rng(6).permutation(len(corpus.vectors)).tolist()
    return [
        {
            "id": id,
            "text": f"the package of number {number}",
            "section": _SECTION if number % 20 == 0 else "utils",
            "arch": "amd64" if number % 2 else "all",
            "size_kb": number % 580,
            "tags": ["role::program", *([_TAG] if number % 1000 == 0 else [])],
        }
        for id, number in zip(corpus.ids, numbers, strict=True)
    ]
