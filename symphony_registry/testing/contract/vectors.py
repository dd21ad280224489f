"""Sentences about storing vectors."""

import array
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

VectorHarness: TypeAlias = Harness[VectorStoreBackend]

items = Group("items", BackendType.VECTOR_STORE)


def precision(store: VectorStoreBackend) -> np.finfo[Any]:
    """Return what can be said about the numbers that the store promises to keep."""
    return np.finfo(store.guarantees.precision)


def rounded(numbers: Any, store: VectorStoreBackend) -> list[float]:
    """Return numbers as float32, rounded to what the store promises to keep."""
    kept: npt.NDArray[Any] = np.array(numbers, np.float32).astype(store.guarantees.precision)
    return kept.astype(np.float32).tolist()  # type: ignore[no-any-return]


def assert_rounded(got: list[float], given: Any, store: VectorStoreBackend, what: str) -> None:
    """Expect float32 numbers that are as near to the given ones as the store promises."""
    assert_same(got, np.array(got, np.float32).tolist(), f"{what}, rounded to float32")
    assert_same(rounded(got, store), rounded(given, store), f"{what}, rounded to {store.guarantees.precision}")


@items.sentence("add replaces the vector and the metadata of an id")
async def replaces(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0, 0.0, 0.0], {"old": 1, "both": 1})
        await store.add("a", [0.0, 1.0, 0.0], {"both": 2})
        expected = {"id": "a", "vector": [0.0, 1.0, 0.0], "metadata": {"both": 2}}
        assert_same(await store.get("a"), expected, "the item")
        assert await store.count() == 1
        assert [found["id"] for found in await store.search([0.0, 1.0, 0.0])] == ["a"]


@items.sentence("add without metadata removes those there were")
async def removes_metadata(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", [1.0, 2.0, 3.0], {"old": 1})
        await store.add("a", [1.0, 2.0, 3.0])
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0, 2.0, 3.0], "metadata": {}}, "the item")


@items.sentence("get gives None for an unknown id")
async def unknown(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.get("a") is None
        await store.add("a", [1.0, 2.0, 3.0])
        assert await store.get("b") is None


@items.sentence("a vector comes back as a list of floats, rounded to float32 or what is promised")
async def rounds(harness: VectorHarness) -> None:
    async with harness.open(dimension=8) as store:
        limits = precision(store)
        numbers = [0.1, 1 / 3, -float(limits.tiny) / 3, float(limits.max), 2049.0, 123.456789, 1e-3, -0.5]
        integers = [0, 1, 2, 3, 4, 5, 6, 2**11 + 1]
        await store.add("a", numbers)
        await store.add("b", integers)
        for id, given in (("a", numbers), ("b", integers)):
            found = await store.get(id)
            assert found is not None
            assert_rounded(found["vector"], given, store, "the vector")
        (best,) = await store.search(numbers, 1)
        assert_rounded(best.get("vector", []), numbers, store, "the vector that search returns")


@items.sentence("a vector is any 1-D sequence or array of numbers")
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


@items.sentence("changing a vector that was passed or returned never changes the store, nor is one changed by it")
async def isolated(harness: VectorHarness) -> None:
    same = [3.0, 4.0, 5.0]
    for given in (list(same), np.array(same), np.array(same, np.float32)):
        async with harness.open() as store:
            await store.add("a", given)
            await store.add_many([("b", given, None)])
            await store.search(given)
            await store.search_many([given])
            assert list(given) == same, "the argument was changed"
            given[0] = 99.0
            for result in (await store.get("a"), (await store.search(same))[0], (await store.get_many(["b"]))[0]):
                assert result is not None
                vector = result.get("vector")
                assert vector is not None
                assert_same(vector, same, "the vector")
                vector[0] = 99.0
            for id in "ab":
                assert_same(await store.get(id), {"id": id, "vector": same, "metadata": {}}, "the item")


@items.sentence("delete says whether the id was there, and no operation finds it any more")
async def deleted(harness: VectorHarness) -> None:
    async with harness.open() as store:
        for id in "abc":
            await store.add(id, [1.0, 2.0, float(ord(id))], {"id": id})
        assert await store.delete("b") is True
        assert await store.delete("b") is False
        assert await store.delete("x") is False
        assert await store.get("b") is None
        assert await store.get_many(["b"]) == [None]
        assert await store.count() == 2
        assert {found["id"] for found in await store.search([1.0, 2.0, 98.0])} == {"a", "c"}
        assert [item["id"] for item in await collect(store.scan())] == ["a", "c"]
        for id in "ac":
            expected = {"id": id, "vector": [1.0, 2.0, float(ord(id))], "metadata": {"id": id}}
            assert_same(await store.get(id), expected, "another item")


@items.sentence("count gives how many there are")
async def counted(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.count() == 0
        for number in range(5):
            await store.add(str(number), [1.0, 2.0, 3.0], {"even": number % 2 == 0})
        await store.add("4", [1.0, 2.0, 3.0])
        assert (await store.count(), await store.count({}), await store.count(None)) == (5, 5, 5)


@items.sentence("count with a filter gives how many match", needs="filters")
async def counted_matching(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.count({"even": True}) == 0
        for number in range(5):
            await store.add(str(number), [1.0, 2.0, 3.0], {"even": number % 2 == 0})
        assert await store.count({"even": True}) == 3
        assert await store.count({"even": 1}) == 0
        await store.delete("2")
        assert await store.count({"even": True}) == 2


dimension = Group("dimension", BackendType.VECTOR_STORE)


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


@dimension.sentence(
    "the first vector fixes the dimension; another raises ValueError with both", needs="a free dimension"
)
async def first_fixes(harness: VectorHarness) -> None:
    async with harness.open(dimension=None) as store:
        await store.add("a", [1.0] * 17)
        await _refuses_dimension(store, [1.0] * 18, 17, 18)
        await _refuses_dimension(store, [1.0], 17, 1)
        with refused("replacing by another dimension", 17, 23, kinds=(ValueError,)):
            await store.add("a", [1.0] * 23)
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0] * 17, "metadata": {}}, "the item")


