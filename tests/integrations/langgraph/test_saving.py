"""What a saver saves, and that it saves it whole."""

import asyncio
import enum
from typing import Any

import pytest
from langgraph.checkpoint.base import PendingWrite
from langgraph.checkpoint.serde.types import INTERRUPT, RESUME, TASKS

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import BlockingCallError, NotFoundError
from symphony_registry.integrations.langgraph import RegistrySaver
from symphony_registry.integrations.langgraph.checkpointer.keys import thread
from tests.integrations.langgraph.steps import at, step, steps

HOSTILE = ["a", "a/b", "a!", "a!c!", "ab", "", " ", '"', "A", "\x00", "😀", "../x", "'; --", "x" * 2000, "x" * 2001]


async def pending(saver: RegistrySaver, thread_id: str) -> list[PendingWrite]:
    found = await saver.aget_tuple(at(thread_id))
    assert found
    return found.pending_writes or []


async def test_a_value_is_saved_once_however_many_steps_have_it(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    await steps(saver, "one", 10)
    assert await checkpoint_store.count() == 10 + 10 + 1  # checkpoints, messages, setting


async def test_a_checkpoint_whose_value_was_never_saved_is_not_read_without_it(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"), {"a": [1]})
    found = await saver.aget_tuple(saved)
    assert found
    await saver.aput(at("two"), found.checkpoint, found.metadata, {})
    with pytest.raises(NotFoundError, match=r"of the thread 'two' .* lacks the values of its channels \['a'\]"):
        await saver.aget_tuple(at("two"))
    with pytest.raises(NotFoundError):
        [each async for each in saver.alist(at("two"))]


async def test_no_thread_sees_another_whatever_their_names(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    for name in HOSTILE:
        saved = await step(saver, at(name), {"name": [name]})
        await saver.aput_writes(saved, [("channel", name)], name)
    for name in HOSTILE:
        (found,) = [each async for each in saver.alist(at(name))]
        assert found.config["configurable"]["thread_id"] == name
        assert found.checkpoint["channel_values"] == {"name": [name]}
        assert found.pending_writes == [(name, "channel", name)]
        await saver.adelete_thread(name)
        assert await saver.aget_tuple(at(name)) is None
    assert await checkpoint_store.count() == 0


async def test_no_namespace_sees_another_whatever_their_names(saver: RegistrySaver) -> None:
    for name in HOSTILE:
        await step(saver, at("one", name), {"name": [name]})
    for name in HOSTILE:
        found = await saver.aget_tuple(at("one", name))
        assert found
        assert found.config["configurable"]["checkpoint_ns"] == name
        assert found.checkpoint["channel_values"] == {"name": [name]}
    assert len([each async for each in saver.alist({"configurable": {"thread_id": "one"}})]) == len(HOSTILE)


async def test_the_first_of_many_equal_writes_stays(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"))
    await asyncio.gather(*(saver.aput_writes(saved, [("a", n), ("b", n)], "task") for n in range(50)))
    (_, _, first), (_, _, second) = written = await pending(saver, "one")
    assert first == second
    await saver.aput_writes(saved, [("a", "late"), ("b", "late")], "task")
    assert await pending(saver, "one") == written


async def test_the_last_interrupt_and_the_last_resume_of_a_task_stay(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"))
    for n in range(3):
        await saver.aput_writes(saved, [("channel", n), (INTERRUPT, n), (RESUME, n)], "task")
    assert await pending(saver, "one") == [("task", RESUME, 2), ("task", INTERRUPT, 2), ("task", "channel", 0)]


async def test_writes_come_in_the_order_in_which_the_tasks_are_applied(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"))
    await saver.aput_writes(saved, [("channel", n) for n in range(12)], "a", "~2")
    await saver.aput_writes(saved, [("channel", "first")], "b", "~1")
    await saver.aput_writes(saved, [("channel", "input")], "c")
    assert [value for _, _, value in await pending(saver, "one")] == ["input", "first", *range(12)]


async def test_writes_that_are_saved_before_their_checkpoint_hide_no_other(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"), {"a": 1})
    early = {"configurable": {**saved["configurable"], "checkpoint_id": "2" + saved["configurable"]["checkpoint_id"]}}
    await saver.aput_writes(early, [("channel", "early")], "task")  # type: ignore[arg-type]
    found = await saver.aget_tuple(at("one"))
    assert found
    assert found.checkpoint["channel_values"] == {"a": 1}
    assert found.pending_writes == []
    assert len([each async for each in saver.alist(at("one"))]) == 1


async def test_a_put_that_is_cancelled_has_saved_everything_or_nothing(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    values = {"long": ["value"] * 100, "short": 1, "other": [2]}
    for turns in range(40):
        task = asyncio.ensure_future(step(saver, at(f"thread-{turns}"), values))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = await saver.aget_tuple(at(f"thread-{turns}"))
        assert found is None or found.checkpoint["channel_values"] == values
        assert await checkpoint_store.count(prefix=thread(f"thread-{turns}")) == (0 if found is None else 3)


async def test_a_hundred_threads_at_once(saver: RegistrySaver) -> None:
    await asyncio.gather(*(steps(saver, f"thread-{n}", 5) for n in range(100)))
    found = await asyncio.gather(*(saver.aget_tuple(at(f"thread-{n}")) for n in range(100)))
    assert all(each and each.checkpoint["channel_values"]["messages"] == [0, 1, 2, 3, 4] for each in found)


async def test_the_same_put_twice_at_once_is_saved_once(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    saved = await step(saver, at("one"), {"a": [1]})
    found = await saver.aget_tuple(saved)
    assert found
    put = (at("one"), found.checkpoint, found.metadata, found.checkpoint["channel_versions"])
    await asyncio.gather(*(saver.aput(*put) for _ in range(20)))
    assert await saver.aget_tuple(saved) == found
    assert await checkpoint_store.count() == 2


async def test_what_tasks_were_sent_is_found_in_checkpoints_of_older_releases(saver: RegistrySaver) -> None:
    first = await step(saver, at("one"), {"a": 1}, v=3)
    await saver.aput_writes(first, [(TASKS, "second"), ("a", 2)], "task", "~2")
    await saver.aput_writes(first, [(TASKS, "first")], "task-2", "~1")
    saved = await step(saver, first, {"a": 2}, v=3)
    listed = [each async for each in saver.alist(at("one"))]
    for found in (await saver.aget_tuple(saved), listed[0]):
        assert found
        assert found.checkpoint["channel_values"] == {"a": 2, TASKS: ["first", "second"]}
        assert found.checkpoint["channel_versions"][TASKS] == found.checkpoint["channel_versions"]["a"]
        assert found.pending_writes == []


class Source(enum.StrEnum):
    """Text that is more than text."""

    WEB = "web"


async def test_metadata_come_back_as_json(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"), origin=Source.WEB, pair=(1, 2), nested={"a": [None, 1.5, Source.WEB]})
    found = await saver.aget_tuple(saved)
    assert found
    metadata: dict[str, Any] = {**found.metadata}
    assert (metadata["origin"], metadata["pair"], metadata["nested"]) == ("web", [1, 2], {"a": [None, 1.5, "web"]})


async def test_a_clone_with_other_types_allowed_reads_the_same_store(saver: RegistrySaver) -> None:
    saved = await step(saver, at("one"), {"a": [1]})
    clone = saver.with_allowlist([("builtins", "complex")])
    assert await clone.aget_tuple(saved) == await saver.aget_tuple(saved)


async def test_without_await_on_the_event_loop_it_says_what_to_await(saver: RegistrySaver) -> None:
    with pytest.raises(BlockingCallError, match=r"Await aget_tuple\(\)"):
        saver.get_tuple(at("one"))
    with pytest.raises(BlockingCallError, match=r"Await alist\(\)"):
        next(saver.list(at("one")))


def test_every_operation_works_without_await(blocking_registry: BlockingRegistry) -> None:
    saver = RegistrySaver(blocking_registry.checkpoint_store())
    saved = asyncio.run(steps(saver, "one", 3, run_id="run"))[-1]
    saver.put_writes(saved, [("channel", 1)], "task")
    assert len(list(saver.list(at("one")))) == 3
    assert saver.get_delta_channel_history(config=saved, channels=["messages"])["messages"]["seed"] == [0, 1]
    saver.copy_thread("one", "two")
    saver.prune(["two"])
    (latest,) = saver.list(at("two"))
    assert latest.checkpoint["channel_values"] == {"setting": ["fixed"], "messages": [0, 1, 2]}
    assert latest.pending_writes == [("task", "channel", 1)]
    saver.put(at("three"), latest.checkpoint, latest.metadata, latest.checkpoint["channel_versions"])
    assert saver.get(at("three")) == latest.checkpoint
    saver.delete_thread("one")
    saver.delete_for_runs(["run"])
    assert blocking_registry.checkpoint_store().count() == 0
