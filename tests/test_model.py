"""The same operations on a plain model, on memory and on files give the same answers.

Hypothesis makes up the operations; files are closed and opened again in between,
and compacted as often as they can be.
"""

# mypy: disable-error-code=no-untyped-call

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from custom_providers import DictCheckpointStore, DictGraphWithListing, DictVectorStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symphony_registry.backends import journaled
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import RegistryError

Operation = tuple[str, tuple[Any, ...], dict[str, Any]]

ids = st.sampled_from(["a", "A", "b", "../x", "é", "e\u0301", "\uffff", "\U00010000"])
bad_ids = st.sampled_from(["", "\0", "\ud800", "x" * 513, None, 3])
some_ids = st.one_of(ids, ids, ids, ids, bad_ids)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.0, -0.0]),
    st.sampled_from(["x", "y", "\0"]),
)
values = st.recursive(scalars, lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from("kl"), part))
objects = st.dictionaries(st.sampled_from(["k", "l", "n.m", "$"]), values, max_size=3)
bad_objects = st.sampled_from([{"k": float("nan")}, {"k": b""}, {1: 2}, [], {"k": 2**63}])
some_objects = st.one_of(st.none(), objects, objects, objects, bad_objects)
limits = st.sampled_from([1, 2, 3, 100, 100, 0, True])

comparisons = st.one_of(
    values,
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"), scalars)
    ),
    st.fixed_dictionaries({}, optional={"$in": st.lists(scalars, max_size=2), "$nin": st.lists(scalars, max_size=2)}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
filters = st.recursive(
    st.dictionaries(st.sampled_from(["k", "l", "k.l", "n.m", "missing"]), comparisons, max_size=2),
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


def call(name: str, *arguments: Any, **options: Any) -> Any:
    """Return a strategy for calls of `name`."""
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries({}, optional=options))


VECTOR_CALLS = st.one_of(
    call("add", some_ids, some_vectors, some_objects),
    call("add_many", st.lists(st.tuples(some_ids, some_vectors, some_objects), max_size=3)),
    call("get", some_ids),
    call("get_many", st.lists(ids, max_size=3)),
    call("delete", some_ids),
    call("delete_many", st.lists(some_ids, max_size=3)),
    call("search", some_vectors, limits, some_filters, include_vectors=st.booleans()),
    call("search_many", st.lists(some_vectors, max_size=2), limits, some_filters),
    call("count", some_filters),
    call("scan", st.sampled_from([1, 2, 0])),
)
GRAPH_CALLS = st.one_of(
    call("add_entity", some_ids, some_kinds, some_objects),
    call("add_entities", st.lists(st.tuples(ids, kinds, some_objects), max_size=8)),
    call("get_entity", some_ids),
    call("update_entity", some_ids, objects),
    call("delete_entity", some_ids),
    call("add_relation", ids, ids, some_kinds, some_objects),
    call("add_relations", st.lists(st.tuples(ids, ids, kinds, objects), max_size=5)),
    call("get_relations", some_ids, some_kinds, directions),
    call("delete_relation", ids, ids, some_kinds),
    call("query", some_ids, st.lists(kinds, max_size=3), limits),
    call("find_entities", some_kinds, some_filters, limits),
    call("neighbors", ids, some_kinds, directions, st.integers(0, 3), limits),
    call("shortest_path", ids, ids, st.one_of(st.none(), st.lists(kinds, max_size=2)), st.integers(0, 4)),
    call("count_entities", some_kinds),
    call("count_relations", some_kinds),
    call("scan_entities"),
    call("scan_relations"),
    call("clear"),
)
CHECKPOINT_CALLS = st.one_of(
    call("save_checkpoint", some_ids, some_objects, some_objects),
    call("save_checkpoint", ids, objects),
    call("get_checkpoint", some_ids),
    call("delete_checkpoint", some_ids),
    call(
        "list_checkpoints", metadata_filter=some_filters, limit=st.one_of(st.none(), limits), newest_first=st.booleans()
    ),
    call("get_latest_checkpoint"),
    call("prune", st.sampled_from([0, 1, 2, 5, -1, True])),
    call("count"),
    call("scan"),
    call("clear"),
)
REOPEN = call("reopen")


async def outcome(backend: Any, operation: Operation) -> Any:
    """Return what a call gives, or that it was refused; of two bad arguments, either may be named."""
    name, arguments, options = operation
    try:
        result = getattr(backend, name)(*arguments, **options)
        if isinstance(result, AsyncIterator):
            return [item async for item in result]
        return await result
    except RegistryError as error:
        assert isinstance(error, ValueError | TypeError)  # noqa: PT017
        return "refused"


def comparable(value: Any) -> Any:
    """Return a value such that equal ones are equal in type too; times are told by the clock, not by us."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if key != "timestamp"}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return (type(value), repr(value)) if isinstance(value, float) else (type(value), value)


async def hold_against_each_other(make: Callable[[str], list[Any]], operations: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model, memory, file = backends = make(directory)
        for backend in backends:
            await backend.connect()
        try:
            for operation in operations:
                if operation[0] == "reopen":
                    await file.disconnect()
                    await file.connect()
                    continue
                expected, *others = [comparable(await outcome(backend, operation)) for backend in (model, memory, file)]
                for other in others:
                    assert other == expected, operation
        finally:
            for backend in backends:
                await backend.disconnect()


def check(make: Callable[[str], list[Any]], operations: list[Operation]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journaled, "_MANY_LINES", 2)
        asyncio.run(hold_against_each_other(make, operations))


EXAMPLES = int(os.environ.get("MODEL_TEST_EXAMPLES", "150"))
thorough = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES)


def histories(calls: Any) -> Any:
    return st.lists(st.one_of(calls, calls, calls, calls, calls, calls, REOPEN), max_size=30)


@thorough
@given(histories(VECTOR_CALLS))
def test_vector_stores_agree(operations: list[Operation]) -> None:
    options = {"dimension": 2, "metric": "dot"}
    check(
        lambda path: [
            DictVectorStore(options),
            InMemoryVectorStore(options),
            FileVectorStore({"path": path, **options}),
        ],
        operations,
    )


@thorough
@given(histories(GRAPH_CALLS))
def test_knowledge_graphs_agree(operations: list[Operation]) -> None:
    check(
        lambda path: [DictGraphWithListing(), InMemoryKnowledgeGraph(), FileKnowledgeGraph({"path": path})], operations
    )


@thorough
@given(histories(CHECKPOINT_CALLS))
def test_checkpoint_stores_agree(operations: list[Operation]) -> None:
    check(
        lambda path: [DictCheckpointStore(), InMemoryCheckpointStore(), FileCheckpointStore({"path": path})], operations
    )
