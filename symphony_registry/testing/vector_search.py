"""Sentences about searching, bulk operations and scanning of vectors."""

# ruff: noqa: D103 - the sentence says what a check is about

import asyncio
import random
from typing import Any

import numpy as np

from symphony_registry.backends.vector_store.base import SearchResult, VectorStoreBackend
from symphony_registry.testing.expectations import assert_close, assert_same, collect, refused
from symphony_registry.testing.sentence import Group
from symphony_registry.testing.vector_store import VectorHarness

search = Group("search")

_VECTORS = {"east": [1.0, 0.0], "north": [0.0, 2.0], "north-east": [3.0, 3.0], "west": [-1.0, 0.0]}


async def _fill(store: VectorStoreBackend) -> None:
    await store.add_many([(id, vector, {"words": len(id.split("-"))}) for id, vector in _VECTORS.items()])


def _ids(results: list[SearchResult]) -> list[str]:
    return [result["id"] for result in results]


def similarity(metric: str, left: Any, right: Any) -> float:
    """Return the similarity of two vectors, rounded to float32 and computed in float64: the reference."""
    a, b = (np.array(each, np.float32).astype(np.float64) for each in (left, right))
    match metric:
        case "cosine":
            return float((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)))
        case "dot":
            return float(a @ b)
        case _:
            return float(1 / (1 + np.linalg.norm(a - b)))


async def _agrees(harness: VectorHarness, reference: str, **options: Any) -> None:
    """Expect the similarities of the reference, highest first, for vectors of many lengths and directions."""
    chance = random.Random(7)  # noqa: S311 - the same vectors in each run
    for dimension in (1, 2, 3, 50):
        stored = {f"v{n}": [chance.gauss(0, 1 + n % 5) for _ in range(dimension)] for n in range(60)}
        async with harness.open(**options) as store:
            await store.add_many([(id, vector, None) for id, vector in stored.items()])
            for _ in range(5):
                query = [chance.gauss(0, 2) for _ in range(dimension)]
                expected = {id: similarity(reference, query, vector) for id, vector in stored.items()}
                for limit in (7, 60):
                    results = await store.search(query, limit)
                    best = sorted(expected.values(), reverse=True)[:limit]
                    assert len(results) == limit
                    for result, expected_here in zip(results, best, strict=True):
                        assert_close(result["similarity"], expected_here, f"{reference}, in its place")
                        assert_close(result["similarity"], expected[result["id"]], f"{reference} of {result['id']}")
                    given = [result["similarity"] for result in results]
                    assert given == sorted(given, reverse=True), "the highest similarity is not first"


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


@search.sentence("the cosine stays in [-1, 1] and does not depend on the lengths, however small or large")
async def cosine_range(harness: VectorHarness) -> None:
    scales = [1e-30, 1e-20, 1e-8, 1.0, 1e8, 1e20, 1e37]
    async with harness.open() as store:
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
        await _fill(store)
        best = (await store.search([2.0, 0.0], 1))[0]
        expected = {"id": "east", "similarity": 1.0, "metadata": {"words": 1}, "vector": [1.0, 0.0]}
        assert_close(best["similarity"], 1.0, "the similarity")
        assert_same({**best, "similarity": 1.0}, expected, "the result")


