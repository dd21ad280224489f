"""Sentences about saving several checkpoints, payloads, and versions."""

import asyncio
from typing import Any

from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import VersionConflictError
from symphony_registry.testing.contract.checkpoints import CheckpointHarness, listed_ids
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.sentence import Group

several = Group("several", BackendType.CHECKPOINT_STORE, needs=("saving several",))
payloads = Group("payloads", BackendType.CHECKPOINT_STORE)
versions = Group("versions", BackendType.CHECKPOINT_STORE)


@several.sentence("save_checkpoints saves one after the other, the last of equal ids in its place, and gives how many")
async def in_order(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.save_checkpoints([]) == 0
        await store.save_checkpoint("c", {"old": 1})
        items = [("b", {"n": 1}, {"by": "me"}), ("c", {"n": 2}, None), ("a", {"n": 3}, None), ("b", {"n": 4}, None)]
        assert await store.save_checkpoints(iter(items)) == 4
        assert await listed_ids(store) == ["c", "a", "b"]
        saved = [checkpoint["data"] async for checkpoint in store.scan()]
        assert_same(saved, [{"n": 2}, {"n": 3}, {"n": 4}], "the data")
        await store.save_checkpoint("last", {})
        assert await listed_ids(store) == ["c", "a", "b", "last"]


@several.sentence("with if_absent, what is there stays as it is, and only the others are saved and counted")
async def if_absent(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoint("a", {"old": 1})
        await store.save_checkpoint("b", {"old": 1})
        before = await store.get_checkpoint("a")
        items = [("c", {"n": 1}, None), ("a", {"n": 2}, None), ("d", {"n": 3}, None), ("c", {"n": 4}, None)]
        assert await store.save_checkpoints(items, if_absent=True) == 2
        assert_same(await store.get_checkpoint("a"), before, "what was there")
        assert await listed_ids(store) == ["a", "b", "c", "d"]
        found = await store.get_checkpoint("c")
        assert found is not None
        assert_same(found["data"], {"n": 1}, "the first of equal ids")
        assert await store.save_checkpoints(items, if_absent=True) == 0
        with refused("if_absent=1"):
            await store.save_checkpoints(items, if_absent=1)  # type: ignore[arg-type]


@several.sentence("of tasks that save the same id only where it is absent, one is told that it did")
async def one_wins(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for turn in range(10):
            items = [[(f"{turn}", {"by": task}, None)] for task in range(8)]
            counts = await asyncio.gather(*(store.save_checkpoints(each, if_absent=True) for each in items))
            assert sorted(counts) == [0] * 7 + [1]
            found = await store.get_checkpoint(f"{turn}")
            assert found is not None
            assert found["data"] == {"by": counts.index(1)}


@several.sentence(
    "several saves of the same ids in other orders at once all go through", needs="atomic bulk operations"
)
async def crosswise(harness: CheckpointHarness) -> None:
    storage = harness.storage()
    ids = [f"{number:03}" for number in range(200)]
    async with storage.open() as store:
        orders = [ids, ids[::-1], ids[100:] + ids[:100], ids[::-7], ids[::3]] * 4
        await asyncio.gather(*(store.save_checkpoints([(id, {}, None) for id in order]) for order in orders))
        assert await store.count() == len(ids)


@several.sentence("an item that cannot be saved raises, and nothing is written")
async def refused_items(harness: CheckpointHarness) -> None:
    good: Any = ("a", {}, None)
    async with harness.open() as store:
        shapes: list[Any] = [("b", None, None), ("b", {}, {"k": b""}), ("b", {}), ("", {}, None), "b"]
        shapes.append(("b", {}, None, "text"))
        for bad in shapes:
            with refused(f"save_checkpoints with {bad!r}"):
                await store.save_checkpoints([good, bad])
        assert await store.count() == 0


@several.sentence("save_checkpoints keeps payloads", needs="values of a megabyte")
async def several_payloads(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoints([("a", {}, None, b"\0" * 5), ("b", {}, None, None), ("c", {}, None)])
        found = await collect(store.scan())
        assert [each.get("payload") for each in found] == [b"\0" * 5, None, None]


@payloads.sentence("a payload is any bytes, kept as they are beside the data; without one there is no key")
async def payload(harness: CheckpointHarness) -> None:
    every = bytes(range(256))
    magic = b"\x28\xb5\x2f\xfd"  # compressed bytes begin like this
    async with harness.open() as store:
        for number, given in enumerate(
            (b"", b"\0", every, magic, magic + every * 20, every * 200, b"{}", b"x" * 5_000)
        ):
            await store.save_checkpoint(f"{number}", {"n": number}, payload=given)
            found = await store.get_checkpoint(f"{number}")
            assert found is not None
            assert_same(found.get("payload"), given, "the payload")
            assert_same(found["data"], {"n": number}, "the data")
        latest = await store.get_latest_checkpoint()
        assert latest is not None
        assert latest.get("payload") == b"x" * 5_000
        await store.save_checkpoint("7", {})
        found = await store.get_checkpoint("7")
        assert found is not None
        assert "payload" not in found
        assert all("payload" not in info for info in await store.list_checkpoints())


@payloads.sentence("a payload that is not bytes raises, and nothing is written")
async def refused_payload(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for given in ("text", bytearray(b"x"), memoryview(b"x"), 1, [1]):
            with refused(f"the payload {given!r}"):
                await store.save_checkpoint("a", {}, payload=given)  # type: ignore[arg-type]
        assert await store.count() == 0


@payloads.sentence("a payload of a megabyte comes back", needs="values of a megabyte")
async def large_payload(harness: CheckpointHarness) -> None:
    given = bytes(range(256)) * 4_000
    async with harness.open() as store:
        await store.save_checkpoint("a", {}, payload=given)
        found = await store.get_checkpoint("a")
        assert found is not None
        assert found.get("payload") == given


@payloads.sentence("payloads are persisted", needs="survives a crash")
async def persisted(harness: CheckpointHarness) -> None:
    storage = harness.storage()
    given = bytes(range(256)) * 10
    async with storage.open() as store:
        await store.save_checkpoint("a", {"n": 1}, payload=given)
    async with storage.open() as store:
        found = await store.get_checkpoint("a")
        assert found is not None
        assert found.get("payload") == given


@versions.sentence("save_checkpoint gives the version, which reads give too, and which grows with every save of an id")
async def growing(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        seen = [0]
        for _ in range(3):
            seen.append(await store.save_checkpoint("a", {}))
            found = await store.get_checkpoint("a")
            (listed,) = await store.list_checkpoints()
            assert found is not None
            assert found["version"] == listed["version"] == seen[-1]
            assert type(seen[-1]) is int
        await store.delete_checkpoint("a")
        seen.append(await store.save_checkpoint("a", {}))
        await store.clear()
        seen.append(await store.save_checkpoint("a", {}))
        assert seen == sorted(set(seen)), seen


@versions.sentence("a save or a deletion with if_version happens only where that is the version stored")
async def conditional(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        first = await store.save_checkpoint("a", {"n": 1})
        second = await store.save_checkpoint("a", {"n": 2}, if_version=first)
        assert second > first
        before = await store.get_checkpoint("a")
        for stale in (first, second + 1_000, 2**70, 0):
            with refused(f"if_version={stale}", kinds=(VersionConflictError,)):
                await store.save_checkpoint("a", {"n": 3}, if_version=stale)
            with refused(f"if_version={stale}", kinds=(VersionConflictError,)):
                await store.delete_checkpoint("a", if_version=stale)
        assert_same(await store.get_checkpoint("a"), before, "what was there")
        assert await store.delete_checkpoint("a", if_version=second) is True
        with refused("a version of what is gone", kinds=(VersionConflictError,)):
            await store.save_checkpoint("a", {}, if_version=second)
        with refused("a version of what is gone", kinds=(VersionConflictError,)):
            await store.delete_checkpoint("a", if_version=second)
        assert await store.delete_checkpoint("a", if_version=0) is False
        assert await store.count() == 0


@versions.sentence("if_version=0 saves only where nothing is, and the conflict tells both versions")
async def absent(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        version = await store.save_checkpoint("a", {}, if_version=0)
        said = (await asyncio.gather(store.save_checkpoint("a", {}, if_version=0), return_exceptions=True))[0]
        assert isinstance(said, VersionConflictError), said
        assert (said.expected, said.found) == (0, version)
        assert "'a'" in str(said)
        assert str(version) in str(said)


@versions.sentence("of tasks that replace the same version, one does")
async def one_wins_a_version(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        version = await store.save_checkpoint("a", {})
        for _ in range(10):
            saves = [store.save_checkpoint("a", {"by": task}, if_version=version) for task in range(8)]
            said = await asyncio.gather(*saves, return_exceptions=True)
            (version,) = [each for each in said if isinstance(each, int)]
            assert all(isinstance(each, int | VersionConflictError) for each in said), said
            found = await store.get_checkpoint("a")
            assert found is not None
            assert found["version"] == version
            assert found["data"] == {"by": said.index(version)}


@versions.sentence("an if_version that is not an int of at least 0 raises")
async def refused_versions(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for version in (-1, True, 1.0, "1"):
            with refused(f"if_version={version!r}"):
                await store.save_checkpoint("a", {}, if_version=version)  # type: ignore[arg-type]
            with refused(f"if_version={version!r}"):
                await store.delete_checkpoint("a", if_version=version)  # type: ignore[arg-type]
        assert await store.count() == 0


@versions.sentence(
    "versions go on growing when the store is opened again, also after everything was deleted", needs="survives a crash"
)
async def persisted_versions(harness: CheckpointHarness) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await store.save_checkpoint("a", {})
        kept = await store.save_checkpoint("b", {})
        last = await store.save_checkpoint("a", {})
        await store.delete_checkpoint("a")
    async with storage.open() as store:
        found = await store.get_checkpoint("b")
        assert found is not None
        assert found["version"] == kept
        after = await store.save_checkpoint("a", {})
        assert after > last
        await store.clear()
    async with storage.open() as store:
        assert await store.save_checkpoint("a", {}) > after
