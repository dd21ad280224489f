"""Sentences about merging metadata into those that are stored."""

from typing import Any

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.vectors import VectorHarness
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.sentence import Group

updating = Group("updating", BackendType.VECTOR_STORE)

_VECTOR = [0.1, -2.5, 3.0]


@updating.sentence("update merges the top-level keys, keeps the vector, and says whether the id was there")
async def merges(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", _VECTOR, {"kept": [1.0], "old": {"x": 1, "y": 2}})
        before = await store.get("a")
        assert before is not None
        assert await store.update("a", {"old": {"z": None}, "new\0": "\0"}) is True
        metadata = {"kept": [1.0], "old": {"z": None}, "new\0": "\0"}
        assert_same(await store.get("a"), {**before, "metadata": metadata}, "the item")
        assert await store.update("a", {}) is True
        assert_same(await store.get("a"), {**before, "metadata": metadata}, "the item, updated by nothing")
        assert await store.update("b", {"x": 1}) is False
        assert await store.get("b") is None
        assert await store.count() == 1
        (found,) = await store.search(_VECTOR)
        assert_same(found["metadata"], metadata, "the metadata that search gives")


@updating.sentence("filters see what update merged", needs="filters")
async def filtered(harness: VectorHarness) -> None:
    async with harness.open() as store:
        for number, id in enumerate("abc"):
            await store.add(id, _VECTOR, {"n": number, "seen": False})
        assert await store.count({"seen": False}) == 3
        await store.update("b", {"seen": True})
        assert await store.count({"seen": False}) == 2
        assert [found["id"] for found in await store.find(metadata_filter={"seen": True, "n": 1})] == ["b"]
        assert [found["id"] for found in await store.search(_VECTOR, 10, {"seen": True})] == ["b"]


@updating.sentence("update of None raises, as of what cannot be stored, and changes nothing")
async def refuses(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await store.add("a", _VECTOR, {"n": 1})
        wrong: list[Any] = [None, [], "x", {1: 2}, {"n": float("nan")}, {"n": {1, 2}}]
        for metadata in wrong:
            for id in ("a", "nobody"):
                with refused(f"update with {metadata!r}"):
                    await store.update(id, metadata)
        (found,) = await store.find()
        assert_same(found["metadata"], {"n": 1}, "the metadata")


@updating.sentence("what update merged is persisted", needs="survives a crash")
async def persisted(harness: VectorHarness) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await store.add("a", _VECTOR, {"n": 1, "old": 1})
        await store.update("a", {"n": 2})
        await store.update("a", {"m": 3})
    async with storage.open() as store:
        (found,) = await store.find(include_vectors=False)
        assert_same(found, {"id": "a", "metadata": {"n": 2, "old": 1, "m": 3}}, "the item")
