"""Sentences about searching, bulk operations and scanning of vectors."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import SearchResult, VectorStoreBackend
from symphony_registry.testing.contract.vectors import VectorHarness, precision, rounded
from symphony_registry.testing.expectations import assert_close, assert_same
from symphony_registry.testing.sentence import Group

search = Group("search", BackendType.VECTOR_STORE)

_METRICS = ("cosine", "dot", "euclidean")
_VECTORS = {
    "east": [1.0, 0.0, 0.0],
    "north": [0.0, 2.0, 0.0],
    "north-east": [3.0, 3.0, 0.0],
    "west": [-1.0, 0.0, 0.0],
}


async def fill(store: VectorStoreBackend) -> None:
    """Store four vectors."""
    await store.add_many([(id, vector, {"words": len(id.split("-"))}) for id, vector in _VECTORS.items()])


def ids_of(results: list[SearchResult]) -> list[str]:
    """Return the ids of results, in their order."""
    return [result["id"] for result in results]


def similarity(metric: str, left: Any, right: Any) -> float:
    """Return the similarity of two vectors, computed in float64: the reference."""
    a, b = (np.array(each, np.float64) for each in (left, right))
    match metric:
        case "cosine":
            return float((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)))
        case "dot":
            return float(a @ b)
        case _:
            return float(1 / (1 + np.linalg.norm(a - b)))


def _assert_right(results: list[SearchResult], expected: Mapping[str, float], what: str) -> None:
    """Expect each result to have the similarity of its vector, and the highest to come first."""
    for result in results:
        assert_close(result["similarity"], expected[result["id"]], f"{what} of {result['id']}")
    given = [result["similarity"] for result in results]
    assert given == sorted(given, reverse=True), "the highest similarity is not first"
    assert len(set(ids_of(results))) == len(results), "a vector was found twice"


async def _agrees(harness: VectorHarness, reference: str, *, exactly: bool = False, **options: Any) -> None:
    """Expect the similarities of the reference for vectors of many lengths and directions.

    The numbers of a query are such that rounding them, too, would change nothing.
    """
    chance = random.Random(7)  # noqa: S311 - the same vectors in each run
    for dimension in (1, 2, 3, 50):
        async with harness.open(dimension=dimension, **options) as store:
            stored = {
                f"v{n}": rounded([chance.gauss(0, 1 + n % 5) for _ in range(dimension)], store) for n in range(60)
            }
            await store.add_many([(id, vector, None) for id, vector in stored.items()])
            for _ in range(5):
                query = rounded([chance.gauss(0, 2) for _ in range(dimension)], store)
                expected = {id: similarity(reference, query, vector) for id, vector in stored.items()}
                for limit in (7, 60):
                    results = await store.search(query, limit)
                    assert 0 < len(results) <= limit
                    _assert_right(results, expected, f"{reference} in {dimension} dimensions")
                    if exactly:
                        best = sorted(expected.values(), reverse=True)[:limit]
                        for result, similar in zip(results, best, strict=True):
                            assert_close(result["similarity"], similar, f"{reference}, in its place")


@search.sentence("similarity is the cosine by default, highest first")
async def cosine(harness: VectorHarness) -> None:
    await _agrees(harness, "cosine")
    await _agrees(harness, "cosine", metric="cosine")


@search.sentence("with the metric dot similarity is the dot product, highest first")
async def dot(harness: VectorHarness) -> None:
    await _agrees(harness, "dot", metric="dot")


@search.sentence("with the metric euclidean similarity is 1 / (1 + distance), highest first")
async def euclidean(harness: VectorHarness) -> None:
    await _agrees(harness, "euclidean", metric="euclidean")


@search.sentence("of the most similar vectors none is missed", needs="exact search")
async def exact(harness: VectorHarness) -> None:
    for metric in _METRICS:
        await _agrees(harness, metric, exactly=True, metric=metric)


@search.sentence("the cosine stays in [-1, 1] and does not depend on the lengths, however small or large")
async def cosine_range(harness: VectorHarness) -> None:
    async with harness.open() as store:
        limits = precision(store)
        scales = np.geomspace(float(limits.tiny), float(limits.max) / 8, 7).tolist()
        for scale in scales:
            await store.add(f"same {scale}", [scale, scale * 3, scale * 7])
            await store.add(f"opposite {scale}", [-scale, -scale * 3, -scale * 7])
        for scale in scales:
            for result in await store.search([scale, scale * 3, scale * 7], 100):
                assert -1.0 <= result["similarity"] <= 1.0
                expected = 1.0 if result["id"].startswith("same") else -1.0
                assert_close(result["similarity"], expected, f"{result['id']} for a query of {scale}")


@search.sentence("a result has id, similarity, metadata and vector")
async def shape(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        best = (await store.search([2.0, 0.0, 0.0], 1))[0]
        expected = {"id": "east", "similarity": 1.0, "metadata": {"words": 1}, "vector": [1.0, 0.0, 0.0]}
        assert_close(best["similarity"], 1.0, "the similarity")
        assert_same({**best, "similarity": 1.0}, expected, "the result")


@search.sentence("without include_vectors a result has no vector, and is the same otherwise")
async def without_vectors(harness: VectorHarness) -> None:
    query = [1.0, 1.0, 0.0]
    async with harness.open() as store:
        await fill(store)
        results = await store.search(query)
        bare = await store.search(query, include_vectors=False)
        for full, result in zip(results, bare, strict=True):
            del full["vector"]
            assert_same(result, full, "a result without vector")
        (many,) = await store.search_many([query], include_vectors=False)
        assert_same(many, bare, "search_many without vectors")


_IN_ORDER = ["10", "9", "Z", "a", "b", "é", "\uffff", "\U00010000", "\U0001f600"]


async def _fill_with_equals(store: VectorStoreBackend) -> None:
    for id in [*_IN_ORDER[::2], *_IN_ORDER[1::2]]:
        await store.add(id, [0.3, 0.7, 0.11])
    await store.add("worse", [-1.0, -1.0, -1.0])


@search.sentence("equal similarities are ordered by id in code-point order")
async def equals(harness: VectorHarness) -> None:
    for metric in _METRICS:
        async with harness.open(metric=metric) as store:
            await _fill_with_equals(store)
            assert ids_of(await store.search([0.2, 0.5, 0.77], 20)) == [*_IN_ORDER, "worse"]


@search.sentence("of equal similarities the limit leaves the first by id", needs="exact search")
async def equals_cut(harness: VectorHarness) -> None:
    for metric in _METRICS:
        async with harness.open(metric=metric) as store:
            await _fill_with_equals(store)
            for limit in range(1, len(_IN_ORDER) + 1):
                assert ids_of(await store.search([0.2, 0.5, 0.77], limit)) == _IN_ORDER[:limit]


@search.sentence("the limit is 10 by default")
async def default_limit(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many([(f"{number:02}", [1.0, float(number), 0.0], None) for number in range(12)])
        expected = [f"{number:02}" for number in range(10)]
        assert ids_of(await store.search([1.0, 0.0, 0.0])) == expected
        assert [ids_of(results) for results in await store.search_many([[1.0, 0.0, 0.0]])] == [expected]


@search.sentence("only what matches the filter is considered, before the limit", needs="filters")
async def filtered(harness: VectorHarness) -> None:
    query = [-1.0, 0.1, 0.0]
    async with harness.open() as store:
        await fill(store)
        assert ids_of(await store.search(query, 1, {"words": 2})) == ["north-east"]
        assert ids_of(await store.search(query, 2, {"words": {"$lt": 2}})) == ["west", "north"]
        assert await store.search(query, 5, {"words": 3}) == []
        assert [ids_of(each) for each in await store.search_many([query], 1, {"words": 2})] == [["north-east"]]


# Many equal vectors, of which an approximate index may reach only a part.
_EQUALS = [(f"{number:04}", [1.0, 2.0, 3.0], {"number": number}) for number in range(3_000)]


@search.sentence("as many are found as there are, up to the limit")
async def enough(harness: VectorHarness) -> None:
    ids = [id for id, *_ in _EQUALS]
    async with harness.open() as store:
        await store.add_many(_EQUALS)
        while ids:
            for limit in (30, 100, 1_000, len(_EQUALS)):
                found = {*ids_of(await store.search([3.0, -2.0, 1.0], limit))}
                assert len(found) == min(limit, len(ids)), f"{len(found)} of {len(ids)} with the limit {limit}"
            await store.delete_many(ids[: len(ids) // 2 + 1])
            del ids[: len(ids) // 2 + 1]


@search.sentence("as many are found as match the filter, up to the limit", needs="filters")
async def enough_filtered(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many(_EQUALS)
        for least in range(0, len(_EQUALS), 300):
            few = {"number": {"$in": list(range(least, least + 5))}}
            for limit in (3, 10):
                found = ids_of(await store.search([3.0, -2.0, 1.0], limit, few))
                assert len(found) == min(limit, 5), f"{len(found)} of 5 with the limit {limit}"


@search.sentence("an empty store gives nothing")
async def nothing(harness: VectorHarness) -> None:
    query = [1.0, 2.0, 3.0]
    async with harness.open() as store:
        assert await store.search(query) == []
        assert await store.search_many([query, query]) == [[], []]
        assert await store.get("a") is None
        await store.add("a", query)
        await store.delete("a")
        assert await store.search(query) == []


@search.sentence("search sees each change at once")
async def fresh(harness: VectorHarness) -> None:
    query = [-1.0, 0.0, 0.0]
    async with harness.open() as store:
        await fill(store)
        await store.add("east", [-5.0, 2.0, 0.0])
        assert ids_of(await store.search(query)) == ["west", "east", "north", "north-east"]
        await store.delete("west")
        assert ids_of(await store.search(query)) == ["east", "north", "north-east"]
        await store.add("west", [-1.0, 0.0, 0.0])
        assert ids_of(await store.search(query, 1)) == ["west"]
