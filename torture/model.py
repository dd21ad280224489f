"""The same operations on a plain model, on memory, on files and on servers give the same answers.

Hypothesis makes up the operations. What persists is closed and opened again in
between; files are taken over as a kill leaves them, and compacted as often as they
can be. Servers take part where there are the URLs of some.
"""

# mypy: disable-error-code=no-untyped-call

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import RegistryError
from tests.helpers.plain import DictCheckpointStoreWithBulk, DictGraphWithListing, DictVectorStore
from torture.disk import copy_files, scratch
from torture.subjects import at_rest, logged, on_small_data
from torture.tally import Tally

Operation: TypeAlias = "tuple[str, tuple[Any, ...], dict[str, Any]]"

STEPS = 50  # of one history
_FILE = 2  # where the file provider stands, servers after it

ids = st.sampled_from(["a", "A", "b", "../x", "é", "e\u0301", "\uffff", "\U00010000"])
bad_ids = st.sampled_from(["", "\0", "\ud800", "x" * 513, None, 3])
some_ids = st.one_of(ids, ids, ids, ids, bad_ids)
# Numbers that a float, a decimal or neither can tell apart, and characters that engines use themselves.
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.0, -0.0, 1e16, 5e-324, 1.7976931348623157e308, 0.1, 2.0**53, 2.0**63]),
    st.sampled_from([2**53, 2**53 + 1, 10**16, 10**16 + 1, 2**63 - 1, -(2**63)]),
    st.sampled_from(["x", "y", "", "\0", "\1", "\1\1", "\0x", "\1\2", "1", "é", "\uffff", "\U00010000", "%_\\'\""]),
)
keys = st.sampled_from(["k", "l", "", "\0", "\1", "\1\1"])
values = st.recursive(scalars, lambda part: st.lists(part, max_size=2) | st.dictionaries(keys, part, max_size=2))
objects = st.dictionaries(st.one_of(keys, st.sampled_from(["n.m", "$", "0"])), values, max_size=3)
bad_objects = st.sampled_from([{"k": float("nan")}, {"k": b""}, {1: 2}, [], {"k": 2**63}])
some_objects = st.one_of(st.none(), objects, objects, objects, bad_objects)
limits = st.sampled_from([1, 2, 3, 100, 100, 0, True])

some_values = st.one_of(scalars, values)
comparisons = st.one_of(
    values,
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"), some_values)
    ),
    st.fixed_dictionaries(
        {}, optional={"$in": st.lists(some_values, max_size=2), "$nin": st.lists(some_values, max_size=2)}
    ),
    st.fixed_dictionaries({"$exists": st.booleans()}),
    st.just({"gte": 1}),
)
paths = st.sampled_from(
    ["k", "l", "k.l", "n.m", "missing", "", ".", "k.", ".k", "k.0", "n\\.m", "k.\1", "\0", "\1", "\1\1", "0"]
)
filters = st.recursive(
    st.dictionaries(paths, comparisons, max_size=2),
    lambda part: st.fixed_dictionaries(
        {}, optional={"$and": st.lists(part, max_size=2), "$or": st.lists(part, max_size=2), "$not": part}
    ),
    max_leaves=3,
)
some_filters = st.one_of(st.none(), filters, st.just({"k": {"$near": 1}}))

# Small whole numbers: similarities by `dot` are exact, so that equals are equals everywhere.
vectors = st.lists(st.integers(-2, 2), min_size=2, max_size=2)
some_vectors = st.one_of(vectors, vectors, vectors, st.sampled_from([[1], [1, float("nan")], [], "no", [[1, 2]]]))
kinds = st.sampled_from(["P", "Q"])
some_kinds = st.one_of(kinds, kinds, kinds, st.sampled_from(["", None]))
directions = st.sampled_from(["outgoing", "incoming", "both", "both", "up"])
some_types = st.lists(some_kinds, max_size=2)
some_keys = st.tuples(ids | st.just(""), some_ids, some_kinds) | st.sampled_from(["abP", ("a", "b")])

# A prefix of some ids, or a bound between them.
bounds = st.sampled_from(["", "A", "a", "e", "é", "\ud7ff", "\uffff", "\U00010000", "\U0010ffff", "\0", 3])
ranges = {"prefix": bounds, "after": st.one_of(st.none(), bounds), "before": st.one_of(st.none(), bounds)}
pages = {"limit": st.one_of(st.none(), limits), "reverse": st.booleans()}
some_similarities = st.sampled_from([None, None, 0.0, 1.0, -2.5, 4.0, float("nan"), True])


def call(name: str, *arguments: Any, **options: Any) -> Any:
    """Return a strategy for calls of `name`."""
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries({}, optional=options))