@dimension.sentence("the option dimension fixes the dimension before the first vector")
async def option_fixes(harness: VectorHarness) -> None:
    async with harness.open(dimension=17) as store:
        for vector in ([1.0] * 18, [1.0]):
            with refused("add of another dimension", 17, len(vector), kinds=(ValueError,)):
                await store.add("x", vector)
        assert await store.search([1.0] * 17) == []
        await store.add("a", [1.0] * 17)
        await _refuses_dimension(store, [1.0] * 18, 17, 18)


@dimension.sentence("add_many of two dimensions raises ValueError with both, and writes nothing")
async def mixed(harness: VectorHarness) -> None:
    async with harness.open(dimension=17) as store:
        with refused("add_many of two dimensions", 17, 18, kinds=(ValueError,)):
            await store.add_many([("a", [1.0] * 17, None), ("b", [1.0] * 18, None)])
        assert await store.count() == 0


@dimension.sentence("add_many of two dimensions into an empty store fixes none", needs="a free dimension")
async def mixed_fixes_none(harness: VectorHarness) -> None:
    async with harness.open(dimension=None) as store:
        with refused("add_many of two dimensions", 17, 18, kinds=(ValueError,)):
            await store.add_many([("a", [1.0] * 17, None), ("b", [1.0] * 18, None)])
        assert await store.count() == 0
        await store.add("c", [1.0, 2.0])
        assert_same(await store.get("c"), {"id": "c", "vector": [1.0, 2.0], "metadata": {}}, "the item")


@dimension.sentence("dimension gives the number")
async def told(harness: VectorHarness) -> None:
    for size in (1, 5):
        async with harness.open(dimension=size) as store:
            await store.add("a", [1.0] * size)
            assert await store.dimension() == size


@dimension.sentence("dimension gives None for an empty store", needs="a free dimension")
async def none_when_empty(harness: VectorHarness) -> None:
    async with harness.open(dimension=None) as store:
        assert await store.dimension() is None
        await store.add("a", [1.0] * 5)
        assert await store.dimension() == 5


@dimension.sentence("after clear, the first vector fixes the dimension anew", needs="a free dimension")
async def cleared(harness: VectorHarness) -> None:
    async with harness.open(dimension=None) as store:
        await store.add("a", [1.0, 2.0])
        await store.clear()
        await store.add("a", [1.0, 2.0, 3.0])
        assert_same(await store.get("a"), {"id": "a", "vector": [1.0, 2.0, 3.0], "metadata": {}}, "the item")
        assert len(await store.search([1.0, 2.0, 3.0])) == 1


@dimension.sentence("the dimension and the vectors are persisted", needs="survives a crash")
async def persisted(harness: VectorHarness) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        limits = precision(store)
        numbers = [0.1, float(limits.max), -float(limits.tiny) / 3]
        await store.add("a", numbers, {"x": 1})
        before = await store.get("a")
    async with storage.open() as store:
        assert_same(await store.get("a"), before, "the item")
        assert (await store.search(numbers))[0]["id"] == "a"
        await _refuses_dimension(store, [1.0] * 17, 3, 17)
