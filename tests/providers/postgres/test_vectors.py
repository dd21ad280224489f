"""Vectors in PostgreSQL beyond the contract: an approximate index, and numbers of half the size."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from quickstart import FILTERS, read_packages, read_questions

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import DimensionError, InvalidValueError, UnsupportedFilterError
from symphony_registry.providers.postgres.connections import Connection
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore
from tests.helpers.postgres_server import value

HNSW = {"dimension": 384, "index": "hnsw"}


@pytest.fixture
def options(postgres_url: str, new_schema: Callable[[], str]) -> dict[str, Any]:
    return {"dsn": postgres_url, "schema": new_schema()}


@pytest.fixture
async def exact() -> AsyncIterator[InMemoryVectorStore]:
    async with InMemoryVectorStore() as store:
        await store.add_many(read_packages())
        yield store


def ids(found: list[Any]) -> list[str]:
    return [each["id"] for each in found]


async def recall(store: PostgresVectorStore, exact: InMemoryVectorStore, where: Any = None) -> float:
    """Return the share of the ten nearest that an approximate search finds, over all questions."""
    hits = wanted = 0
    for question in read_questions().values():
        expected = ids(await exact.search(question, 10, where))
        hits += len({*ids(await store.search(question, 10, where))} & {*expected})
        wanted += len(expected)
    return hits / wanted


@pytest.mark.parametrize("storage", ["vector", "halfvec"])
async def test_an_approximate_search_finds_nearly_all_of_the_nearest(
    storage: str, options: dict[str, Any], exact: InMemoryVectorStore
) -> None:
    async with PostgresVectorStore({**options, **HNSW, "storage": storage}) as store:
        await store.add_many(read_packages())
        assert await recall(store, exact) >= 0.9
        for where in FILTERS.values():
            assert await recall(store, exact, where) >= 0.9


async def test_an_approximate_search_uses_the_index(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, **HNSW}) as store:
        await store.add_many(read_packages())
        for question in read_questions().values():
            await store.search(question, 10)
    scans = """
        SELECT sum(idx_scan) FROM pg_stat_user_indexes JOIN pg_class ON pg_class.oid = indexrelid
        JOIN pg_am ON pg_am.oid = relam WHERE schemaname = $1 AND amname = 'hnsw'
    """
    while await value(options["dsn"], scans, options["schema"]) < len(read_questions()):
        pass  # a session tells of what it did when it ends


async def test_an_approximate_search_fills_its_limit_with_what_matches(
    options: dict[str, Any], exact: InMemoryVectorStore
) -> None:
    async with PostgresVectorStore({**options, **HNSW, "iterative_scan": "strict_order"}) as store:
        await store.add_many(read_packages())
        for rare in ({"section": "editors"}, {"size_kb": {"$lt": 30}}, {"section": "nowhere"}):
            matching = await exact.count(rare)
            for question in read_questions().values():
                found = await store.search(question, 5, rare)
                assert len(found) == min(5, matching)
                assert all(parse_filter(rare).matches(each["metadata"]) for each in found)
                assert found == sorted(found, key=lambda each: (-each["similarity"], each["id"]))


async def test_an_approximate_search_gives_more_than_its_candidates_where_more_are_asked_for(
    options: dict[str, Any],
) -> None:
    async with PostgresVectorStore({**options, **HNSW, "ef_search": 10}) as store:
        await store.add_many(read_packages())
        (question, *_) = read_questions().values()
        assert len(await store.search(question, 500)) == 500


# Of many equal vectors, the links of an index reach only a part.
EQUALS = [(f"{number:04}", [1.0, 2.0, 3.0], {"number": number}) for number in range(2_000)]
FEW = {"number": {"$gte": 700, "$lt": 705}}
FILLED = {"dimension": 3, "index": "hnsw", "m": 2, "ef_construction": 4, "ef_search": 1}


@pytest.fixture(params=["vector", "halfvec"])
def filled(request: pytest.FixtureRequest, options: dict[str, Any]) -> dict[str, Any]:
    return {**options, **FILLED, "storage": request.param}


@pytest.mark.parametrize("iterative_scan", ["off", "relaxed_order", "strict_order"])
async def test_an_approximate_search_finds_as_many_as_match_among_many_equals(
    iterative_scan: str, filled: dict[str, Any]
) -> None:
    async with PostgresVectorStore({**filled, "iterative_scan": iterative_scan}) as store:
        await store.add_many(EQUALS)
        for query in ([1, 2, 3], [-3, 2, 1]):
            assert ids(await store.search(query, 3_000)) == [id for id, *_ in EQUALS]
            assert ids(await store.search(query, 10, FEW)) == ["0700", "0701", "0702", "0703", "0704"]
        await store.delete_many([id for id, *_ in EQUALS[100:]])
        assert ids(await store.search([1, 2, 3], 100)) == [id for id, *_ in EQUALS[:100]]


@pytest.mark.parametrize("size", [20_000, 70_000])
async def test_a_query_that_is_too_long_for_any_vector_finds_nothing_or_is_refused(
    size: int, options: dict[str, Any]
) -> None:
    async with PostgresVectorStore(options) as store:
        assert await store.search([1.0] * size) == []
        await store.add("a", [1.0, 2.0])
        with pytest.raises(DimensionError):
            await store.search([1.0] * size)


async def test_an_approximate_search_that_found_nothing_refuses_a_query_of_another_dimension(
    filled: dict[str, Any],
) -> None:
    async with PostgresVectorStore(filled) as store:
        with pytest.raises(DimensionError, match=r"dimension 2.* dimension 3"):
            await store.search([1, 2])


async def test_vectors_of_extreme_length_do_not_stand_for_what_an_index_missed(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, **FILLED}) as store:
        tiny = ((f"tiny {number}", [-1e-20, 0, 0], {"number": 700}) for number in range(5))
        await store.add_many([*EQUALS, *tiny])
        assert ids(await store.search([1, 2, 3], 5, FEW)) == ["0700", "0701", "0702", "0703", "0704"]


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
async def test_an_approximate_search_cuts_equals_by_id_at_its_limit(metric: str, options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 3, "index": "hnsw", "metric": metric}) as store:
        await store.add_many([*EQUALS[29::-1], ("best", [2.0, 2.0, 3.0], {"number": 0})])
        for limit in range(1, 31):
            for where in (None, {"number": {"$gte": 0}}):
                found = ids(await store.search([2, 2, 3], limit, where))
                assert found == ["best", *(id for id, *_ in EQUALS[: limit - 1])]


async def test_a_search_whose_index_finds_enough_is_one_statement(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    fetch = Connection.fetch

    async def counted(connection: Connection, query: str, *arguments: Any) -> list[Any]:
        sent.append(query)
        return await fetch(connection, query, *arguments)

    monkeypatch.setattr(Connection, "fetch", counted)
    async with PostgresVectorStore({**options, **HNSW}) as store:
        await store.add_many(read_packages())
        (question, *_) = read_questions().values()
        for where in (None, {"size_kb": {"$gt": 30}}):
            sent.clear()
            assert len(await store.search(question, 10, where)) == 10
            assert len(sent) == 1


async def test_an_index_follows_what_is_replaced_and_deleted(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 2, "index": "hnsw"}) as store:
        await store.add_many([(f"{number}", [1, number / 100], None) for number in range(100)])
        await store.delete("0")
        await store.add("1", [-1, 0])
        assert ids(await store.search([1, 0], 2)) == ["2", "3"]
        assert ids(await store.search([-1, 0], 1)) == ["1"]
        await store.clear()
        assert await store.search([1, 0]) == []


async def test_an_index_does_not_hide_vectors_of_extreme_length(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 2, "index": "hnsw"}) as store:
        await store.add_many([("tiny", [1e-30, 0], None), ("huge", [0, 1e30], None), ("one", [1, 1], None)])
        assert ids(await store.search([1, 0])) == ["tiny", "one", "huge"]


@pytest.mark.parametrize("made_with", [{"dimension": 384}, {}], ids=["the dimension", "any dimension"])
async def test_an_index_can_be_added_to_a_store_that_was_made_with(
    made_with: dict[str, Any], options: dict[str, Any]
) -> None:
    async with PostgresVectorStore({**options, **made_with}) as store:
        await store.add_many(read_packages())
        (question, *_) = read_questions().values()
        exactly = ids(await store.search(question, 3))
    async with PostgresVectorStore({**options, **HNSW, "ef_search": 400}) as store:
        assert ids(await store.search(question, 3)) == exactly


@pytest.mark.parametrize(
    "changed",
    [
        {"storage": "halfvec"},
        {"storage": "halfvec", "index": "hnsw", "dimension": 3},
    ],
)
async def test_another_storage_than_the_tables_have_is_refused_when_the_store_is_opened(
    changed: dict[str, Any], options: dict[str, Any]
) -> None:
    async with PostgresVectorStore({**options, "dimension": 3}) as store:
        await store.add("a", [1, 2, 3])
    with pytest.raises(InvalidValueError, match="storage is halfvec, but its table keeps a vector"):
        await PostgresVectorStore({**options, **changed}).connect()


async def test_another_dimension_than_the_store_has_is_refused_when_it_is_opened(options: dict[str, Any]) -> None:
    async with PostgresVectorStore(options) as store:
        await store.add("a", [1, 2, 3])
    with pytest.raises(InvalidValueError, match="option dimension is 4, but what is stored has dimension 3"):
        await PostgresVectorStore({**options, "dimension": 4, "index": "hnsw"}).connect()


@pytest.mark.parametrize("number", [65_520.0, 1e30, -70_000.0])
async def test_what_float16_cannot_hold_is_refused_with_halfvec(number: float, options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "storage": "halfvec"}) as store:
        with pytest.raises(InvalidValueError, match="float16"):
            await store.add_many([("a", [1, 1], None), ("b", [1, number], None)])
        assert await store.count() == 0


async def test_what_float16_rounds_to_nothing_has_no_cosine_with_halfvec(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "storage": "halfvec"}) as store:
        with pytest.raises(InvalidValueError, match="length zero"):
            await store.add("tiny", [1e-9, 1e-9])
        assert await store.count() == 0


async def test_too_many_dimensions_are_refused_with_the_limit(options: dict[str, Any]) -> None:
    for wrong in (
        {"dimension": 16_001},
        {"dimension": 2_001, "index": "hnsw"},
        {"dimension": 4_001, "index": "hnsw", "storage": "halfvec"},
    ):
        with pytest.raises(InvalidValueError, match="at most"):
            PostgresVectorStore({**options, **wrong})
    async with PostgresVectorStore(options) as store:
        with pytest.raises(InvalidValueError, match="at most 16000"):
            await store.add("a", np.ones(16_001))
        await store.add("a", np.ones(16_000))
        assert (await store.search(np.ones(16_000)))[0]["similarity"] == pytest.approx(1)


async def test_an_index_needs_a_dimension_and_enough_candidates(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="needs the option dimension"):
        PostgresVectorStore({**options, "index": "hnsw"})
    with pytest.raises(InvalidValueError, match="ef_construction"):
        PostgresVectorStore({**options, **HNSW, "m": 40})


async def test_a_wrong_item_is_named_by_its_place_in_the_call(options: dict[str, Any]) -> None:
    async with PostgresVectorStore(options) as store:
        with pytest.raises(DimensionError, match=r"items\[1\].* dimension 3.* dimension 2"):
            await store.add_many([("b", [1, 2], None), ("a", [1, 2, 3], None)])
        assert await store.dimension() is None


async def test_a_filter_with_more_values_than_a_statement_takes_is_refused(options: dict[str, Any]) -> None:
    async with PostgresVectorStore(options) as store:
        assert await store.count({"k": {"$in": list(range(40_000))}}) == 0
        with pytest.raises(UnsupportedFilterError, match="40,000"):
            await store.count({"$or": [{"k": number} for number in range(40_000)]})


async def test_a_store_whose_first_vector_was_cancelled_has_no_dimension(options: dict[str, Any]) -> None:
    async with PostgresVectorStore(options) as store:
        for steps in range(40):
            adding = asyncio.ensure_future(store.add("a", [1, 2]))
            for _ in range(steps):
                await asyncio.sleep(0)
            adding.cancel()
            await asyncio.wait([adding])
            assert (await store.count() == 0) is (await store.dimension() is None)
            await store.clear()


async def test_clearing_frees_the_dimension_that_an_option_once_fixed(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 2}) as store:
        await store.add("a", [1, 2])
    async with PostgresVectorStore(options) as store:
        await store.clear()
        await store.add("a", [1, 2, 3])
        assert await store.dimension() == 3


async def test_an_index_keeps_the_dimension_when_the_store_is_cleared(options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 2, "index": "hnsw"}):
        pass
    async with PostgresVectorStore(options) as store:
        await store.clear()
        assert await store.dimension() == 2


async def test_a_dot_product_that_the_server_sums_wrongly_is_found(options: dict[str, Any]) -> None:
    items: list[Any] = [(f"n{number}", [1.0, 0.5 + number / 100] + [0.0] * 30, None) for number in range(40)]
    far = np.zeros(32)
    far[[2, 11, 25]] = 1e8, 3.0, -1e8
    async with PostgresVectorStore({**options, "metric": "dot"}) as store:
        await store.add_many([*items, ("far", far, None)])
        (best,) = await store.search([1.0] * 32, 1)
    assert (best["id"], best["similarity"]) == ("far", 3.0)


@pytest.mark.parametrize("index", ["none", "hnsw"])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
async def test_a_query_need_not_fit_float16(scale: float, index: str, options: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "storage": "halfvec", "dimension": 2, "index": index}) as store:
        await store.add_many([("a", [1, 2], None), ("b", [2, 1], None)])
        assert ids(await store.search([scale, 2 * scale])) == ["a", "b"]


async def test_exact_search_of_half_the_size_orders_as_memory_does(options: dict[str, Any]) -> None:
    chance = np.random.default_rng(3)
    items: list[Any] = [(f"{number:03}", np.sign(chance.standard_normal(64)), None) for number in range(500)]
    query = np.ones(64) + chance.standard_normal(64) * 3e-4
    async with PostgresVectorStore({**options, "storage": "halfvec"}) as store, InMemoryVectorStore() as memory:
        await store.add_many(items)
        await memory.add_many(items)
        assert await store.search(query, 5) == await memory.search(query, 5)


@pytest.mark.parametrize("more", [{}, {"storage": "halfvec"}, {"iterative_scan": "off"}, {"ef_search": 1}])
async def test_an_approximate_search_finds_as_many_as_match(options: dict[str, Any], more: dict[str, Any]) -> None:
    async with PostgresVectorStore({**options, "dimension": 3, "index": "hnsw", **more}) as store:
        rows = np.random.default_rng(1).standard_normal((300, 3))
        items = [(f"other {n}", rows[n], {"n": n}) for n in range(300)]
        items += [(f"equal {n:04}", [1.0, 2.0, 3.0], {"n": n}) for n in range(2_000)]
        await store.add_many(items)
        await store.delete_many([f"equal {n:04}" for n in range(1_500)])
        for limit in (1, 10, 100, 700, 1_000):
            assert len(await store.search([1.0, 2.0, 3.0], limit)) == min(limit, 800)
        for few in (1, 3, 10):
            found = await store.search([1.0, 2.0, 3.0], 10, {"n": {"$lt": few}})
            assert sorted(each["metadata"]["n"] for each in found) == list(range(few))
        for questions in await store.search_many([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]], 600):
            assert len(questions) == 600
        ties = [each["id"] for each in await store.search([1.0, 2.0, 3.0], 50) if each["similarity"] > 1 - 1e-6]
        assert ties == sorted(ties)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e20])
async def test_what_is_just_similar_enough_is_found_as_in_memory(
    metric: str, scale: float, options: dict[str, Any]
) -> None:
    rows = (np.random.default_rng(3).normal(size=(60, 16)) * scale).astype(np.float32)
    items = [(f"{number:02}", row, None) for number, row in enumerate(rows)]
    items += [("equal", rows[0], None), ("nearly", np.nextafter(rows[0], np.float32(np.inf)), None)]
    options["metric"] = metric
    async with PostgresVectorStore(options) as store, InMemoryVectorStore({"metric": metric}) as memory:
        for each in (store, memory):
            await each.add_many(items)
        for query in (rows[0], rows[1] * 1e-18):
            for least in [found["similarity"] for found in await memory.search(query, 100)]:
                expected = ids(await memory.search(query, 100, min_similarity=least))
                assert ids(await store.search(query, 100, min_similarity=least)) == expected
