"""Fuzzing: arbitrary objects as arguments, and arbitrary bytes as journals.

An argument is taken or refused with a `RegistryError`, and a plain model gives the
same answer; a journal opens and works, or is refused with a `RegistryError`.
"""

# mypy: disable-error-code=no-untyped-call

import asyncio
import copy
import random
import zlib
from collections import UserDict
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import RegistryError
from symphony_registry.providers.embedded.journal.segment import SECTOR
from tests.helpers.plain import DictCheckpointStore, DictGraphWithListing, DictVectorStore
from torture.disk import replace_files, scratch
from torture.model import Operation, comparable, outcome
from torture.subjects import SUBJECTS, Subject, gathered, logged, read_and_write
from torture.tally import Tally

_ROUND = 500  # calls on one pair of stores
_OPTIONS = {"dimension": 2, "metric": "dot"}


class _Text(str):
    __slots__ = ()


class _Unhelpful:
    """An object that fails whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def _fail(self, *_: object) -> Any:
        raise RuntimeError("no")

    __eq__ = __bool__ = __len__ = __float__ = __index__ = __array__ = __str__ = __repr__ = _fail
    __hash__ = object.__hash__


def _inside_itself() -> list[Any]:
    inside: list[Any] = []
    inside.append(inside)
    return inside


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"k": value} if levels % 2 else [value]
    return value


_ODD: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 2**63,
    lambda: 10**400,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: 1e-320,
    lambda: 3.4e38,
    lambda: 1e300,
    lambda: 1 + 2j,
    lambda: Decimal(1),
    lambda: b"bytes",
    lambda: bytearray(8),
    lambda: memoryview(b"12345678"),
    lambda: "",
    lambda: "\0",
    lambda: "\ud800",
    lambda: "é" * 257,
    lambda: "x" * 100_000,
    lambda: _Text("a"),
    lambda: UserDict(k=1),
    lambda: {1: 2},
    lambda: {"k": {1, 2}},
    lambda: {"k": _inside_itself()},
    lambda: {"\ud800": 1},
    _inside_itself,
    lambda: _deep(99),
    lambda: _deep(101),
    lambda: _deep(10_001),
    lambda: (item for item in "ab"),
    lambda: range(2),
    object,
    lambda: int,
    lambda: len,
    _Unhelpful,
    lambda: [_Unhelpful()],
    lambda: {"k": _Unhelpful()},
    lambda: np.float32(1),
    lambda: np.array(["a", "b"]),
    lambda: np.array([1, None]),
    lambda: np.array([[1.0, 2.0]]),
    lambda: np.array([1.0, np.nan]),
    lambda: np.zeros(2),
    lambda: np.zeros(0),
    lambda: np.array([1, 2], dtype=object),
    lambda: np.array([1e300, 1]),
    lambda: np.array([1, 2], dtype="datetime64[s]"),
    lambda: np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
    lambda: np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    lambda: ["1", "2"],
    lambda: [[1], [2, 3]],
    lambda: [True, False],
    lambda: [10**400, 1],
    lambda: {"$where": 1},
    lambda: {"$and": {}},
    lambda: {"$or": [1]},
    lambda: {"$not": None},
    lambda: {"k": {"$in": 3}},
    lambda: {"k": {"$in": [{}, [], None]}},
    lambda: {"k": {"$gt": None, "$x": 1}},
    lambda: {"k..l": 1, ".": 2, "": 3},
    lambda: {"k": {"$exists": 1}},
    lambda: _filter_tower(200),
    lambda: _filter_tower(5_000),
)


def _filter_tower(levels: int) -> Any:
    value: Any = {"k": 1}
    for _ in range(levels):
        value = {"$not": value}
    return value


class Argument(NamedTuple):
    """Makes an argument that is usually right."""

    usual: Callable[[random.Random], Any]

    def make(self, rng: random.Random) -> Any:
        """Return an argument: as it should be, an odd object, or one with an odd part."""
        chance = rng.random()
        if chance < 0.7:
            return self.usual(rng)
        odd = rng.choice(_ODD)()
        if chance < 0.85:
            return odd
        whole = self.usual(rng)
        if isinstance(whole, dict):
            return {**whole, rng.choice(["k", "l"]): odd}
        if isinstance(whole, list) and whole:
            place = rng.randrange(len(whole))
            part = whole[place]
            if isinstance(part, tuple):
                inner = rng.randrange(len(part))
                odd = (*part[:inner], odd, *part[inner + 1 :])
            return [*whole[:place], odd, *whole[place + 1 :]]
        return odd


def _one_of(*values: Any) -> Callable[[random.Random], Any]:
    return lambda rng: copy.deepcopy(rng.choice(values))


def _some(make: Callable[[random.Random], Any]) -> Argument:
    return Argument(lambda rng: [make(rng) for _ in range(rng.randrange(3))])


_id = _one_of("a", "b", "c", "é", "../x")
_object = _one_of(None, {}, {"k": 1}, {"k": "x", "l": [1, 2.0, None, True]}, {"k": {"l": 1}})
_vector = _one_of([1.0, 2.0], [3, 1], (1.0, 0.5), np.array([1.0, 2.0], dtype="f4"), np.array([2, 1]), [True, 2])
_kind = _one_of("P", "Q")
_filter = _one_of(None, {}, {"k": 1}, {"k": {"$gte": 1}}, {"k.l": 1}, {"l": {"$contains": 1}}, {"$not": {"k": 1}})
_limit = _one_of(1, 2, 100, 10**30)
ID, OBJECT, VECTOR, KIND = Argument(_id), Argument(_object), Argument(_vector), Argument(_kind)
FILTER, LIMIT = Argument(_filter), Argument(_limit)
DIRECTION = Argument(_one_of("outgoing", "incoming", "both"))
PATH = _some(_kind)

VECTOR_CALLS: tuple[tuple[str, tuple[Argument, ...]], ...] = (
    ("add", (ID, VECTOR, OBJECT)),
    ("add_many", (_some(lambda rng: (_id(rng), _vector(rng), _object(rng))),)),
    ("get", (ID,)),
    ("get_many", (_some(_id),)),
    ("delete", (ID,)),
    ("delete_many", (_some(_id),)),
    ("search", (VECTOR, LIMIT, FILTER)),
    ("search_many", (_some(_vector), LIMIT, FILTER)),
    ("count", (FILTER,)),
    ("scan", (LIMIT,)),
)
GRAPH_CALLS = (
    ("add_entity", (ID, KIND, OBJECT)),
    ("add_entities", (_some(lambda rng: (_id(rng), _kind(rng), _object(rng))),)),
    ("get_entity", (ID,)),
    ("update_entity", (ID, OBJECT)),
    ("delete_entity", (ID,)),
    ("get_entities", (_some(_id),)),
    ("delete_entities", (_some(_id),)),
    ("add_relation", (ID, ID, KIND, OBJECT)),
    ("add_relations", (_some(lambda rng: (_id(rng), _id(rng), _kind(rng), _object(rng))),)),
    ("get_relations", (ID, KIND, DIRECTION)),
    ("delete_relation", (ID, ID, KIND)),
    ("query", (ID, PATH, LIMIT)),
    ("find_entities", (KIND, FILTER, LIMIT)),
    ("neighbors", (ID, KIND, DIRECTION, LIMIT, LIMIT)),
    ("shortest_path", (ID, ID, PATH, LIMIT)),
    ("subgraph", (_some(_id), LIMIT)),
    ("count_entities", (KIND,)),
    ("count_relations", (KIND,)),
)
CHECKPOINT_CALLS = (
    ("save_checkpoint", (ID, OBJECT, OBJECT)),
    ("get_checkpoint", (ID,)),
    ("delete_checkpoint", (ID,)),
    ("prune", (LIMIT,)),
    ("list_checkpoints", (FILTER, LIMIT)),
)
TARGETS: tuple[tuple[str, Callable[[], list[Any]], Sequence[tuple[str, tuple[Argument, ...]]]], ...] = (
    ("vector_store", lambda: [DictVectorStore(_OPTIONS), InMemoryVectorStore(_OPTIONS)], VECTOR_CALLS),
    ("knowledge_graph", lambda: [DictGraphWithListing(), InMemoryKnowledgeGraph()], GRAPH_CALLS),
    ("checkpoint_store", lambda: [DictCheckpointStore(), InMemoryCheckpointStore()], CHECKPOINT_CALLS),
)


def run_arguments(tally: Tally, count: int, seed: int) -> None:
    """Call `count` operations with arbitrary arguments."""
    with asyncio.Runner() as runner:
        for number in range(0, count, _ROUND):
            name, make, calls = TARGETS[number // _ROUND % len(TARGETS)]
            runner.run(
                _call(tally, name, make(), calls, random.Random(f"{seed} {number}"), min(_ROUND, count - number))
            )


async def _call(
    tally: Tally,
    kind: str,
    stores: list[Any],
    calls: Sequence[tuple[str, tuple[Argument, ...]]],
    rng: random.Random,
    count: int,
) -> None:
    for store in stores:
        await store.connect()
    for _ in range(count):
        name, arguments = rng.choice(calls)
        number = rng.randrange(2**32)
        given = [[each.make(own) for each in arguments] for own in (random.Random(number), random.Random(number))]
        names = ("metadata_filter", "limit") if name == "list_checkpoints" else ()  # by keyword alone
        operations: list[Operation] = [
            (name, () if names else tuple(each), dict(zip(names, each, strict=False))) for each in given
        ]
        with tally.trying(f"{kind}.{name}, random.Random({number})"):
            expected, actual = [
                comparable(await outcome(store, operation)) for store, operation in zip(stores, operations, strict=True)
            ]
            tally.outcomes["refused" if actual == comparable("refused") else "taken"] += 1
            if actual != expected:
                raise AssertionError(f"expected {expected!r:.300}, got {actual!r:.300}")
    for store in stores:
        await store.disconnect()


def run_journals(tally: Tally, count: int, seed: int) -> None:
    """Open `count` directories with arbitrary bytes as their journal."""
    rng = random.Random(seed)
    with asyncio.Runner() as runner, scratch() as base, logged():
        originals = {subject.name: runner.run(_journal(subject, Path(base, subject.name))) for subject in SUBJECTS}
        directory = Path(base, "fuzzed")
        for number in range(count):
            subject = SUBJECTS[number % len(SUBJECTS)]
            data = _arbitrary(originals[subject.name], rng)
            with tally.trying(f"{subject.name}, journal {number}, {data!r:.2000}"):
                replace_files(directory, {"journal.jsonl": data})
                try:
                    runner.run(read_and_write(subject, directory))
                    tally.outcomes["opened"] += 1
                except RegistryError:
                    tally.outcomes["refused"] += 1


async def _journal(subject: Subject, directory: Path) -> bytes:
    async with subject.make(directory) as store:
        for step in subject.script:
            await gathered(store, step)
    return (directory / "journal.jsonl").read_bytes()


def _arbitrary(original: bytes, rng: random.Random) -> bytes:
    """Return bytes without sense, a journal with random changes, or one whose checksums are right and nothing else."""
    match rng.randrange(4):
        case 0:
            return rng.randbytes(rng.randrange(2_000))
        case 1:
            data = bytearray(original)
            for _ in range(rng.randrange(1, 20)):
                place = rng.randrange(len(data))
                data[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            return bytes(data)
        case 2:
            lines = original.splitlines(keepends=True)
            start = rng.randrange(len(lines))
            return b"".join([lines[0], *rng.choices(lines, k=rng.randrange(20)), *lines[start:]])
        case _:
            return _valid_lines(original, rng)


def _valid_lines(original: bytes, rng: random.Random) -> bytes:
    """Return a journal in which some values are others, under right checksums and numbers."""
    records = [orjson.loads(line) for line in original.splitlines()[: rng.randrange(2, 12)]]
    for record in rng.sample(records if rng.random() < 0.1 else records[1:], min(2, len(records) - 1)):
        structure = {"crc", "seq", "part", "more"} if rng.random() < 0.9 else {"crc"}
        key = rng.choice(sorted(record.keys() - structure))
        others: list[Any] = [
            None,
            3,
            -1,
            1.5,
            "",
            "x",
            [],
            [1],
            {},
            {"k": 1},
            "AACAPw==",
            "AACAfw==",
            "!",
            "clear",
            True,
        ]
        if rng.random() < 0.2:
            del record[key]
        else:
            record[key] = rng.choice(others)
    lines = []
    for record in records:
        body = orjson.dumps({key: value for key, value in record.items() if key != "crc"})[1:]
        lines.append(b'{"crc":"%08x",%s\n' % (zlib.crc32(body), body))
    data = b"".join(lines)
    whole = SECTOR - len(data) % SECTOR
    return data + b"\t" * rng.choice([0, 1, whole, whole, whole, whole])