@search.sentence("without include_vectors a result has no vector, and is the same otherwise")
async def without_vectors(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        results = await store.search([1.0, 1.0])
        bare = await store.search([1.0, 1.0], include_vectors=False)
        for full, result in zip(results, bare, strict=True):
            del full["vector"]
            assert_same(result, full, "a result without vector")
        (many,) = await store.search_many([[1.0, 1.0]], include_vectors=False)
        assert_same(many, bare, "search_many without vectors")


@search.sentence("equal similarities are ordered by id in code-point order, also where the limit cuts")
async def ties(harness: VectorHarness) -> None:
    in_order = ["10", "9", "Z", "a", "b", "é", "\uffff", "\U00010000", "\U0001f600"]
    for metric in ("cosine", "dot", "euclidean"):
        async with harness.open(metric=metric) as store:
            for id in [*in_order[::2], *in_order[1::2]]:
                await store.add(id, [0.3, 0.7, 0.11])
            await store.add("worse", [-1.0, -1.0, -1.0])
            for limit in range(1, len(in_order) + 1):
                assert _ids(await store.search([0.2, 0.5, 0.77], limit)) == in_order[:limit]


@search.sentence("the limit is 10 by default")
async def default_limit(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many([(f"{number:02}", [1.0, 1.0], None) for number in range(12)])
        expected = [f"{number:02}" for number in range(10)]
        assert _ids(await store.search([1.0, 1.0])) == expected
        assert [_ids(results) for results in await store.search_many([[1.0, 1.0]])] == [expected]


@search.sentence("only what matches the filter is considered, before the limit")
async def filtered(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        assert _ids(await store.search([-1.0, 0.1], 1, {"words": 2})) == ["north-east"]
        assert _ids(await store.search([-1.0, 0.1], 2, {"words": {"$lt": 2}})) == ["west", "north"]
        assert await store.search([1.0, 0.0], 5, {"words": 3}) == []
        assert [_ids(each) for each in await store.search_many([[-1.0, 0.1]], 1, {"words": 2})] == [["north-east"]]


@search.sentence("an empty store gives nothing")
async def nothing(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.search([1.0, 2.0]) == []
        assert await store.search_many([[1.0, 2.0], [1.0]]) == [[], []]
        assert await store.get("a") is None
        await store.add("a", [1.0])
        await store.delete("a")
        assert await store.search([1.0]) == []


@search.sentence("search sees each change at once")
async def fresh(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        await store.add("east", [-5.0, 0.1])
        assert _ids(await store.search([-1.0, 0.0])) == ["west", "east", "north", "north-east"]
        await store.delete("west")
        assert _ids(await store.search([-1.0, 0.0])) == ["east", "north", "north-east"]
        await store.add("west", [-1.0, 0.0])
        assert _ids(await store.search([-1.0, 0.0], 1)) == ["west"]


bulk = Group("bulk operations")


@bulk.sentence("add_many stores each item, and the last of equal ids wins")
async def add_many(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("b", [9.0], {"old": True})
        await store.add_many([("a", [1.0], {"n": 1}), ("b", [2.0], None), ("a", [3.0], {"n": 3})])
        assert_same(await store.get("a"), {"id": "a", "vector": [3.0], "metadata": {"n": 3}}, "the last of equal ids")
        assert_same(await store.get("b"), {"id": "b", "vector": [2.0], "metadata": {}}, "the replaced item")
        assert await store.count() == 2


@bulk.sentence("bulk operations take any iterable, also an empty one")
async def iterables(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many([])
        assert await store.get_many([]) == []
        assert await store.delete_many([]) == 0
        assert await store.search_many([]) == []
        await store.add_many((id, [1.0, 2.0], None) for id in "abc")
        found = await store.get_many(id for id in "ca")
        assert [item and item["id"] for item in found] == ["c", "a"]
        assert [_ids(each) for each in await store.search_many(iter([[1.0, 2.0]]), 1)] == [["a"]]
        assert await store.delete_many(id for id in "ab") == 2


@bulk.sentence("add_many of items that are not (id, vector, metadata) raises, and writes nothing")
async def malformed(harness: VectorHarness) -> None:
    async with harness.open() as store:
        good = ("a", [1.0], None)
        for items in (
            [good, ("b",)],
            [good, ("b", [1.0])],
            [good, ("b", [1.0], None, 1)],
            [good, None],
            [good, ()],
            [good, "bcd"],
            7,
        ):
            with refused(f"add_many of {items}"):
                await store.add_many(items)  # type: ignore[arg-type]
        assert await store.count() == 0


@bulk.sentence("get_many gives the items in the order asked, None for unknown ids, equal ids twice")
async def get_many(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        ids = ["west", "x", "east", "west"]
        assert_same(await store.get_many(ids), [await store.get(id) for id in ids], "the items")


@bulk.sentence("delete_many deletes each id and gives how many were there")
async def delete_many(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        assert await store.delete_many(["west", "x", "east", "west"]) == 2
        assert [item["id"] for item in await collect(store.scan())] == ["north", "north-east"]
        assert await store.delete_many(["west"]) == 0


@bulk.sentence("search_many gives for each query what search gives")
async def search_many(harness: VectorHarness) -> None:
    queries = [[1.0, 0.0], [0.0, 1.0], [-3.0, 1.0], [1.0, 0.0]]
    async with harness.open() as store:
        await _fill(store)
        together = await store.search_many(queries, 3, {"words": 1})
        assert_same(together, [await store.search(query, 3, {"words": 1}) for query in queries], "the results")


@bulk.sentence("clear deletes everything, and the store can be used on")
async def clear(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.clear()
        await _fill(store)
        await store.clear()
        assert await store.count() == 0
        assert await store.search([1.0, 0.0]) == []
        assert await collect(store.scan()) == []
        await _fill(store)
        assert await store.count() == 4


scan = Group("scan")


@scan.sentence("scan gives every item once, by id, whatever the batch size")
async def everything(harness: VectorHarness) -> None:
    ids = sorted([*"zyxBA", "é", "10", "9", "\uffff", "\U00010000"])
    async with harness.open() as store:
        assert await collect(store.scan()) == []
        await store.add_many([(id, [1.0, 2.0], {"id": id}) for id in reversed(ids)])
        expected = [{"id": id, "vector": [1.0, 2.0], "metadata": {"id": id}} for id in ids]
        for batch_size in (1, 2, 3, 10, 1000):
            assert_same(await collect(store.scan(batch_size)), expected, f"scan({batch_size})")
        assert_same(await collect(store.scan(batch_size=4)), expected, "scan(batch_size=4)")


@scan.sentence("a batch size that is not an int of at least 1 raises")
async def batch_size(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        for size in (0, -1, True, 1.0, "1"):
            with refused(f"scan({size!r})"):
                await collect(store.scan(size))  # type: ignore[arg-type]


@scan.sentence("changes during a scan break neither it nor what does not change")
async def changing(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many([(id, [1.0, 2.0], None) for id in "abcdef"])
        seen = []
        async for item in store.scan(2):
            seen.append(item["id"])
            if item["id"] == "b":
                await asyncio.gather(store.delete("a"), store.delete("d"), store.add("a0", [1.0, 1.0]))
        assert [id for id in seen if id in "abcef"] == list("abcef")


@scan.sentence("a scan that is left early leaves the store usable")
async def left(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _fill(store)
        for _ in range(3):
            scanning = store.scan(1)
            await anext(scanning)
            close = getattr(scanning, "aclose", None)
            if close is not None:
                await close()
        await store.add("new", [1.0, 2.0])
        assert await store.count() == 5
