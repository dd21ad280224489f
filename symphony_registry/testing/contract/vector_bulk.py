"""Sentences about bulk operations on vectors, and about scanning them."""

import asyncio

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.vector_search import fill, ids_of
from symphony_registry.testing.contract.vectors import VectorHarness
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.sentence import Group

bulk = Group("bulk", BackendType.VECTOR_STORE)


@bulk.sentence("add_many stores each item, and the last of equal ids wins")
async def add_many(harness: VectorHarness) -> None:
    first, second, third = [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]
    async with harness.open() as store:
        await store.add("b", [9.0, 0.0, 0.0], {"old": True})
        await store.add_many([("a", first, {"n": 1}), ("b", second, None), ("a", third, {"n": 3})])
        assert_same(await store.get("a"), {"id": "a", "vector": third, "metadata": {"n": 3}}, "the last of equal ids")
        assert_same(await store.get("b"), {"id": "b", "vector": second, "metadata": {}}, "the replaced item")
        assert await store.count() == 2


@bulk.sentence("bulk operations take any iterable, also an empty one")
async def iterables(harness: VectorHarness) -> None:
    vector = [1.0, 2.0, 3.0]
    async with harness.open() as store:
        await store.add_many([])
        assert await store.get_many([]) == []
        assert await store.delete_many([]) == 0
        assert await store.search_many([]) == []
        await store.add_many((id, vector, None) for id in "abc")
        found = await store.get_many(id for id in "ca")
        assert [item and item["id"] for item in found] == ["c", "a"]
        assert [sorted(ids_of(each)) for each in await store.search_many(iter([vector]), 3)] == [["a", "b", "c"]]
        assert await store.delete_many(id for id in "ab") == 2


@bulk.sentence("add_many of items that are not (id, vector, metadata) raises, and writes nothing")
async def malformed(harness: VectorHarness) -> None:
    vector = [1.0, 2.0, 3.0]
    async with harness.open() as store:
        good = ("a", vector, None)
        for items in (
            [good, ("b",)],
            [good, ("b", vector)],
            [good, ("b", vector, None, 1)],
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
        await fill(store)
        ids = ["west", "x", "east", "west"]
        assert_same(await store.get_many(ids), [await store.get(id) for id in ids], "the items")


@bulk.sentence("delete_many deletes each id and gives how many were there")
async def delete_many(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        assert await store.delete_many(["west", "x", "east", "west"]) == 2
        assert [item["id"] for item in await collect(store.scan())] == ["north", "north-east"]
        assert await store.delete_many(["west"]) == 0


@bulk.sentence("search_many gives for each query what search gives")
async def search_many(harness: VectorHarness) -> None:
    queries = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-3.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    async with harness.open() as store:
        await fill(store)
        together = await store.search_many(queries, 3)
        assert_same(together, [await store.search(query, 3) for query in queries], "the results")


@bulk.sentence("clear deletes everything, and the store can be used on")
async def clear(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.clear()
        await fill(store)
        await store.clear()
        assert await store.count() == 0
        assert await store.search([1.0, 0.0, 0.0]) == []
        assert await collect(store.scan()) == []
        await fill(store)
        assert await store.count() == 4


scan = Group("scan", BackendType.VECTOR_STORE)


@scan.sentence("scan gives every item once, by id, whatever the batch size")
async def everything(harness: VectorHarness) -> None:
    ids = sorted([*"zyxBA", "é", "10", "9", "\uffff", "\U00010000"])
    async with harness.open() as store:
        assert await collect(store.scan()) == []
        await store.add_many([(id, [1.0, 2.0, 3.0], {"id": id}) for id in reversed(ids)])
        expected = [{"id": id, "vector": [1.0, 2.0, 3.0], "metadata": {"id": id}} for id in ids]
        for batch_size in (1, 2, 3, 10, 1000):
            assert_same(await collect(store.scan(batch_size)), expected, f"scan({batch_size})")
        assert_same(await collect(store.scan(batch_size=4)), expected, "scan(batch_size=4)")


@scan.sentence("a batch size that is not an int of at least 1 raises")
async def batch_size(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        for size in (0, -1, True, 1.0, "1"):
            with refused(f"scan({size!r})"):
                await collect(store.scan(size))  # type: ignore[arg-type]


@scan.sentence("changes during a scan break neither it nor what does not change")
async def changing(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add_many([(id, [1.0, 2.0, 3.0], None) for id in "abcdef"])
        seen = []
        async for item in store.scan(2):
            seen.append(item["id"])
            if item["id"] == "b":
                await asyncio.gather(store.delete("a"), store.delete("d"), store.add("a0", [1.0, 1.0, 1.0]))
        assert [id for id in seen if id in "abcef"] == list("abcef")


@scan.sentence("a scan that is left early leaves the store usable")
async def left(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        for _ in range(3):
            scanning = store.scan(1)
            await anext(scanning)
            close = getattr(scanning, "aclose", None)
            if close is not None:
                await close()
        await store.add("new", [1.0, 2.0, 3.0])
        assert await store.count() == 5
