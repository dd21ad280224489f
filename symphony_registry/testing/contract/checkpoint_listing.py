"""Sentences about listing, pruning and scanning checkpoints."""

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.checkpoints import CheckpointHarness, listed_ids
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.sentence import Group

listing = Group("listing", BackendType.CHECKPOINT_STORE)


@listing.sentence("list_checkpoints gives checkpoint_id, metadata and version, without data")
async def without_data(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.list_checkpoints() == []
        await store.save_checkpoint("a", {"large": "x" * 1000}, {"n": 1})
        found = await store.get_checkpoint("a")
        assert found is not None
        expected = [{"checkpoint_id": "a", "metadata": found["metadata"], "version": found["version"]}]
        assert_same(await store.list_checkpoints(), expected, "the list")


@listing.sentence("newest_first reverses the order, before the limit cuts")
async def newest_first(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in "cabd":
            await store.save_checkpoint(id, {})
        oldest = await store.list_checkpoints()
        assert [info["checkpoint_id"] for info in oldest] == list("cabd")
        assert_same(await store.list_checkpoints(newest_first=True), oldest[::-1], "the newest first")
        assert_same(await store.list_checkpoints(limit=2), oldest[:2], "the two oldest")
        assert_same(await store.list_checkpoints(limit=2, newest_first=True), oldest[:1:-1], "the two newest")
        assert_same(await store.list_checkpoints(limit=9), oldest, "a limit beyond the number")
        assert_same(await store.list_checkpoints(limit=None), oldest, "no limit")


@listing.sentence("the filter is applied before the limit, and sees timestamp and checkpoint_id", needs="filters")
async def filtered(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for number in range(6):
            await store.save_checkpoint(f"id-{number}", {"even": True}, {"even": number % 2 == 0, "timestamp": "mine"})

        async def ids(
            condition: dict[str, object], limit: int | None = None, *, newest_first: bool = False
        ) -> list[str]:
            found = await store.list_checkpoints(metadata_filter=condition, limit=limit, newest_first=newest_first)
            return [info["checkpoint_id"] for info in found]

        assert await ids({"even": True}) == ["id-0", "id-2", "id-4"]
        assert await ids({"even": True}, 2) == ["id-0", "id-2"]
        assert await ids({"even": True}, 2, newest_first=True) == ["id-4", "id-2"]
        assert await ids({"checkpoint_id": {"$in": ["id-3", "x"]}}) == ["id-3"]
        assert len(await ids({"timestamp": {"$gt": 0}})) == 6
        assert await ids({"timestamp": "mine"}) == []
        assert await ids({"even": 1}) == []


@listing.sentence("prune deletes all but the newest, and gives how many")
async def prune(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.prune(3) == 0
        for id in "edcbaf":
            await store.save_checkpoint(id, {})
        await store.save_checkpoint("e", {})
        assert await store.prune(100) == 0
        assert await store.prune(6) == 0
        assert await store.prune(4) == 2
        assert await listed_ids(store) == ["b", "a", "f", "e"]
        assert await store.get_checkpoint("d") is None
        assert await store.prune(1) == 3
        assert await listed_ids(store) == ["e"]
        assert await store.prune(0) == 1
        assert await store.get_latest_checkpoint() is None
        await store.save_checkpoint("a", {})
        assert await listed_ids(store) == ["a"]


@listing.sentence("prune with a keep_last that is not an int of at least 0 raises, and deletes nothing")
async def prune_refused(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoint("a", {})
        for keep_last in (-1, True, False, 1.0, "1", None):
            with refused(f"prune({keep_last!r})"):
                await store.prune(keep_last)  # type: ignore[arg-type]
        assert await listed_ids(store) == ["a"]


@listing.sentence("count gives how many there are, and clear deletes them all")
async def count_and_clear(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.count() == 0
        await store.clear()
        for id in "abcab":
            await store.save_checkpoint(id, {})
        assert await store.count() == 3
        await store.clear()
        assert await store.count() == 0
        assert await store.list_checkpoints() == []
        await store.save_checkpoint("a", {})
        assert await store.count() == 1


@listing.sentence("scan gives every checkpoint, with its data, in the order saved")
async def scan(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await collect(store.scan()) == []
        for id in "cabc":
            await store.save_checkpoint(id, {"id": id}, {"id": id})
        expected = [await store.get_checkpoint(id) for id in "abc"]
        assert_same(await collect(store.scan()), expected, "the checkpoints")


@listing.sentence("changes during a scan break neither it nor what does not change")
async def changes_during_a_scan(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in "abcde":
            await store.save_checkpoint(id, {"id": id})
        seen = []
        async for checkpoint in store.scan():
            seen.append(checkpoint["checkpoint_id"])
            if checkpoint["checkpoint_id"] == "b":
                await store.delete_checkpoint("d")
                await store.save_checkpoint("new", {})
        assert [id for id in seen if id in "abce"] == list("abce")


@listing.sentence("a scan ends where every checkpoint that it gives is saved again")
async def saved_during_a_scan(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in "abc":
            await store.save_checkpoint(id, {"id": id})
        seen = []
        async for checkpoint in store.scan():
            seen.append(checkpoint["checkpoint_id"])
            assert len(seen) <= len("abc"), "the scan goes on with what was saved again"
            await store.save_checkpoint(checkpoint["checkpoint_id"], {"again": True})
        assert seen == list("abc")
