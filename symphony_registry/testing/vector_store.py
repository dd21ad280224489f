"""Sentences about storing vectors."""

# ruff: noqa: D103 - the sentence says what a check is about

import array
from typing import Any, TypeAlias

import numpy as np

from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

VectorHarness: TypeAlias = Harness[VectorStoreBackend]

upsert = Group("add, get, delete")


@upsert.sentence("add replaces the vector and the metadata of an id")
async def replaces(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0, 0.0], {"old": 1, "both": 1})
        await store.add("a", [0.0, 1.0], {"both": 2})
        expected = {"id": "a", "vector": [0.0, 1.0], "metadata": {"both": 2}}
        assert_same(await store.get("a"), expected, "the item")
        assert await store.count() == 1
        assert [found["id"] for found in await store.search([0.0, 1.0])] == ["a"]


@upsert.sentence("add without metadata removes those there were")
async def removes_metadata(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0], {"old": 1})
        await store.add("a", [1.0])
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0], "metadata": {}}, "the item")


@upsert.sentence("get gives None for an unknown id")
async def unknown(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.get("a") is None
        await store.add("a", [1.0])
        assert await store.get("b") is None


@upsert.sentence("a vector comes back as a list of floats, rounded to float32")
async def rounded(harness: VectorHarness) -> None:
    numbers = [0.1, 1 / 3, 16777217.0, -1e-40, 3.4e38, 1e-38, 123456.789, -0.5]
    async with harness.open() as store:
        await store.add("a", numbers)
        await store.add("b", [0, 1, 2, 3, 4, 5, 6, 2**40 + 1])
        found = await store.get("a")
        assert found is not None
        assert_same(found["vector"], np.array(numbers, np.float32).tolist(), "the vector")
        (best,) = await store.search(numbers, 1)
        assert_same(best.get("vector"), found["vector"], "the vector that search returns")
        other = await store.get("b")
        assert other is not None
        assert_same(other["vector"], np.array([0, 1, 2, 3, 4, 5, 6, 2**40 + 1], np.float32).tolist(), "the vector")


@upsert.sentence("a vector is any 1-D sequence or array of numbers")
async def sequences(harness: VectorHarness) -> None:
    vectors: list[Any] = [
        [1, 2, 3], (1.0, 2, 3), range(1, 4), array.array("d", [1, 2, 3]), np.array([1, 2, 3]),
        np.array([1, 2, 3], np.uint8), np.array([1, 2, 3], np.float16), np.array([1, 2, 3], np.float32),
        np.array([1, 2, 3], np.float64),
        np.array([1.0, 9, 2, 9, 3, 9])[::2], [np.float32(1), np.float64(2), np.int64(3)],
    ]  # fmt: skip
    async with harness.open() as store:
        for number, vector in enumerate(vectors):
            await store.add(f"add {number}", vector)
            await store.add_many([(f"add_many {number}", vector, None)])
            assert len(await store.search(vector)) >= 1
        async for item in store.scan():
            assert_same(item["vector"], [1.0, 2.0, 3.0], item["id"])


@upsert.sentence("changing a vector that was passed or returned never changes the store, nor is one changed by it")
async def isolated(harness: VectorHarness) -> None:
    for given in ([3.0, 4.0], np.array([3.0, 4.0]), np.array([3.0, 4.0], np.float32)):
        async with harness.open() as store:
            await store.add("a", given)
            await store.add_many([("b", given, None)])
            await store.search(given)
            await store.search_many([given])
            assert list(given) == [3.0, 4.0], "the argument was changed"
            given[0] = 99.0
            for result in (await store.get("a"), (await store.search([3.0, 4.0]))[0], (await store.get_many(["b"]))[0]):
                assert result is not None
                vector = result.get("vector")
                assert vector is not None
                assert_same(vector, [3.0, 4.0], "the vector")
                vector[0] = 99.0
            for id in "ab":
                assert_same(await store.get(id), {"id": id, "vector": [3.0, 4.0], "metadata": {}}, "the item")


@upsert.sentence("delete says whether the id was there, and no operation finds it any more")
async def deleted(harness: VectorHarness) -> None:
    async with harness.open() as store:
        for id in "abc":
            await store.add(id, [1.0, float(ord(id))], {"id": id})
        assert await store.delete("b") is True
        assert await store.delete("b") is False
        assert await store.delete("x") is False
        assert await store.get("b") is None
        assert await store.get_many(["b"]) == [None]
        assert await store.count() == 2
        assert await store.count({"id": "b"}) == 0
        assert {found["id"] for found in await store.search([1.0, 98.0])} == {"a", "c"}
        assert [item["id"] for item in await collect(store.scan())] == ["a", "c"]
        for id in "ac":
            assert_same(
                await store.get(id), {"id": id, "vector": [1.0, float(ord(id))], "metadata": {"id": id}}, "another item"
            )


@upsert.sentence("count gives how many there are, or how many match")
async def counted(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.count() == 0
        assert await store.count({"even": True}) == 0
        for number in range(5):
            await store.add(str(number), [1.0], {"even": number % 2 == 0})
        assert (await store.count(), await store.count({}), await store.count(None)) == (5, 5, 5)
        assert await store.count({"even": True}) == 3
        assert await store.count({"even": 1}) == 0


dimensions = Group("dimension")


async def _refuses_dimension(store: VectorStoreBackend, vector: list[float], *naming: int) -> None:
    with refused("add of another dimension", *naming, kinds=(ValueError,)):
        await store.add("x", vector)
    with refused("add_many of another dimension", *naming, kinds=(ValueError,)):
        await store.add_many([("x", vector, None)])
    with refused("search of another dimension", *naming, kinds=(ValueError,)):
        await store.search(vector)
    with refused("search_many of another dimension", *naming, kinds=(ValueError,)):
        await store.search_many([vector])
    assert await store.get("x") is None


@dimensions.sentence("the first vector fixes the dimension; another raises ValueError with both")
async def first_fixes(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0] * 17)
        await _refuses_dimension(store, [1.0] * 18, 17, 18)
        await _refuses_dimension(store, [1.0], 17, 1)
        with refused("replacing by another dimension", 17, 23, kinds=(ValueError,)):
            await store.add("a", [1.0] * 23)
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0] * 17, "metadata": {}}, "the item")


