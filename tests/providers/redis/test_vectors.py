"""Vectors in Redis beyond the contract: the index that the query engine keeps, and filters as terms."""

import asyncio
from typing import Any

import numpy as np
import pytest
from quickstart import FILTERS, read_packages, read_questions

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import BackendSetupError, DimensionError, InvalidValueError
from symphony_registry.providers.redis.terms import term_query
from symphony_registry.providers.redis.vector_store import RedisVectorStore
from tests.helpers.redis_server import Server, running_server

METRICS = ("cosine", "dot", "euclidean")
LENGTHS = [1e-38, 1e-30, 1e-16, 1e-8, 1e-3, 1.0, 1e4, 1e14, 1e16, 1e25, 1e37]
DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": 1},
    {"a": 1.0, "b": "x,y|{}"},
    {"a": True},
    {"a": "1"},
    {"a": [1, [2.0], {"b": -0.0}]},
    {"a": {"b": 0, "c": []}},
    {"a": {"c": [], "b": 0.0}},
    {"a.b": 0},
    {"a": 2**53 + 1},
    {"a": float(2**53)},
    {"a": -(2**63), "b": "\0"},
]
EXACT_FILTERS: list[dict[str, Any]] = [
    {"a": 1},
    {"a": {"$ne": 1}},
    {"a": {"$not": {"$ne": True}}},
    {"a": {"$in": [None, "1", {"b": 0, "c": []}]}},
    {"a": {"$nin": []}},
    {"a": {"$in": []}},
    {"a": {"$nin": [1, float(2**53), -(2.0**63)]}},
    {"a": {"$exists": False}},
    {"a.b": {"$exists": True}},
    {"a\\.b": 0},
    {"a": {"$contains": [2]}},
    {"a": {"$contains": {"b": 0}}},
    {"b": {"$in": ["x,y|{}", "\0"]}},
    {"$or": [{"a": {"$ne": 1}}, {"b": {"$exists": True}}]},
    {"$not": {"$or": [{"a": 1}, {"$and": [{"a": {"$exists": True}}, {"b": {"$ne": "\0"}}]}]}},
    {"$or": []},
    {"$not": {"$or": []}},
]
ORDERED_FILTERS: list[dict[str, Any]] = [
    {"a": {"$gte": 1}},
    {"$not": {"a": {"$lt": 2}}},
    {"$or": [{"a": {"$not": {"$gt": 0}}}, {"b": "\0"}]},
    {"$not": {"$and": [{"a": {"$exists": True}}, {"a": {"$lte": 1}}]}},
]


def ids(found: list[Any]) -> list[str]:
    return [each["id"] for each in found]


def indexes(server: Server, store: RedisVectorStore) -> list[bytes]:
    """Return the names of the indexes of a store."""
    return [name for name in server.command("FT._LIST") if name.startswith(store._data.key("").encode())]


async def test_a_server_without_the_query_engine_is_refused_with_what_to_install() -> None:
    with running_server("valkey") as server:
        with pytest.raises(BackendSetupError, match=r"no FT\..*Install Redis 8 or Redis Stack"):
            await RedisVectorStore({"url": server.url}).connect()
        assert server.command("DBSIZE") == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "redis://localhost/1"}, "database 0 alone"),
        ({"index": "hnsw"}, "needs the option dimension"),
        ({"dimension": 32_769}, "32768"),
    ],
)
def test_options_that_the_query_engine_cannot_keep_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        RedisVectorStore({"url": "redis://localhost", **changed})


