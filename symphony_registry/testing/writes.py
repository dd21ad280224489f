"""Sentences about atomicity, durability and the event loop, for every backend type."""

# ruff: noqa: D103 - the sentence says what a check is about

import asyncio
import os
import pickle  # what is read was written by the parent process
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from symphony_registry.testing.adapters import Adapter, WholeWrite, adapt, sample
from symphony_registry.testing.expectations import assert_same, cancelled_after, longest_hold
from symphony_registry.testing.harness import Harness, SentenceSkipped, Storage
from symphony_registry.testing.sentence import Group

atomicity = Group("atomicity")
_MANY = 200


async def _for_each_write(
    harness: Harness[Any], work: Callable[[WholeWrite], Awaitable[set[int]]], times: int = 1
) -> None:
    """Expect only the sizes before and after a write in what `work` sees of it, for each kind of write."""
    async with harness.open() as store:
        count = len(adapt(store).whole_writes(_MANY))
    for number in range(count):
        async with harness.open() as store:
            write = adapt(store).whole_writes(_MANY)[number]
            await write.prepare()
            before = await write.size()
            await write.run()
            whole = {before, await write.size()}
        for _ in range(times):
            async with harness.open() as store:
                write = adapt(store).whole_writes(_MANY)[number]
                await write.prepare()
                seen = await work(write)
                assert seen <= whole, f"{write.name}: {sorted(seen - whole)} were seen, not only {sorted(whole)}"


@atomicity.sentence("a write whose task is cancelled happens whole or not at all")
async def cancelled(harness: Harness[Any]) -> None:
    for steps in (0, 1, 2, 3, 5, 10, 100):

        async def work(write: WholeWrite, steps: int = steps) -> set[int]:
            await cancelled_after(steps, write.run())
            return {await write.size()}

        await _for_each_write(harness, work)


@atomicity.sentence("what a cancelled write left is what is persisted", needs_persistence=True)
async def cancelled_reopened(harness: Harness[Any]) -> None:
    for steps in (1, 2, 5):
        async with harness.open() as store:
            count = len(adapt(store).whole_writes(_MANY))
        for number in range(count):
            storage = harness.storage()
            async with storage.open() as store:
                write = adapt(store).whole_writes(_MANY)[number]
                await write.prepare()
                await cancelled_after(steps, write.run())
                seen = await write.size()
            async with storage.open() as store:
                write = adapt(store).whole_writes(_MANY)[number]
                assert await write.size() == seen, f"{write.name}: another size after it was opened again"


