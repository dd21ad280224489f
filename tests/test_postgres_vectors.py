"""Vectors in PostgreSQL beyond the contract: an approximate index, and numbers of half the size."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from postgres_server import value
from quickstart import FILTERS, read_packages, read_questions

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.backends.vector_store.postgres import PostgresVectorStore
from symphony_registry.errors import InvalidValueError

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
