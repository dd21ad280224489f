"""Sentences about checkpoints that come with the time that they had."""

from typing import Any

from symphony_registry.backends.checkpoint_store.base import RestoredCheckpoint
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.checkpoints import CheckpointHarness, listed_ids, unversioned
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.sentence import Group

restoring = Group("restoring", BackendType.CHECKPOINT_STORE, needs=("restored timestamps",))


@restoring.sentence("restore_checkpoints saves the items in their order, each with its own timestamp")
async def in_their_order(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.restore_checkpoints([("b", {"n": 1}, {"by": "me"}, 20.5), ("a", {"n": 2}, None, 0.1)])
        expected = [
            {"checkpoint_id": "b", "data": {"n": 1}, "metadata": {"by": "me", "timestamp": 20.5, "checkpoint_id": "b"}},
            {"checkpoint_id": "a", "data": {"n": 2}, "metadata": {"timestamp": 0.1, "checkpoint_id": "a"}},
        ]
        scanned = await collect(store.scan())
        assert_same(list(map(unversioned, scanned)), expected, "the checkpoints")
        assert_same([await store.get_checkpoint(id) for id in "ba"], scanned, "the checkpoints, one by one")
        assert_same(await store.get_latest_checkpoint(), scanned[1], "the latest")
        listed = [{key: value for key, value in each.items() if key != "data"} for each in scanned]
        assert_same(await store.list_checkpoints(), listed, "the list")


@restoring.sentence("what is restored comes after what is there, replaces it like a save, and saves come after it")
async def among_others(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in "abc":
            await store.save_checkpoint(id, {"old": 1}, {"old": 1})
        await store.restore_checkpoints([("new", {}, None, 2.0), ("b", {"new": 1}, None, 1.0)])
        assert await listed_ids(store) == ["a", "c", "new", "b"]
        await store.save_checkpoint("last", {})
        await store.save_checkpoint("new", {})
        assert await listed_ids(store) == ["a", "c", "b", "last", "new"]
        found = await store.get_checkpoint("b")
        expected = {"checkpoint_id": "b", "data": {"new": 1}, "metadata": {"timestamp": 1.0, "checkpoint_id": "b"}}
        assert_same(unversioned(found), expected, "the checkpoint that was replaced")


@restoring.sentence("timestamps say nothing about the order, and may be any finite float")
async def any_timestamps(harness: CheckpointHarness) -> None:
    timestamps = [1e300, 1_700_000_000.123456, 0.1 + 0.2, 0.0, -1.5, 5e-324, 1_700_000_000.1234562]
    items: list[RestoredCheckpoint] = [
        (f"id-{len(timestamps) - number}", {}, None, each) for number, each in enumerate(timestamps)
    ]
    async with harness.open() as store:
        await store.restore_checkpoints(items)
        assert_same([info["metadata"]["timestamp"] for info in await store.list_checkpoints()], timestamps, "the list")


@restoring.sentence("the filter sees the timestamp that was restored", needs="filters")
async def filtered(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.restore_checkpoints([("a", {}, None, 1.5), ("b", {}, None, -1.5)])
        found = await store.list_checkpoints(metadata_filter={"timestamp": {"$lt": 0}})
        assert [info["checkpoint_id"] for info in found] == ["b"]


@restoring.sentence("the last of equal ids wins, in its place")
async def last_of_equal_ids(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.restore_checkpoints([("a", {"n": 1}, None, 1.0), ("b", {}, None, 2.0), ("a", {"n": 2}, None, 3.0)])
        assert await listed_ids(store) == ["b", "a"]
        found = await store.get_checkpoint("a")
        expected = {"checkpoint_id": "a", "data": {"n": 2}, "metadata": {"timestamp": 3.0, "checkpoint_id": "a"}}
        assert_same(unversioned(found), expected, "the last one")


@restoring.sentence("restore_checkpoints takes any iterable, and what the store adds stands over the metadata")
async def any_iterable(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.restore_checkpoints([])
        assert await store.count() == 0
        given = {"timestamp": "mine", "checkpoint_id": "mine", "other": "mine"}
        await store.restore_checkpoints((id, given, given, 1.0) for id in "ab")
        metadata = {"timestamp": 1.0, "checkpoint_id": "b", "other": "mine"}
        expected = {"checkpoint_id": "b", "data": given, "metadata": metadata}
        assert_same(unversioned(await store.get_checkpoint("b")), expected, "the checkpoint")


@restoring.sentence(
    "a timestamp that is not a finite float, or an item of another shape, raises, and nothing is written"
)
async def refused_items(harness: CheckpointHarness) -> None:
    good: RestoredCheckpoint = ("a", {}, None, 1.0)
    async with harness.open() as store:
        for timestamp in (float("nan"), float("inf"), 1, True, "1.0", None):
            with refused(f"the timestamp {timestamp!r}", "items[1]"):
                await store.restore_checkpoints([good, ("b", {}, None, timestamp)])  # type: ignore[list-item]
        shapes: list[Any] = [[good, ("b", {}, None)], [good, ("b", None, None, 1.0)], [good, "b"], 7]
        for items in shapes:
            with refused(f"restore_checkpoints of {items}"):
                await store.restore_checkpoints(items)
        assert await store.count() == 0


@restoring.sentence("what is restored is persisted, with its order and its timestamps", needs="survives a crash")
async def persisted(harness: CheckpointHarness) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await store.save_checkpoint("a", {})
        await store.restore_checkpoints(
            [("c", {"n": 1}, {"n": 1}, 0.1 + 0.2), ("a", {}, None, 1.0), ("b", {}, None, 0.5)]
        )
        before = await collect(store.scan())
    async with storage.open() as store:
        assert await listed_ids(store) == ["c", "a", "b"]
        assert_same(await collect(store.scan()), before, "the checkpoints")
