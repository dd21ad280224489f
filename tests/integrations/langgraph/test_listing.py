"""What a saver finds, and what finding costs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, cast
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint
from typing_extensions import override

from symphony_registry.backends.checkpoint_store import Checkpoint as Row
from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.checkpoint_store.base import FoundCheckpoint, SavedItem
from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.steps import at, step, steps


class CountingStore(InMemoryCheckpointStore):
    """A store that counts calls and what they gave."""

    calls = 0
    saved = 0
    spanned = 0  # ids in the ranges that were asked for whole
    rows: list[str]

    def reset(self) -> None:
        """Count from now on."""
        self.calls, self.saved, self.spanned, self.rows = 0, 0, 0, []

    @override
    async def save_checkpoints(self, items: Iterable[SavedItem], *, if_absent: bool = False) -> int:
        self.calls += 1
        saved = await super().save_checkpoints(items, if_absent=if_absent)
        self.saved += saved
        return saved

    @override
    async def find_checkpoints(self, **selection: Any) -> list[FoundCheckpoint]:
        self.calls += 1
        found = await super().find_checkpoints(**selection)
        self.rows += [each["checkpoint_id"] for each in found]
        if "limit" not in selection:
            self.spanned += await self.count(after=selection.get("after"), before=selection.get("before"))
        return found

    @override
    async def get_checkpoints(self, ids: Iterable[str]) -> list[Row | None]:
        self.calls += 1
        found = await super().get_checkpoints(ids)
        self.rows += [each["checkpoint_id"] for each in found if each]
        return found


@pytest.fixture
async def counting() -> AsyncIterator[CountingStore]:
    async with CountingStore() as store:
        store.reset()
        yield store


async def listed(saver: RegistrySaver, config: RunnableConfig | None, **options: Any) -> list[str]:
    return [each.checkpoint["id"] async for each in saver.alist(config, **options)]


async def test_the_latest_takes_a_call_and_one_for_its_values(counting: CountingStore) -> None:
    saver = RegistrySaver(counting)
    (*_, last) = await steps(saver, "one", 50)
    counting.reset()
    await saver.aget_tuple(at("one"))
    assert (counting.calls, len(counting.rows)) == (2, 5)
    await step(saver, last, {"setting": 1, "messages": 1})
    counting.reset()
    await saver.aget_tuple(at("one"))
    assert (counting.calls, len(counting.rows)) == (1, 3)


async def test_a_checkpoint_comes_with_its_writes_in_one_call(counting: CountingStore) -> None:
    saver = RegistrySaver(counting)
    saved = await step(saver, at("one"), {"a": 1})
    await saver.aput_writes(saved, [("channel", n) for n in range(10)], "task")
    counting.reset()
    await saver.aget_tuple(saved)
    assert (counting.calls, len(counting.rows)) == (1, 11)


async def test_a_step_saves_by_one_call_what_is_new(counting: CountingStore) -> None:
    saver = RegistrySaver(counting)
    await steps(saver, "one", 5)
    found = await saver.aget_tuple(at("one"))
    assert found
    checkpoint = {**found.checkpoint, "id": "later"}
    counting.reset()
    new = {"messages": found.checkpoint["channel_versions"]["messages"]}
    await saver.aput(found.config, cast("Checkpoint", checkpoint), found.metadata, new)
    assert (counting.calls, counting.saved) == (1, 2)
    counting.reset()
    await saver.aput_writes(found.config, [("messages", n) for n in range(5)], "task")
    assert (counting.calls, counting.saved) == (1, 5)


@pytest.mark.slow
async def test_two_thousand_steps_are_read_in_few_calls_and_a_page_reads_no_more_than_it_gives(
    counting: CountingStore,
) -> None:
    saver = RegistrySaver(counting)
    config = at("one")
    for n in range(2000):
        config = await step(saver, config, {"last": [n]})
        await saver.aput_writes(config, [("last", n)], "task")
    counting.reset()
    ids = await listed(saver, at("one"))
    assert len(ids) == 2000
    assert counting.calls < 60
    assert len(counting.rows) == len(set(counting.rows)) == 3 * 2000
    counting.reset()
    assert await listed(saver, at("one"), limit=10) == ids[:10]
    assert (counting.calls, len(counting.rows)) == (3, 30)
    counting.reset()
    middle: RunnableConfig = {"configurable": {"thread_id": "one", "checkpoint_id": ids[1000]}}
    assert await listed(saver, at("one"), before=middle, limit=10) == ids[1001:1011]
    assert (counting.calls, len(counting.rows), counting.spanned) == (3, 30, 19)
    counting.reset()
    async for found in saver.alist(at("one")):
        assert found.checkpoint["channel_values"] == {"last": [1999]}
        break
    assert len(counting.rows) <= 30


async def test_without_a_namespace_the_newest_of_all_come_first(saver: RegistrySaver) -> None:
    ids: list[str] = []
    for n in range(30):
        saved = await step(saver, at("one", f"ns:{n % 3}"), {"a": [n]})
        await saver.aput_writes(saved, [("channel", n)], "task")
        ids.insert(0, saved["configurable"]["checkpoint_id"])
    await step(saver, at("two"))
    assert await listed(saver, {"configurable": {"thread_id": "one"}}) == ids
    assert await listed(saver, {"configurable": {"thread_id": "one"}}, limit=7) == ids[:7]
    before: RunnableConfig = {"configurable": {"thread_id": "one", "checkpoint_id": ids[10]}}
    found = [each async for each in saver.alist({"configurable": {"thread_id": "one"}}, before=before)]
    assert [each.checkpoint["id"] for each in found] == ids[11:]
    assert [each.checkpoint["channel_values"]["a"] for each in found] == [[n] for n in range(18, -1, -1)]
    assert [each.pending_writes for each in found] == [[("task", "channel", n)] for n in range(18, -1, -1)]


async def test_without_a_thread_those_of_all_threads_are_found(saver: RegistrySaver) -> None:
    saved = [(await step(saver, at(f"thread-{n}", "ns")))["configurable"]["checkpoint_id"] for n in range(5)]
    everywhere: list[RunnableConfig | None] = [
        None,
        {},
        {"configurable": {}},
        {"configurable": {"checkpoint_ns": "ns"}},
    ]
    for config in everywhere:
        assert await listed(saver, config) == saved[::-1]
    assert await listed(saver, {"configurable": {"checkpoint_ns": ""}}) == []
    assert await listed(saver, {"configurable": {"checkpoint_id": saved[2]}}) == [saved[2]]


async def test_a_checkpoint_that_is_named_is_the_only_one(saver: RegistrySaver) -> None:
    first, second = await steps(saver, "one", 2)
    assert await listed(saver, first) == [first["configurable"]["checkpoint_id"]]
    assert await listed(saver, second, before=second) == []
    assert await listed(saver, second, before=first) == []


@pytest.mark.parametrize(
    "filter",
    [
        {"a.b": 1},
        {"a\\": {"c": [1, 2]}},
        {"$a": "$b"},
        {"nested": {"$gt": 0}},
        {"a.b": 1, "step": 3, "": None},
        {"parents": {}, "a": None, "missing": None},
    ],
)
async def test_a_filter_means_equal_metadata_whatever_its_keys(saver: RegistrySaver, filter: dict[str, Any]) -> None:
    await step(saver, at("one"), a={"b": 1}, nested=1, step=3)
    metadata: dict[str, Any] = {"a.b": 1, "a\\": {"c": [1, 2]}, "$a": "$b", "nested": {"$gt": 0}, "": None, "step": 3}
    saved = await step(saver, at("one"), **metadata)
    for config in (at("one"), None):
        assert await listed(saver, config, filter=filter) == [saved["configurable"]["checkpoint_id"]]


async def test_what_json_does_not_hold_is_metadata_too_comes_back_as_it_is_and_can_be_filtered_by(
    saver: RegistrySaver,
) -> None:
    nested: list[Any] = []
    for _ in range(120):
        nested = [nested]
    metadata: dict[str, Any] = {
        "infinite": float("inf"),
        "set": {1, 2, 3},
        "nested": nested,
        "big": 2**63,
        "by number": {1: 2},
        "uuid": UUID(int=1),
    }
    for name, value in metadata.items():
        saved = await step(saver, at(name), **{name: value})
        assert await listed(saver, at(name), filter={name: value}) == [saved["configurable"]["checkpoint_id"]]
        assert await listed(saver, at(name), filter={name: "other"}) == []
        found = await saver.aget_tuple(saved)
        assert found
        assert found.metadata[name] == value  # type: ignore[literal-required]
        assert type(found.metadata[name]) is type(value)  # type: ignore[literal-required]
    odd: dict[str, Any] = {"not a number": float("nan"), "not text": "\ud800"}  # equal to nothing, and saved as "?"
    await step(saver, at("odd"), **odd)
    assert len(await listed(saver, at("odd"), filter=odd)) == 1
    assert await listed(saver, at("one"), filter={"\ud800": "\ud800"}) == []


async def test_none_is_a_thread_and_not_all(saver: RegistrySaver) -> None:
    await step(saver, at("one"))
    thread: RunnableConfig = {"configurable": {"thread_id": None}}
    assert await listed(saver, thread) == []
    saved = await step(saver, thread)
    assert await listed(saver, thread) == [saved["configurable"]["checkpoint_id"]]


async def test_what_is_filtered_comes_with_its_own_writes(saver: RegistrySaver) -> None:
    for n in range(40):
        saved = await step(saver, at("one"), step=n)
        await saver.aput_writes(saved, [("channel", n)], "task")
    found = [each async for each in saver.alist(at("one"), filter={"step": 7})]
    assert [each.pending_writes for each in found] == [[("task", "channel", 7)]]


async def test_a_history_goes_on_while_the_thread_grows_and_is_deleted(saver: RegistrySaver) -> None:
    await steps(saver, "one", 30)
    seen = 0
    async for _ in saver.alist(at("one")):
        seen += 1
        if seen == 5:
            await step(saver, at("one"), {"messages": []})
        if seen == 25:
            await asyncio.gather(saver.adelete_thread("one"))
    assert seen in (25, 30)


class InterruptedStore(InMemoryCheckpointStore):
    """A store in which something happens before values are read."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    @override
    async def get_checkpoints(self, ids: Iterable[str]) -> list[Row | None]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()
        return await super().get_checkpoints(ids)


async def test_what_is_deleted_while_it_is_read_is_found_whole_or_not_at_all() -> None:
    async with InterruptedStore() as store:
        saver = RegistrySaver(store)
        first, *_ = await steps(saver, "one", 30)

        async def prune() -> None:
            await saver.aprune(["one"])

        store.meanwhile = prune
        assert await saver.aget_tuple(first) is None
        await steps(saver, "one", 30)
        store.meanwhile = prune
        (kept,) = [each async for each in saver.alist(at("one"))]
        assert kept.checkpoint["channel_values"] == {"setting": ["fixed"], "messages": list(range(30))}
        store.meanwhile = lambda: saver.adelete_thread("one")
        assert await saver.aget_tuple(at("one")) is None