async def test_the_largest_dimension_is_stored_and_found_and_one_more_is_refused(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        await store.add("a", np.ones(32_768))
        assert ids(await store.search(np.ones(32_768))) == ["a"]
        await store.clear()
        with pytest.raises(InvalidValueError, match="at most 32,768 dimensions"):
            await store.add("a", np.ones(32_769))


@pytest.mark.parametrize("metadata_filter", EXACT_FILTERS + ORDERED_FILTERS, ids=str)
@pytest.mark.parametrize("index", ["none", "hnsw"])
async def test_a_filter_finds_what_it_means(
    metadata_filter: dict[str, Any], index: str, options: dict[str, Any]
) -> None:
    condition = parse_filter(metadata_filter)
    expected = [f"{number:02}" for number, each in enumerate(DOCUMENTS) if condition.matches(each)]
    async with RedisVectorStore({**options, "index": index, "dimension": 2}) as store:
        await store.add_many([(f"{number:02}", [1, 1], each) for number, each in enumerate(DOCUMENTS)])
        assert ids(await store.search([1, 1], 100, metadata_filter)) == expected
        assert ids(await store.search([1, 1], 1, metadata_filter)) == expected[:1]


def test_only_order_operators_are_checked_again() -> None:
    assert all(term_query(parse_filter(each)).is_exact for each in EXACT_FILTERS)
    assert not any(term_query(parse_filter(each)).is_exact for each in ORDERED_FILTERS)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("stored", [LENGTHS, [1e-3, 0.1, 1.0, 10.0, 1e4]], ids=["every length", "ordinary lengths"])
async def test_vectors_and_queries_of_every_length_are_found_in_the_order_of_memory(
    stored: list[float], metric: str, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(7)
    items = [
        (f"{number}", random.normal(size=8) * length, {"odd": number % 2}) for number, length in enumerate(stored * 5)
    ]
    async with (
        RedisVectorStore({**options, "metric": metric}) as store,
        InMemoryVectorStore({"metric": metric}) as memory,
    ):
        for each in (store, memory):
            await each.add_many(items)
            await each.update("0", {"odd": 1})
        for length in LENGTHS:
            query = random.normal(size=8) * length
            for metadata_filter in (None, {"odd": 1}, {"odd": {"$ne": 1}}, {"odd": {"$lt": 1}}):
                for limit in (1, 7, 100, 2_000_000):
                    found = await store.search(query, limit, metadata_filter)
                    assert found == await memory.search(query, limit, metadata_filter)


@pytest.mark.parametrize(
    ("best", "others"),
    [
        ([1e8, 3, -1e8], [1, 1, 0]),  # whose large numbers swallow the small one, so that the product looks like 0
        ([0, 3e-9, 0], [0, 2e-9, 0]),  # which the server cannot tell apart, since it subtracts products from 1
    ],
)
async def test_a_dot_product_that_the_server_gets_wrong_is_found_all_the_same(
    best: list[float], others: list[float], options: dict[str, Any]
) -> None:
    async with RedisVectorStore({**options, "metric": "dot"}) as store:
        await store.add_many([(f"a{number:02}", np.array(others) / 2**number, {}) for number in range(5)])
        await store.add("best", best)
        assert ids(await store.search([1, 1, 1], 1)) == ["best"]


async def test_the_dimension_is_checked_where_nothing_is_stored_any_more(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        await store.add("a", [1, 2])
        await store.delete("a")
        for limit in (1, 2_000_000):  # which is more than the server returns
            assert await store.search([1, 2], limit) == []
            with pytest.raises(DimensionError):
                await store.search([1.0], limit)


async def test_of_writes_of_different_dimensions_at_once_those_of_one_succeed(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        adding = (store.add(f"{number}", np.ones(2 + number % 2)) for number in range(20))
        done = await asyncio.gather(*adding, return_exceptions=True)
        assert done.count(None) == 10
        assert all(isinstance(each, DimensionError) for each in done if each is not None)
        assert await store.count() == 10


@pytest.mark.parametrize("rewritten", [False, True])
async def test_a_search_right_after_the_server_was_killed_finds_all(rewritten: bool) -> None:
    with running_server() as server:
        async with RedisVectorStore({"url": server.url, "connect_timeout": 30}) as store:
            await store.add_many(read_packages())
            question = next(iter(read_questions().values()))
            found = [await store.search(question, 10, where) for where in (None, *FILTERS.values())]
            if rewritten:
                server.command("BGREWRITEAOF")
                server.wait(lambda: b"aof_rewrite_in_progress:0" in server.command("INFO", "persistence"))
            server.restart()
            assert found == [await store.search(question, 10, where) for where in (None, *FILTERS.values())]


async def test_an_index_that_is_gone_is_made_again_and_believed_when_it_is_complete(
    server: Server, options: dict[str, Any]
) -> None:
    async with RedisVectorStore(options) as store:
        await store.add_many([(f"{number}", [1, number], {}) for number in range(3_000)])
        (index,) = indexes(server, store)
        server.command("FT.DROPINDEX", index)
        found = await asyncio.gather(*(store.search([1, 1], 3_000, include_vectors=False) for _ in range(3)))
        assert list(map(len, found)) == [3_000] * 3


async def test_a_search_right_after_a_restart_waits_for_an_index_that_is_not_complete_again(
    server: Server, options: dict[str, Any]
) -> None:
    async with RedisVectorStore(options) as store:
        await store.add_many([(f"{number}", [1, number], {}) for number in range(30_000)])
        async with RedisVectorStore({**options, "metric": "dot", "connect_timeout": 30}) as other:
            server.restart()
            assert len(await other.search([1, 1], 30_000, include_vectors=False)) == 30_000


async def test_what_is_stored_is_found_by_another_metric(server: Server, options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        await store.add_many([(f"{number:04}", [1, number], {}) for number in range(2_000)])
        async with RedisVectorStore({**options, "metric": "dot"}) as other:
            assert ids(await other.search([0, 1], 2)) == ["1999", "1998"]
            assert len(indexes(server, store)) == 2
            await store.clear()
            assert indexes(server, store) == []
            await store.add("a", [1, 2, 3])
            assert ids(await other.search([1, 1, 1])) == ["a"]


async def test_a_metric_without_an_index_is_refused_where_none_may_be_made(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        await store.add("a", [1, 2])
        async with RedisVectorStore({**options, "create": False}) as other:
            assert ids(await other.search([1, 2])) == ["a"]
        with pytest.raises(BackendSetupError, match=r"no index for the metric dot.*create: true"):
            await RedisVectorStore({**options, "create": False, "metric": "dot"}).connect()


async def test_a_dimension_that_is_not_that_of_what_is_stored_is_refused(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:
        await store.add("a", [1, 2])
        with pytest.raises(InvalidValueError, match="is 3, but what is stored has dimension 2"):
            await RedisVectorStore({**options, "dimension": 3}).connect()


async def test_an_approximate_search_uses_its_index_and_finds_nearly_all_of_the_nearest(
    server: Server, options: dict[str, Any]
) -> None:
    hits = wanted = 0
    async with (
        RedisVectorStore({**options, "index": "hnsw", "dimension": 384}) as store,
        InMemoryVectorStore() as memory,
    ):
        assert not store.guarantees.exact_search
        for each in (store, memory):
            await each.add_many(read_packages())
        (index,) = indexes(server, store)
        assert b"HNSW" in str(server.command("FT.INFO", index)).encode()
        for question in read_questions().values():
            expected = ids(await memory.search(question, 10))
            hits += len({*ids(await store.search(question, 10))} & {*expected})
            wanted += len(expected)
            for where in FILTERS.values():  # which are compared one by one
                assert await store.search(question, 10, where) == await memory.search(question, 10, where)
    assert hits / wanted >= 0.9


async def test_a_deletion_by_filter_is_whole_while_metadata_change(options: dict[str, Any]) -> None:
    async with RedisVectorStore(options) as store:

        async def change(id: str) -> None:
            for number in range(100):
                await store.update(id, {"n": number})

        async def delete() -> None:
            for _ in range(20):
                await store.add_many([(id, [1, 2], {"group": 1}) for id in "abcd"])
                await store.delete_many(metadata_filter={"group": 1})

        async def look() -> None:
            while not deleting.done():
                assert await store.count({"group": 1}) in (0, 4)

        deleting = asyncio.create_task(delete())
        await asyncio.gather(deleting, look(), *(change(id) for id in "ad"))
