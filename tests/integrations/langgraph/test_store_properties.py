"""Whatever is done to langgraph's own store in memory and to ours, both answer alike."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchItem, SearchOp
from langgraph.store.memory import InMemoryStore

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.integrations.langgraph import RegistryStore

LABELS = st.sampled_from(["a", "b", "ab", "a-", "/", "~", "é", "l" * 250, "m" * 250])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["", "k", "k.", "~k", ".", "K" * 300, "\0", "/"])
SCALARS = st.none() | st.integers(2, 4) | st.sampled_from(["x", "y"]) | st.just([2, "x"])  # 1 equals True to Python
FIELDS = st.sampled_from(["f", "g", "f.g", "$h", "f\\"])
INNER = st.sampled_from(["f", "g", "f.g", "f\\"])
NESTED = st.dictionaries(FIELDS, SCALARS, max_size=2)
VALUES = st.dictionaries(FIELDS, SCALARS | NESTED, max_size=3)
NUMBERED = st.fixed_dictionaries({"number": st.integers(0, 5) | st.floats(0, 5)}, optional={"f": SCALARS | NESTED})
OPERATORS = st.dictionaries(st.sampled_from(["$eq", "$ne"]), SCALARS | NESTED, min_size=1)
ORDERS = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(0, 5), min_size=1)
FILTERS = st.none() | st.dictionaries(
    FIELDS, SCALARS | OPERATORS | st.dictionaries(INNER, SCALARS | OPERATORS, max_size=2), max_size=2
)
PATTERNS = st.builds(
    MatchCondition,
    st.sampled_from(["prefix", "suffix"]),
    st.lists(LABELS | st.just("*"), min_size=1, max_size=3).map(tuple),
)
DEPTHS = st.none() | st.integers(1, 3)
PUTS: st.SearchStrategy[Op] = st.builds(PutOp, NAMESPACES, KEYS, st.none() | VALUES | NUMBERED, st.none(), st.none())
READS: st.SearchStrategy[Op] = (
    st.builds(GetOp, NAMESPACES, KEYS)
    | st.builds(SearchOp, st.just(()) | NAMESPACES, FILTERS, st.just(1000), st.just(0), st.none())
    | st.builds(ListNamespacesOp, st.lists(PATTERNS, max_size=2).map(tuple), DEPTHS, st.just(1000), st.just(0))
)
BATCHES = st.lists(st.lists(PUTS | READS, max_size=8), max_size=8)


@given(BATCHES)
@settings(max_examples=200, deadline=None)
def test_batches_give_what_they_give_in_langgraphs_own_store(batches: list[list[Op]]) -> None:
    assert asyncio.run(_ours(batches)) == _theirs(batches)


@given(st.lists(st.tuples(KEYS, NUMBERED), max_size=8), ORDERS)
@settings(deadline=None)
def test_numbers_compare_as_in_langgraphs_own_store(items: list[tuple[str, dict[str, Any]]], order: Any) -> None:
    puts: list[Op] = [PutOp(("a",), key, value) for key, value in items]
    batches: list[list[Op]] = [puts, [SearchOp(("a",), {"number": order}, 1000)]]
    assert asyncio.run(_ours(batches)) == _theirs(batches)


@given(st.lists(PUTS, max_size=12), st.integers(0, 12), st.integers(0, 12), FILTERS)
@settings(deadline=None)
def test_pages_are_parts_of_the_whole(puts: list[Op], limit: int, offset: int, wanted: dict[str, Any] | None) -> None:
    batches: list[list[Op]] = [puts, [SearchOp((), wanted, 1000), SearchOp((), wanted, limit, offset)]]

    async def pages() -> Any:
        async with InMemoryCheckpointStore() as backend:
            store = RegistryStore(backend)
            return [await store.abatch(batch) for batch in batches][-1]

    whole, page = asyncio.run(pages())
    assert page == whole[offset : offset + limit]


async def _ours(batches: list[list[Op]]) -> list[Any]:
    async with InMemoryCheckpointStore() as backend:
        store = RegistryStore(backend)
        return [[_comparable(result) for result in await store.abatch(batch)] for batch in batches]


def _theirs(batches: list[list[Op]]) -> list[Any]:
    store = InMemoryStore()

    def run(ops: list[Op]) -> list[Any]:
        results = [_comparable(result) for result in store.batch(ops)]
        for namespace in [namespace for namespace, items in store._data.items() if not items]:
            del store._data[namespace]  # which it would list for ever
        return results

    results = []
    for batch in batches:
        results.append([None if isinstance(op, PutOp) else run([op])[0] for op in batch])
        run([op for op in batch if isinstance(op, PutOp)])
    return results


def _comparable(result: Any) -> Any:
    """Leave out times and the order of a search, which langgraph's stores have each their own."""
    if isinstance(result, list):
        return sorted(map(_comparable, result), key=repr) if result and isinstance(result[0], SearchItem) else result
    return result and (result.namespace, result.key, result.value)