@atomicity.sentence("after a cancelled write the store works")
async def works_after_cancel(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for steps in range(6):
            await cancelled_after(steps, adapter.put(f"cancelled {steps}", sample()))
            assert await adapter.get(f"cancelled {steps}") in (None, sample())
            await adapter.put("a", {"steps": steps})
            assert_same(await adapter.get("a"), {"steps": steps}, "the object stored after a cancelled write")


@atomicity.sentence("reads see no half-done write")
async def half_done(harness: Harness[Any]) -> None:
    async def work(write: WholeWrite) -> set[int]:
        seen: set[int] = set()
        if harness.inherits(write.name):
            return seen  # the base class says that its bulk operations can be seen half-done
        writing = asyncio.ensure_future(write.run())
        while not writing.done():
            seen.add(await write.size())
            await asyncio.sleep(0)
        await writing
        return seen

    await _for_each_write(harness, work)


@atomicity.sentence("a bulk write with one bad item writes nothing")
async def one_bad(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        before = {name: await read() for name, read in adapter.reads().items()}
        for bad in ("", "x" * 513):
            for operation in adapter.with_id(bad).values():
                try:
                    await operation()
                except ValueError:
                    continue
        assert await adapter.get("x") is None, "the item before the bad one was written"
        for name, read in adapter.reads().items():
            assert_same(await read(), before[name], name)


@atomicity.sentence("of concurrent writes to an id one is there, whole")
async def concurrent(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            await place.put("a", {})
            if place.name == "update_entity":
                continue  # merges
            candidates = [{"a": number, "b": [number] * 10} for number in range(20)]
            await asyncio.gather(*(place.put("a", value) for value in candidates))
            assert await place.get("a") in candidates


@atomicity.sentence("concurrent writes to different ids are all there")
async def concurrent_ids(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        ids = [f"id-{number:02}" for number in range(50)]
        await asyncio.gather(*(adapter.put(id, {"id": id}) for id in ids))
        for id in ids:
            assert_same(await adapter.get(id), {"id": id}, "an object stored among others")
        assert sum(await asyncio.gather(*(adapter.delete(id) for id in ids * 2))) == len(ids)


durability = Group("durability")


async def _write(adapter: Adapter) -> None:
    for place in adapter.places():
        for number in range(5):
            await place.put(f"{place.name} {number}", {"number": number, "nested": sample()})
    await adapter.delete(f"{adapter.places()[0].name} 0")


async def _assert_written(adapter: Adapter) -> None:
    deleted = f"{adapter.places()[0].name} 0"
    for place in adapter.places():
        for number in range(5):
            id = f"{place.name} {number}"
            if id == deleted:
                assert await place.get(id) is None, "what was deleted is there again"
            else:
                assert_same(await place.get(id), {"number": number, "nested": sample()}, f"what {place.name} stored")


@durability.sentence("another backend over the same storage finds what was written", needs_persistence=True)
async def reopened(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await _write(adapt(store))
    for _ in range(2):
        async with storage.open() as store:
            await _assert_written(adapt(store))


@durability.sentence("every read gives the same after the storage was opened again", needs_persistence=True)
async def reads_reopened(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).fill()
        before = {name: await read() for name, read in adapt(store).reads().items()}
    async with storage.open() as store:
        for name, read in adapt(store).reads().items():
            assert_same(await read(), before[name], name)


@durability.sentence("clear is persisted too", needs_persistence=True)
async def cleared(harness: Harness[Any]) -> None:
    storage = harness.storage()
    async with storage.open() as store:
        await adapt(store).fill()
        await store.clear()
        await adapt(store).put("new", sample())
    async with storage.open() as store:
        assert await adapt(store).get("a") is None
        assert_same(await adapt(store).get("new"), sample(), "the object stored after clear")


@durability.sentence("a write that has returned is there after kill -9", needs_persistence=True)
async def killed(harness: Harness[Any]) -> None:
    storage = harness.storage()
    try:
        work = pickle.dumps(partial(write_and_die, storage))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SentenceSkipped(f"the provider or its options cannot be sent to another process: {error}") from error
    code = (
        "import pickle, sys\n"
        "sys.path[:] = pickle.load(sys.stdin.buffer)\n"
        "pickle.load(sys.stdin.buffer)()"
    )  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stderr=pipe)
    _, output = await process.communicate(pickle.dumps(sys.path) + work)
    if b"ProviderNotFoundError" in output:
        raise SentenceSkipped("another process does not know the provider: name it as package.module:Class")
    assert process.returncode == -signal.SIGKILL, f"the process that writes failed: {output.decode()}"
    async with storage.open() as store:
        await _assert_written(adapt(store))


def write_and_die(storage: Storage[Any]) -> None:
    """Write to a storage, and kill this process when that has returned."""

    async def run() -> None:
        async with storage.open() as store:
            await _write(adapt(store))
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(run())


event_loop = Group("event loop")
# The contract says about 10 ms; a busy machine adds its own pauses.
_LONGEST_HOLD = 0.05
_ATTEMPTS = 3


async def _nothing() -> None:
    pass


async def _assert_short_holds(
    name: str, work: Callable[[], Awaitable[object]], prepare: Callable[[], Awaitable[object]] = _nothing
) -> None:
    holds: list[float] = []
    while len(holds) < _ATTEMPTS:
        await prepare()
        holds.append(await longest_hold(work()))
        if holds[-1] <= _LONGEST_HOLD:
            return
    raise AssertionError(f"{name} held the event loop for {min(holds) * 1000:.0f} ms")


@event_loop.sentence("no read of a large store holds the event loop for long")
async def long_reads(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        await adapter.load((f"id-{number}", {"number": number}) for number in range(harness.large))
        for name, read in {**adapter.reads(), **adapter.with_filter({"number": {"$lt": 0}})}.items():
            await _assert_short_holds(name, read)


@event_loop.sentence("no large write holds the event loop for long")
async def long_writes(harness: Harness[Any]) -> None:
    for number in range(len(adapt(harness.storage().build()).whole_writes(1))):
        async with harness.open() as store:
            write = adapt(store).whole_writes(harness.large)[number]
            await _assert_short_holds(write.name, write.run, write.prepare)
