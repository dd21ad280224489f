"""Sentences about selecting checkpoints: by the beginning of their ids, by bounds, by filters."""

from typing import Any

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.contract.checkpoints import CheckpointHarness, listed_ids
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.ranges import BOUNDS, IDS, PREFIXES
from symphony_registry.testing.sentence import Group

selecting = Group("selecting", BackendType.CHECKPOINT_STORE)


async def _save_all(store: CheckpointStoreBackend) -> None:
    for number, id in enumerate(reversed(IDS)):
        await store.save_checkpoint(id, {"id": id}, {"even": number % 2 == 0})


async def _found(store: CheckpointStoreBackend, **selection: object) -> list[str]:
    return [each["checkpoint_id"] for each in await store.find_checkpoints(**selection)]  # type: ignore[arg-type]


@selecting.sentence("find_checkpoints gives what is selected by id, and from the last id back with reverse")
async def by_id(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.find_checkpoints() == []
        await _save_all(store)
        assert await _found(store) == IDS
        assert await _found(store, reverse=True) == IDS[::-1]
        assert await _found(store, limit=3) == IDS[:3]
        assert await _found(store, limit=3, reverse=True) == IDS[:-4:-1]
        assert await _found(store, prefix="a/", limit=1, reverse=True) == ["a/2"]


@selecting.sentence("a prefix selects the ids that begin with it, whatever characters it has")
async def by_prefix(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        for prefix in PREFIXES:
            expected = [id for id in IDS if id.startswith(prefix)]
            assert await _found(store, prefix=prefix) == expected, f"the prefix {prefix!a}"
            assert await store.count(prefix=prefix) == len(expected), f"the prefix {prefix!a}"


@selecting.sentence("after and before are exclusive bounds, and need not be there")
async def by_bounds(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        for after in BOUNDS:
            for before in BOUNDS:
                expected = [id for id in IDS if (after is None or id > after) and (before is None or id < before)]
                assert await _found(store, after=after, before=before) == expected, f"{after!a}, {before!a}"
        assert await _found(store, prefix="a/", after="a/1") == ["a/10", "a/2"]
        assert await _found(store, prefix="a/", after="a", before="a/2") == ["a/1", "a/10"]
        assert await _found(store, prefix="b", after="c") == []
        assert await store.count(after="a", before="b") == 4


@selecting.sentence("a filter and a range of ids select together, before the limit cuts", needs="filters")
async def by_both(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        even = {id for number, id in enumerate(reversed(IDS)) if number % 2 == 0}
        expected = [id for id in IDS if id in even]
        assert await _found(store, metadata_filter={"even": True}) == expected
        assert await _found(store, metadata_filter={"even": True}, limit=2, reverse=True) == expected[:-3:-1]
        within = [id for id in expected if id.startswith("a")]
        assert await _found(store, metadata_filter={"even": True}, prefix="a") == within
        assert await store.count({"even": True}) == len(expected)
        assert await store.count({"even": True}, prefix="a") == len(within)
        assert await _found(store, metadata_filter={"checkpoint_id": "a"}) == ["a"]


@selecting.sentence("find_checkpoints gives the data with include_data, and without them else")
async def with_data(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        await store.save_checkpoint("a", {"n": 1}, payload=b"\0\xff")
        whole = [await store.get_checkpoint(id) for id in IDS]
        assert_same(await store.find_checkpoints(include_data=True), whole, "with data")
        heads = [
            {key: value for key, value in (each or {}).items() if key not in ("data", "payload")} for each in whole
        ]
        assert_same(await store.find_checkpoints(), heads, "without data")


@selecting.sentence("list_checkpoints, get_latest_checkpoint and scan keep the order saved, of what is selected")
async def in_the_order_saved(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in ("t1/b", "t2/a", "t1/a", "t1", "t2/b", "t1/c", "t1/b"):
            await store.save_checkpoint(id, {"id": id})
        listed = await store.list_checkpoints(prefix="t1/")
        assert [info["checkpoint_id"] for info in listed] == ["t1/a", "t1/c", "t1/b"]
        assert_same(await store.list_checkpoints(prefix="t1/", newest_first=True, limit=2), listed[:0:-1], "the newest")
        latest = await store.get_latest_checkpoint(prefix="t1/")
        assert_same(latest, await store.get_checkpoint("t1/b"), "the latest")
        assert await store.get_latest_checkpoint(prefix="t3/") is None
        scanned = await collect(store.scan(prefix="t1/"))
        assert_same(scanned, [await store.get_checkpoint(info["checkpoint_id"]) for info in listed], "the scan")


@selecting.sentence("the latest, the list and the scan of what a filter selects", needs="filters")
async def filtered_in_the_order_saved(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for number, id in enumerate(("x", "b", "a", "c")):
            await store.save_checkpoint(id, {}, {"odd": number % 2 == 1})
        latest = await store.get_latest_checkpoint(metadata_filter={"odd": False})
        assert latest is not None
        assert latest["checkpoint_id"] == "a"
        listed = await store.list_checkpoints(metadata_filter={"odd": True}, prefix="b")
        assert [info["checkpoint_id"] for info in listed] == ["b"]
        scanned = await collect(store.scan(metadata_filter={"odd": False}))
        assert [each["checkpoint_id"] for each in scanned] == ["x", "a"]


@selecting.sentence("get_checkpoints gives what is saved under each id, None where nothing is, in the order asked")
async def by_ids(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        asked = ["b", "nobody", "a", "b"]
        expected = [await store.get_checkpoint(id) for id in asked]
        assert_same(await store.get_checkpoints(asked), expected, "the checkpoints")
        assert_same(await store.get_checkpoints(iter(["a"])), [await store.get_checkpoint("a")], "the checkpoint")
        assert await store.get_checkpoints([]) == []


@selecting.sentence("delete_checkpoints deletes the ids, or what is selected, and gives how many were there")
async def delete(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await _save_all(store)
        assert await store.delete_checkpoints(["a", "nobody", "a"]) == 1
        assert await store.delete_checkpoints([]) == 0
        assert await store.delete_checkpoints(prefix="a/") == 3
        assert await store.delete_checkpoints(prefix="a/") == 0
        assert await store.delete_checkpoints(after="\ud7ff") == 4
        assert await store.delete_checkpoints(prefix="b", before="b_") == 1
        left = ["%", "A", "a0", "b_", "é", "\ud7ff"]
        assert await _found(store) == left
        assert await listed_ids(store) == left[::-1]
        assert await store.get_checkpoint("a/1") is None
        await store.save_checkpoint("a/1", {})
        assert await _found(store, prefix="a/") == ["a/1"]


@selecting.sentence("delete_checkpoints and prune by a filter", needs="filters")
async def delete_by_filter(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for number, id in enumerate(("t1/a", "t2/a", "t1/b", "t2/b", "t1/c", "t2/c")):
            await store.save_checkpoint(id, {}, {"n": number})
        assert await store.delete_checkpoints(metadata_filter={"n": {"$lt": 2}}) == 2
        assert await store.delete_checkpoints(prefix="t1/", metadata_filter={"n": {"$gt": 2}}) == 1
        assert await listed_ids(store) == ["t1/b", "t2/b", "t2/c"]
        assert await store.delete_checkpoints(metadata_filter={"timestamp": {"$lt": 0}}) == 0
        assert await store.prune(0, metadata_filter={"n": 3}) == 1
        assert await listed_ids(store) == ["t1/b", "t2/c"]


@selecting.sentence("deletion without ids and without a selection raises, as with both, and deletes nothing")
async def forgotten_argument(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoint("a", {})
        everything: list[JSONObject] = [{}, {"$and": []}, {"$and": [{}]}, {"$or": [{"x": 1}, {}]}]
        forgotten: list[Any] = [([None], {"metadata_filter": filter}) for filter in everything]
        for arguments, options in [*forgotten, ([], {}), ([], {"after": ""}), ([["a"]], {"prefix": "a"})]:
            with refused(f"delete_checkpoints with {arguments} and {options}"):
                await store.delete_checkpoints(*arguments, **options)
        assert await listed_ids(store) == ["a"]


@selecting.sentence("bounds that are no text of ids raise")
async def refused_bounds(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoint("a", {})
        for bound in (1, b"a", True, "\0", "\ud800", "x" * 513, ["a"]):
            for name in ("prefix", "after", "before"):
                with refused(f"{name}={bound!r}"):
                    await store.find_checkpoints(**{name: bound})  # type: ignore[arg-type]
                with refused(f"{name}={bound!r}"):
                    await store.delete_checkpoints(**{name: bound})  # type: ignore[arg-type]
        for reverse in (1, None, "yes"):
            with refused(f"reverse={reverse!r}"):
                await store.find_checkpoints(reverse=reverse)  # type: ignore[arg-type]
        assert await store.count() == 1


@selecting.sentence("prune with a prefix keeps the newest of what begins with it, and everything else")
async def prune(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in ("t1/a", "t2/a", "t1/b", "t2/b", "t1/a", "t1/c"):
            await store.save_checkpoint(id, {})
        assert await store.prune(2, prefix="t1/") == 1
        assert await listed_ids(store) == ["t2/a", "t2/b", "t1/a", "t1/c"]
        assert await store.prune(2, prefix="t1/") == 0
        assert await store.prune(0, prefix="t2/") == 2
        assert await listed_ids(store) == ["t1/a", "t1/c"]
