"""Sentences about checkpoints."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from symphony_registry.backends.checkpoint_store.base import Checkpoint, CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.expectations import assert_same, collect
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

CheckpointHarness: TypeAlias = Harness[CheckpointStoreBackend]

saving = Group("saving", BackendType.CHECKPOINT_STORE)


async def listed_ids(store: CheckpointStoreBackend) -> list[str]:
    """Return the ids of all checkpoints, in the order saved."""
    return [info["checkpoint_id"] for info in await store.list_checkpoints()]


def unversioned(checkpoint: Checkpoint | None) -> JSONObject:
    """Return a checkpoint that is there without its version, which is the store's own."""
    assert checkpoint is not None
    return {key: value for key, value in checkpoint.items() if key != "version"}


async def _latest(store: CheckpointStoreBackend) -> str | None:
    latest = await store.get_latest_checkpoint()
    return None if latest is None else latest["checkpoint_id"]


@saving.sentence("get_checkpoint gives checkpoint_id, data, metadata and version, or None")
async def get(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.get_checkpoint("a") is None
        await store.save_checkpoint("a", {"step": 1}, {"by": "me"})
        found = await store.get_checkpoint("a")
        assert found is not None
        timestamp = found["metadata"]["timestamp"]
        metadata = {"by": "me", "timestamp": timestamp, "checkpoint_id": "a"}
        expected = {"checkpoint_id": "a", "data": {"step": 1}, "metadata": metadata, "version": found["version"]}
        assert_same(found, expected, "the checkpoint")
        assert await store.get_checkpoint("b") is None


@saving.sentence("save_checkpoint replaces the data and the metadata of an id")
async def replaces(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        await store.save_checkpoint("a", {"old": 1}, {"old": 1})
        await store.save_checkpoint("a", {"new": 2})
        found = await store.get_checkpoint("a")
        assert found is not None
        assert_same(found["data"], {"new": 2}, "the data")
        assert found["metadata"].keys() == {"timestamp", "checkpoint_id"}
        assert await store.count() == 1


@saving.sentence("delete_checkpoint says whether the id was there, and no operation finds it any more")
async def delete(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in "abc":
            await store.save_checkpoint(id, {})
        assert await store.delete_checkpoint("c") is True
        assert await store.delete_checkpoint("c") is False
        assert await store.delete_checkpoint("x") is False
        assert await store.get_checkpoint("c") is None
        assert await listed_ids(store) == ["a", "b"]
        assert await _latest(store) == "b"
        assert await store.count() == 2
        assert [checkpoint["checkpoint_id"] for checkpoint in await collect(store.scan())] == ["a", "b"]


@saving.sentence("the metadata hold timestamp, in seconds since the epoch, and checkpoint_id")
async def adds_metadata(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        before = time.time()
        await store.save_checkpoint("a", {})
        after = time.time()
        found = await store.get_checkpoint("a")
        latest = await store.get_latest_checkpoint()
        (listed,) = await store.list_checkpoints()
        assert found is not None
        assert latest is not None
        for metadata in (found["metadata"], latest["metadata"], listed["metadata"]):
            assert metadata.keys() == {"timestamp", "checkpoint_id"}
            assert metadata["checkpoint_id"] == "a"
            assert type(metadata["timestamp"]) is float
            assert before - 60 <= metadata["timestamp"] <= after + 60, "the clocks differ by more than a minute"


@saving.sentence("timestamp and checkpoint_id stand over metadata of the same name, not over data")
async def stands_over(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        given = {"timestamp": "mine", "checkpoint_id": "mine", "other": "mine"}
        await store.save_checkpoint("a", given, given)
        found = await store.get_checkpoint("a")
        assert found is not None
        assert_same(found["data"], given, "the data")
        (listed,) = await store.list_checkpoints()
        for metadata in (found["metadata"], listed["metadata"]):
            assert type(metadata["timestamp"]) is float
            assert (metadata["checkpoint_id"], metadata["other"]) == ("a", "mine")
        assert given == {"timestamp": "mine", "checkpoint_id": "mine", "other": "mine"}


@saving.sentence("data may hold any JSON string, U+0000 included")
async def any_text(harness: CheckpointHarness) -> None:
    data = {"\0": "\0", "text": "a\0b\0", "list": ["\0", "\\u0000", "\\\0"]}
    async with harness.open() as store:
        await store.save_checkpoint("a", data)
        found = await store.get_checkpoint("a")
        assert found is not None
        assert_same(found["data"], data, "the data")


sequence = Group("sequence", BackendType.CHECKPOINT_STORE)


@sequence.sentence("the order is the order saved, and saving an id again makes it the newest")
async def saved_again(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        for id in ("b", "c", "a", "10", "9"):
            await store.save_checkpoint(id, {})
        assert await listed_ids(store) == ["b", "c", "a", "10", "9"]
        await store.save_checkpoint("c", {})
        assert await listed_ids(store) == ["b", "a", "10", "9", "c"]
        assert await _latest(store) == "c"


@contextmanager
def _clock(read: Callable[[], float]) -> Iterator[None]:
    """Let `time.time` give what `read` gives."""
    real = time.time
    time.time = read
    try:
        yield
    finally:
        time.time = real


@sequence.sentence("a clock that stands still or jumps back changes nothing")
async def clock_changes(harness: CheckpointHarness) -> None:
    backwards = iter(range(10**9, 0, -1000))
    for read in (lambda: 1e9, lambda: float(next(backwards))):
        async with harness.open() as store:
            with _clock(read):
                for id in ("b", "c", "a", "b"):
                    await store.save_checkpoint(id, {})
                assert await _latest(store) == "b"
                assert await listed_ids(store) == ["c", "a", "b"]
                assert await store.prune(2) == 1
                assert await listed_ids(store) == ["a", "b"]


@sequence.sentence("the order survives, with saves before and after", needs="survives a crash")
async def persisted(harness: CheckpointHarness) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        for id in ("b", "c", "a", "b"):
            await store.save_checkpoint(id, {"id": id})
        before = await store.list_checkpoints()
    with _clock(lambda: 0.0):
        async with storage.open() as store:
            assert_same(await store.list_checkpoints(), before, "the list")
            assert await _latest(store) == "b"
            await store.save_checkpoint("new", {})
            await store.save_checkpoint("c", {})
    async with storage.open() as store:
        assert await listed_ids(store) == ["a", "b", "new", "c"]
        assert await _latest(store) == "c"


@sequence.sentence("get_latest_checkpoint gives the one saved last, or None")
async def latest(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        assert await store.get_latest_checkpoint() is None
        for number, id in enumerate("cab"):
            await store.save_checkpoint(id, {"number": number}, {"n": number})
            assert_same(await store.get_latest_checkpoint(), await store.get_checkpoint(id), "the latest")
        for id, rest in (("b", "a"), ("a", "c"), ("c", None)):
            await store.delete_checkpoint(id)
            assert await _latest(store) == rest


@sequence.sentence("of concurrent saves, all are there, in the order in which they are listed from then on")
async def concurrent(harness: CheckpointHarness) -> None:
    async with harness.open() as store:
        ids = [f"id-{number}" for number in range(30)]
        await asyncio.gather(*(store.save_checkpoint(id, {}) for id in ids))
        order = await listed_ids(store)
        assert sorted(order) == sorted(ids)
        assert await _latest(store) == order[-1]
        assert await listed_ids(store) == order