prefixes = st.sampled_from(["", "", "a", "e", "\uffff", "../", "b", "\U0010ffff", "\0", 1])
bounds = st.one_of(st.none(), some_ids)
chosen = {"prefix": prefixes, "metadata_filter": some_filters}
in_range = {"prefix": prefixes, "after": bounds, "before": bounds}
ranged = {**chosen, **in_range}
entities = {**in_range, "entity_type": some_kinds, "property_filter": some_filters}
some_limits = st.one_of(st.none(), limits)

VECTOR_CALLS = st.one_of(
    call("add", some_ids, some_vectors, some_objects),
    call("add_many", st.lists(st.tuples(some_ids, some_vectors, some_objects), max_size=3)),
    call("get", some_ids),
    call("get_many", st.lists(ids, max_size=3), include_vectors=st.booleans()),
    call("delete", some_ids),
    call("delete_many", st.lists(some_ids, max_size=3)),
    call("delete_many", metadata_filter=some_filters, **ranges),
    call("find", metadata_filter=some_filters, include_vectors=st.booleans(), **pages, **ranges),
    call("update", some_ids, some_objects),
    call("search", some_vectors, limits, some_filters, include_vectors=st.booleans(), min_similarity=some_similarities),
    call("search_many", st.lists(some_vectors, max_size=2), limits, some_filters, min_similarity=some_similarities),
    call("count", some_filters, **ranges),
    call("scan", st.sampled_from([1, 2, 0]), metadata_filter=some_filters, **ranges),
)
GRAPH_CALLS = st.one_of(
    call("add_entity", some_ids, some_kinds, some_objects),
    call("add_entities", st.lists(st.tuples(ids, kinds, some_objects), max_size=8), if_absent=st.booleans()),
    call("get_entity", some_ids),
    call("get_entities", st.lists(some_ids, max_size=3)),
    call("update_entity", some_ids, objects),
    call("delete_entity", some_ids),
    call("delete_entities", st.none() | st.lists(some_ids, max_size=3), **entities),
    call("add_relation", ids, ids, some_kinds, some_objects),
    call("add_relations", st.lists(st.tuples(ids, ids, kinds, objects), max_size=5)),
    call("get_relations", some_ids, some_kinds, directions, after=st.none() | some_keys, limit=some_limits),
    call("delete_relation", ids, ids, some_kinds),
    call("delete_relations", st.none() | st.lists(some_keys, max_size=3), relation_types=st.none() | some_types),
    call("query", some_ids, st.lists(kinds, max_size=3), limits),
    call("find_entities", some_kinds, some_filters, some_limits, **in_range, reverse=st.booleans()),
    call("neighbors", ids, some_kinds, directions, st.integers(0, 3), limits),
    call("shortest_path", ids, ids, st.one_of(st.none(), st.lists(kinds, max_size=2)), st.integers(0, 4)),
    call(
        "subgraph",
        st.lists(some_ids, max_size=3),
        st.integers(-1, 3),
        relation_types=st.none() | some_types,
        direction=directions,
        limit=some_limits,
    ),
    call("count_entities", some_kinds, property_filter=some_filters, **in_range),
    call("count_relations", some_kinds),
    call("scan_entities", entity_type=some_kinds, property_filter=some_filters, prefix=prefixes),
    call("scan_relations", relation_types=st.none() | some_types),
    call("clear"),
)
payloads = st.sampled_from([None, b"", b"\0\xff", b"\x28\xb5\x2f\xfdx", b"x" * 3_000, "text"])
# What they stand for is known when the call is made: the version stored, another, and that of nothing.
expected_versions = st.sampled_from([None, None, "stored", "stored", 10**6, 0, -1])
CHECKPOINT_CALLS = st.one_of(
    call("save_checkpoint", some_ids, some_objects, some_objects, payload=payloads, if_version=expected_versions),
    call("save_checkpoint", ids, objects),
    call(
        "save_checkpoints",
        st.lists(st.tuples(ids, objects, some_objects) | st.tuples(ids, objects, objects, payloads), max_size=4),
        if_absent=st.booleans(),
    ),
    call("get_checkpoint", some_ids),
    call("get_checkpoints", st.lists(some_ids, max_size=3)),
    call("delete_checkpoint", some_ids, if_version=expected_versions),
    call("delete_checkpoints", st.none() | st.lists(some_ids, max_size=3), **ranged),
    call("list_checkpoints", **chosen, limit=some_limits, newest_first=st.booleans()),
    call("find_checkpoints", **ranged, limit=some_limits, reverse=st.booleans(), include_data=st.booleans()),
    call("get_latest_checkpoint", **chosen),
    call("prune", st.sampled_from([0, 1, 2, 5, -1, True]), **chosen),
    call("count", **ranged),
    call("scan", **chosen),
    call("clear"),
)