@dimensions.sentence("the option dimension fixes the dimension before the first vector")
async def option_fixes(harness: VectorHarness) -> None:
    async with harness.open(dimension=17) as store:
        for vector in ([1.0] * 18, [1.0]):
            with refused("add of another dimension", 17, len(vector), kinds=(ValueError,)):
                await store.add("x", vector)
        assert await store.search([1.0] * 17) == []
        await store.add("a", [1.0] * 17)
        await _refuses_dimension(store, [1.0] * 18, 17, 18)


@dimensions.sentence("add_many of two dimensions raises ValueError with both, and writes nothing")
async def mixed(harness: VectorHarness) -> None:
    async with harness.open() as store:
        with refused("add_many of two dimensions", 17, 18, kinds=(ValueError,)):
            await store.add_many([("a", [1.0] * 17, None), ("b", [1.0] * 18, None)])
        assert await store.count() == 0
        await store.add("c", [1.0, 2.0])
        assert_same(await store.get("c"), {"id": "c", "vector": [1.0, 2.0], "metadata": {}}, "the item")


@dimensions.sentence("dimension gives the number, or None for an empty store")
async def asked(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.dimension() is None
        await store.add("a", [1.0] * 5)
        assert await store.dimension() == 5
    async with harness.open() as store:
        await store.add("a", [1.0])
        assert await store.dimension() == 1


@dimensions.sentence("after clear, the first vector fixes the dimension anew")
async def cleared(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0, 2.0])
        await store.clear()
        await store.add("a", [1.0, 2.0, 3.0])
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0, 2.0, 3.0], "metadata": {}}, "the item")
        assert len(await store.search([1.0, 2.0, 3.0])) == 1


