"""Sentences about who may open a storage at the same time, for every backend type."""

from typing import Any

from symphony_registry.backends.storage import StorageBackend
from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.processes import in_another_process
from symphony_registry.testing.sentence import Group

sharing = Group("sharing")


@sharing.sentence("another backend over the same storage sees a write at once", needs="shared storage")
async def another_backend(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as left, storage.open() as right:
        for writer, reader in ((left, right), (right, left)):
            for place, seen in zip(adapt(writer).places(), adapt(reader).places(), strict=True):
                for value in ({"first": 1}, {"first": 2}):
                    await place.put("a", value)
                    assert_same(await seen.get("a"), value, f"what {place.name} stored, seen by the other backend")
            assert await adapt(writer).delete("a") is True
            assert await adapt(reader).get("a") is None, "the other backend still sees what was deleted"


@sharing.sentence("another process sees a write at once, and its writes are seen", needs="shared storage")
async def another_process(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).put("here", {"first": 1})
        await adapt(store).put("here", {"first": 2})
        ended = await in_another_process(storage, _read_and_write)
        assert ended.code == 0, f"the other process failed: {ended.errors}"
        assert_same(await adapt(store).get("there"), {"first": 3}, "what the other process stored")
        assert_same(await adapt(store).get("here"), {"first": 4}, "what the other process stored")


async def _read_and_write(store: StorageBackend) -> None:
    assert_same(await adapt(store).get("here"), {"first": 2}, "what this process stored")
    await adapt(store).put("there", {"first": 3})
    await adapt(store).put("here", {"first": 4})


@sharing.sentence("while a backend has the storage open, another is refused", needs="exclusive storage")
async def second_refused(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).put("a", {"first": 1})
        second = storage.build()
        with refused("opening the storage twice", kinds=(Exception,)):
            await second.connect()
        assert not second.is_open
        await adapt(store).put("a", {"first": 2})
        assert_same(await adapt(store).get("a"), {"first": 2}, "the object stored after the refusal")
    async with storage.build():
        pass  # the storage is free again


@sharing.sentence("while a process has the storage open, another process is refused", needs="exclusive storage")
async def process_refused(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        ended = await in_another_process(storage, _write)
        assert ended.code != 0, "another process opened the storage as well"
        await adapt(store).put("a", {"here": True})
        assert_same(await adapt(store).get("a"), {"here": True}, "the object")
    ended = await in_another_process(storage, _write)
    assert ended.code == 0, f"the storage is free, but another process could not open it: {ended.errors}"


async def _write(store: StorageBackend) -> None:
    await adapt(store).put("a", {"there": True})