async def outcome(backend: Any, operation: Operation) -> Any:
    """Return what a call gives, or that it was refused; of two bad arguments, either may be named."""
    name, arguments, options = operation
    try:
        if options.get("if_version") == "stored":
            found = await backend.get_checkpoint(arguments[0])
            options = {**options, "if_version": found["version"] if found else 0}
        result = getattr(backend, name)(*arguments, **options)
        if isinstance(result, AsyncIterator):
            return [item async for item in result]
        given = await result
        return "a version" if name == "save_checkpoint" and type(given) is int else given
    except RegistryError as error:
        assert isinstance(error, ValueError | TypeError)  # noqa: PT017
        return "refused"


def comparable(value: Any) -> Any:
    """Return a value such that equal ones are equal in type too; times are the clock's, versions each store's own."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if key not in {"timestamp", "version"}}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return (type(value), repr(value)) if isinstance(value, float) else (type(value), value)


class Agreement(RuleBasedStateMachine):
    """A model and the providers, held against each other at each step."""

    calls: ClassVar[st.SearchStrategy[Operation]]
    model: ClassVar[type[StorageBackend]]
    memory: ClassVar[type[StorageBackend]]
    file: ClassVar[type[StorageBackend]]
    options: ClassVar[dict[str, Any]] = {}
    servers: ClassVar[Mapping[str, dict[str, Any]]] = {}  # the options that lead to the store of a provider
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._stack.enter_context(on_small_data())
        self._stack.enter_context(logged())
        self._base = Path(self._stack.enter_context(scratch()))
        self._runner = self._stack.enter_context(asyncio.Runner())
        self._lives = 0
        kind = type(self)
        self._backends = [kind.model(kind.options), kind.memory(kind.options), self._on_files()]
        for backend in self._backends:
            self._runner.run(backend.connect())
        for provider, options in kind.servers.items():
            config = {**kind.options, **options}
            server: Any = StorageBackendFactory.build(kind.model.backend_type, provider, config=config)
            self._runner.run(server.connect())
            self._runner.run(server.clear())
            self._backends.append(server)

    def _on_files(self) -> Any:
        return type(self).file({**self.options, "path": self._base / f"{self._lives}"})

    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        """Call all alike."""
        type(self).steps += 1
        operation = data.draw(type(self).calls)
        expected, *others = [comparable(self._runner.run(outcome(backend, operation))) for backend in self._backends]
        for other in others:
            assert other == expected, operation

    @rule()
    def reopen(self) -> None:
        """Close what persists and open it again."""
        type(self).steps += 1
        for backend in self._backends[_FILE:]:
            self._runner.run(backend.disconnect())
            self._runner.run(backend.connect())

    @rule()
    def take_over(self) -> None:
        """Go on with the files as a kill leaves them."""
        type(self).steps += 1
        file = self._backends[_FILE]
        old = self._base / f"{self._lives}"
        self._lives += 1
        self._runner.run(at_rest(file))
        copy_files(old, self._base / f"{self._lives}")
        self._runner.run(file.disconnect())
        shutil.rmtree(old)
        self._backends[_FILE] = self._on_files()
        self._runner.run(self._backends[_FILE].connect())

    def teardown(self) -> None:
        """Close everything."""
        for backend in self._backends:
            self._runner.run(backend.disconnect())
        self._stack.close()


class VectorAgreement(Agreement):
    """Vector stores."""

    calls = VECTOR_CALLS
    model, memory, file = DictVectorStore, InMemoryVectorStore, FileVectorStore
    options: ClassVar[dict[str, Any]] = {"dimension": 2, "metric": "dot"}


class GraphAgreement(Agreement):
    """Knowledge graphs."""

    calls = GRAPH_CALLS
    model, memory, file = DictGraphWithListing, InMemoryKnowledgeGraph, FileKnowledgeGraph


class CheckpointAgreement(Agreement):
    """Checkpoint stores."""

    calls = CHECKPOINT_CALLS
    model, memory, file = DictCheckpointStoreWithBulk, InMemoryCheckpointStore, FileCheckpointStore


MACHINES = {
    "vector_store": VectorAgreement,
    "knowledge_graph": GraphAgreement,
    "checkpoint_store": CheckpointAgreement,
}


def run(tally: Tally, steps: int, number: int, servers: Mapping[str, dict[str, Any]] = MappingProxyType({})) -> None:
    """Hold the providers of each type against each other for about `steps` steps in all.

    `servers` are providers that take part, and the options that lead to a store of each.
    """
    for name, machine in MACHINES.items():
        machine.steps, machine.servers = 0, servers
        histories = max(1, steps // STEPS // len(MACHINES))
        thorough = settings(
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - a class that lists itself
            max_examples=histories,
            stateful_step_count=STEPS,
            print_blob=True,
        )
        with tally.trying(f"{name}, seed {number}"):
            run_state_machine_as_test(seed(number)(machine), settings=thorough)
        tally.outcomes[name] += machine.steps
        tally.tried += machine.steps - 1