@dimensions.sentence("the dimension and the vectors are persisted", needs_persistence=True)
async def persisted(harness: VectorHarness) -> None:
    numbers = [0.1, 1 / 3, -1e-40, 3.4e38]
    storage = harness.storage()
    async with storage.open() as store:
        await store.add("a", numbers, {"x": 1})
        before = await store.get("a")
    async with storage.open() as store:
        assert_same(await store.get("a"), before, "the item")
        assert (await store.search(numbers))[0]["id"] == "a"
        await _refuses_dimension(store, [1.0] * 17, 4, 17)


vectors = Group("vectors")


async def _refused(harness: VectorHarness, *bad: Any, **options: Any) -> None:
    """Expect each vector to be refused by every operation that takes one, in an empty store and in another."""
    async with harness.open(**options) as store:
        for fill in (False, True):
            if fill:
                await store.add("a", [3.0, 4.0])
            for vector in bad:
                what = f"{type(vector).__name__} {str(vector)[:50]}"
                before = repr(vector)
                with refused(f"add of {what}", kinds=(ValueError,)):
                    await store.add("x", vector)
                with refused(f"add_many of {what}", kinds=(ValueError,)):
                    await store.add_many([("y", [1.0, 2.0], None), ("x", vector, None)])
                with refused(f"search of {what}", kinds=(ValueError,)):
                    await store.search(vector)
                with refused(f"search_many of {what}", kinds=(ValueError,)):
                    await store.search_many([[1.0, 2.0], vector])
                assert repr(vector) == before, "the argument was changed"
            assert await store.count() == int(fill), "something was written"


@vectors.sentence("NaN and infinities raise ValueError")
async def finite(harness: VectorHarness) -> None:
    nan, infinity = float("nan"), float("inf")
    await _refused(
        harness, [nan, 1.0], [1.0, infinity], [-infinity, 1.0], np.array([nan, nan]), np.array([1, infinity])
    )


@vectors.sentence("a number beyond float32 raises ValueError")
async def beyond(harness: VectorHarness) -> None:
    await _refused(harness, [1e39, 1.0], [1.0, -1e300], [10**400, 1.0], np.array([1e200, 1.0]))


@vectors.sentence("what is not 1-D raises ValueError, and so does an empty vector")
async def one_axis(harness: VectorHarness) -> None:
    await _refused(
        harness, [], (), np.empty(0), [[1.0, 2.0]], [[1.0], [2.0]], np.ones((2, 2)), np.array(1.0), 1.0, [[1.0], 2.0],
        np.empty((0, 2)),
    )  # fmt: skip


@vectors.sentence("what is not numbers raises ValueError")
async def numbers_only(harness: VectorHarness) -> None:
    await _refused(
        harness, None, "12", b"12", ["1", "2"], [None, 1.0], [1j, 2.0], {1.0, 2.0}, {0: 1.0}, [object(), 1.0],
        np.array(["1", "2"]), np.array([1, 2], object),
    )  # fmt: skip


@vectors.sentence("for cosine a vector of length zero raises ValueError")
async def zero(harness: VectorHarness) -> None:
    await _refused(harness, [0.0, 0.0], [0, 0], [-0.0, 0.0], np.zeros(2), metric="cosine")
    await _refused(harness, [0.0, 0.0])


@vectors.sentence("for dot and euclidean a vector of length zero is like any other")
async def zero_elsewhere(harness: VectorHarness) -> None:
    for metric, similarity in (("dot", 0.0), ("euclidean", 1.0)):
        async with harness.open(metric=metric) as store:
            await store.add("a", [0.0, 0.0])
            (found,) = await store.search([0.0, 0.0])
            expected = {"id": "a", "similarity": similarity, "metadata": {}, "vector": [0.0, 0.0]}
            assert_same(found, expected, f"the result for {metric}")
