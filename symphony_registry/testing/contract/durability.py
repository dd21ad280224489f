"""Sentences about what survives, for every backend type."""

import os
import signal
from typing import Any

from symphony_registry.backends.storage import StorageBackend
from symphony_registry.testing.adapters import Adapter, adapt, sample
from symphony_registry.testing.expectations import assert_same
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.processes import in_another_process
from symphony_registry.testing.sentence import Group

durability = Group("durability", needs=("survives a crash",))


async def _write(adapter: Adapter[Any]) -> None:
    for place in adapter.places():
        for number in range(5):
            await place.put(f"{place.name} {number}", {"number": number, "nested": sample()})
    await adapter.delete(f"{adapter.places()[0].name} 0")


async def _assert_written(adapter: Adapter[Any]) -> None:
    deleted = f"{adapter.places()[0].name} 0"
    for place in adapter.places():
        for number in range(5):
            id = f"{place.name} {number}"
            if id == deleted:
                assert await place.get(id) is None, "what was deleted is there again"
            else:
                assert_same(await place.get(id), {"number": number, "nested": sample()}, f"what {place.name} stored")


@durability.sentence("what was written is there after disconnect and connect")
async def disconnected(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await _write(adapt(store))
        await store.disconnect()
        await store.connect()
        await _assert_written(adapt(store))


@durability.sentence("another backend over the same storage finds what was written")
async def reopened(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await _write(adapt(store))
    for _ in range(2):
        async with storage.open() as store:
            await _assert_written(adapt(store))


@durability.sentence("every read gives the same after the storage was opened again")
async def reads(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).fill()
        before = {name: await read() for name, read in adapt(store).reads().items()}
    async with storage.open() as store:
        for name, read in adapt(store).reads().items():
            assert_same(await read(), before[name], name)


@durability.sentence("exists says yes of a storage that holds something, before connect")
async def exists(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).put("a", sample())
    backend = storage.build()
    assert await backend.exists() is True
    assert not backend.is_open
    async with backend:
        assert_same(await adapt(backend).get("a"), sample(), "the object, after exists was asked")


@durability.sentence("clear is persisted too", needs="listing entities")
async def cleared(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).fill()
        await store.clear()
        await adapt(store).put("new", sample())
    async with storage.open() as store:
        assert await adapt(store).get("a") is None
        assert_same(await adapt(store).get("new"), sample(), "the object stored after clear")


@durability.sentence("a write that has returned is there after kill -9")
async def killed(harness: Harness[Any]) -> None:
    storage = harness.storage()
    ended = await in_another_process(storage, _write_and_die)
    assert ended.code == -signal.SIGKILL, f"the process that writes failed: {ended.errors}"
    async with storage.open() as store:
        await _assert_written(adapt(store))


async def _write_and_die(store: StorageBackend) -> None:
    await _write(adapt(store))
    os.kill(os.getpid(), signal.SIGKILL)
