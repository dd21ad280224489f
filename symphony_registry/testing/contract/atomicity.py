"""Sentences about atomicity, for every backend type."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from symphony_registry.testing.adapters import WholeWrite, adapt, sample
from symphony_registry.testing.expectations import assert_same, cancelled_after
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

atomicity = Group("atomicity")
_MANY = 200


async def _for_each_write(
    harness: Harness[Any],
    work: Callable[[WholeWrite], Awaitable[list[Any]]],
    chosen: Callable[[WholeWrite], bool] = lambda _: True,
) -> None:
    """Expect only what is there before and after a write in what `work` sees of it, for each kind of write."""
    async with harness.open() as store:
        numbers = [number for number, write in enumerate(adapt(store).whole_writes(_MANY)) if chosen(write)]
    for number in numbers:
        async with harness.open() as store:
            write = adapt(store).whole_writes(_MANY)[number]
            await write.prepare()
            whole = [await write.look()]
            await write.run()
            whole.append(await write.look())
        async with harness.open() as store:
            write = adapt(store).whole_writes(_MANY)[number]
            await write.prepare()
            for seen in await work(write):
                assert seen in whole, f"{write.name}: {seen} was seen, neither {whole[0]} nor {whole[1]}"


@atomicity.sentence("a write whose task is cancelled happens whole or not at all")
async def cancelled(harness: Harness[Any]) -> None:
    for steps in (0, 1, 2, 3, 5, 10, 100):

        async def work(write: WholeWrite, steps: int = steps) -> list[Any]:
            await cancelled_after(steps, write.run())
            return [await write.look()]

        await _for_each_write(harness, work)


@atomicity.sentence("what a cancelled write left is what is persisted", needs="survives a crash")
async def cancelled_persisted(harness: Harness[Any]) -> None:
    for steps in (1, 2, 5):
        async with harness.open() as store:
            count = len(adapt(store).whole_writes(_MANY))
        for number in range(count):
            storage = harness.storage()
            async with storage.open() as store:
                write = adapt(store).whole_writes(_MANY)[number]
                await write.prepare()
                await cancelled_after(steps, write.run())
                seen = await write.look()
            async with storage.open() as store:
                write = adapt(store).whole_writes(_MANY)[number]
                found = await write.look()
                if found != seen and store.guarantees.shared:  # the server made it after the cancellation
                    await write.run()
                    seen = await write.look()
                assert found == seen, f"{write.name}: something else after it was opened again"


@atomicity.sentence("after a cancelled write the store works")
async def works_after_cancel(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for steps in range(6):
            await cancelled_after(steps, adapter.put(f"cancelled {steps}", sample()))
            assert await adapter.get(f"cancelled {steps}") in (None, sample())
            await adapter.put("a", {"steps": steps})
            assert_same(await adapter.get("a"), {"steps": steps}, "the object stored after a cancelled write")


async def _seen(write: WholeWrite) -> list[Any]:
    """Return what can be seen at each turn of the event loop while a write runs."""
    seen: list[Any] = []
    writing = asyncio.ensure_future(write.run())
    while not writing.done():
        seen.append(await write.look())
        await asyncio.sleep(0)
    await writing
    return seen


@atomicity.sentence("reads see no half-done write of one thing")
async def half_done(harness: Harness[Any]) -> None:
    await _for_each_write(harness, _seen, lambda write: not write.bulk)


@atomicity.sentence("reads see no half-done bulk write", needs="atomic bulk operations")
async def half_done_bulk(harness: Harness[Any]) -> None:
    await _for_each_write(harness, _seen, lambda write: write.bulk)


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
