"""What deleting, pruning and copying leave."""

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import TASKS, _DeltaSnapshot

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.errors import (
    InvalidTypeError,
    InvalidValueError,
    NotFoundError,
    UnsupportedOperationError,
)
from symphony_registry.integrations.langgraph import RegistrySaver
from symphony_registry.integrations.langgraph.checkpointer.keys import thread
from tests.integrations.langgraph.steps import at, step, steps


async def latest(saver: RegistrySaver, config: RunnableConfig) -> CheckpointTuple:
    found = await saver.aget_tuple(config)
    assert found
    return found


async def history(saver: RegistrySaver, config: RunnableConfig) -> list[CheckpointTuple]:
    return [each async for each in saver.alist(config)]


async def test_pruning_keeps_what_the_latest_refers_to_and_nothing_else(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    for saved in await steps(saver, "one", 300):
        await saver.aput_writes(saved, [("channel", 1), ("other", 2)], "task")
    before = await latest(saver, at("one"))
    await saver.aprune(["one"])
    (kept,) = await history(saver, at("one"))
    assert kept == before._replace(parent_config=None)
    assert kept.checkpoint["channel_values"] == {"setting": ["fixed"], "messages": list(range(300))}
    assert await checkpoint_store.count() == 1 + 2 + 2  # the checkpoint, its values and its writes


async def test_a_thread_goes_on_after_it_was_pruned(saver: RegistrySaver) -> None:
    await steps(saver, "one", 5)
    await saver.aprune(["one"])
    await step(saver, at("one"), {"messages": ["new"]})
    assert [each.checkpoint["channel_values"]["messages"] for each in await history(saver, at("one"))] == [
        ["new"],
        [0, 1, 2, 3, 4],
    ]
    await saver.aprune(["one"])
    assert (await latest(saver, at("one"))).checkpoint["channel_values"] == {"setting": ["fixed"], "messages": ["new"]}


async def test_pruning_keeps_the_checkpoint_from_which_tasks_were_sent_to_the_latest_of_an_older_release(
    saver: RegistrySaver,
) -> None:
    await step(saver, at("one"), v=3)
    sending = await step(saver, at("one"), v=3)
    await saver.aput_writes(sending, [(TASKS, "sent")], "task")
    await step(saver, at("one"), v=3)
    before = await latest(saver, at("one"))
    assert before.checkpoint["channel_values"] == {TASKS: ["sent"]}
    await saver.aprune(["one"])
    assert await latest(saver, at("one")) == before
    assert len(await history(saver, at("one"))) == 2


async def test_subgraphs_go_with_the_checkpoints_that_called_them_but_those_that_keep_their_state_stay(
    saver: RegistrySaver,
) -> None:
    first, second = await steps(saver, "one", 2)
    for ns, called_by in (("sub:1", first), ("sub:2", second), ("lasting", first), ("sub:3", None)):
        called = {"": called_by["configurable"]["checkpoint_id"] if called_by else "not saved yet"}
        await step(saver, at("one", ns), {"a": [ns]}, parents=called)
    await saver.aprune(["one"])
    found = await history(saver, {"configurable": {"thread_id": "one"}})
    assert {each.config["configurable"]["checkpoint_ns"] for each in found} == {"", "sub:2", "lasting", "sub:3"}


async def test_of_two_runs_beside_a_pruning_the_one_that_lacks_values_says_so_and_the_other_stays(
    saver: RegistrySaver,
) -> None:
    first = await step(saver, at("one"), {"a": [1], "b": [1]})
    read = await latest(saver, first)
    second = await step(saver, first, {"a": [2]})
    await saver.aprune(["one"])
    before = await latest(saver, second)
    late: Any = {**read.checkpoint, "id": str(uuid6())}
    saved = await saver.aput(first, late, read.metadata, {})
    with pytest.raises(NotFoundError, match=r"thread 'one' .* lacks the values of its channels \['a'\]"):
        await latest(saver, at("one"))
    with pytest.raises(NotFoundError, match=r"thread 'one'"):
        await saver.aprune(["one"])
    assert await latest(saver, second) == before
    assert [each async for each in saver.alist(at("one"), before=saved)] == [before]
    await step(saver, second, {"a": [3]})
    await saver.aprune(["one"])
    (kept,) = await history(saver, at("one"))
    assert kept.checkpoint["channel_values"] == {"a": [3], "b": [1]}


async def test_writes_whose_checkpoint_was_deleted_before_them_go_with_the_next_pruning(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    first = await step(saver, at("one"))
    called = await step(saver, at("one", "sub:1"), parents={"": first["configurable"]["checkpoint_id"]})
    second, last = await steps(saver, "one", 2)
    await saver.aprune(["one"])
    newest = str(uuid6())
    early = [at("one", ns) for ns in ("", "sub:2")]  # of steps that are being saved
    for config in early:
        config["configurable"]["checkpoint_id"] = newest
    before = await checkpoint_store.count()
    for config in (first, second, called, last, *early):
        await saver.aput_writes(config, [("channel", 1)], "task")
    await saver.aprune(["one"])
    assert await checkpoint_store.count() == before + 3


async def test_only_the_threads_that_are_named_are_pruned(saver: RegistrySaver) -> None:
    for name in ("a", "a/b", "a!"):
        await steps(saver, name, 3)
    await saver.aprune(["a"])
    await saver.aprune(["a!"], strategy="delete")
    assert [len(await history(saver, at(name))) for name in ("a", "a/b", "a!")] == [1, 3, 0]


async def test_pruning_names_what_it_cannot_take(saver: RegistrySaver) -> None:
    with pytest.raises(InvalidValueError, match='"keep_latest" or "delete", not \'all\''):
        await saver.aprune(["one"], strategy="all")
    with pytest.raises(InvalidTypeError, match=r"Use \['one'\]"):
        await saver.aprune("one")


async def with_deltas(saver: RegistrySaver, **metadata: Any) -> list[RunnableConfig]:
    """Save a thread whose channel is saved as its changes, with its value in the second and fourth step."""
    saved = []
    for n in range(7):
        values = {"log": _DeltaSnapshot(list(range(n)))} if n in (1, 3) else {}
        config = await step(saver, at("one"), values, counters_since_delta_snapshot={"log": (n, n)}, **metadata)
        await saver.aput_writes(config, [("log", n), ("other", n)], "task")
        saved.append(config)
    return saved


async def test_the_history_of_a_channel_goes_back_to_its_last_value(saver: RegistrySaver) -> None:
    saved = await with_deltas(saver)
    found = await saver.aget_delta_channel_history(config=at("one"), channels=["log", "other"])
    assert found["log"] == {"writes": [("task", "log", n) for n in (3, 4, 5)], "seed": _DeltaSnapshot([0, 1, 2])}
    assert found["other"] == {"writes": [("task", "other", n) for n in range(6)]}
    found = await saver.aget_delta_channel_history(config=saved[1], channels=["log"])
    assert found == {"log": {"writes": [("task", "log", 0)]}}
    assert await saver.aget_delta_channel_history(config=saved[1], channels=[]) == {}
    assert await saver.aget_delta_channel_history(config=at("none"), channels=["log"]) == {"log": {"writes": []}}


async def test_the_history_of_a_channel_follows_the_parents_of_a_fork(saver: RegistrySaver) -> None:
    saved = await with_deltas(saver)
    fork = await step(saver, saved[4])
    found = await saver.aget_delta_channel_history(config=fork, channels=["other"])
    assert found == {"other": {"writes": [("task", "other", n) for n in range(5)]}}


async def test_the_history_of_a_channel_follows_the_parents_whatever_their_ids(saver: RegistrySaver) -> None:
    config = at("one")
    for id in ("5", "7", "6", "8", *(str(n) for n in range(79, 50, -1)), "9"):  # by processes of different clocks
        values = {"log": ["seed"]} if id == "5" else {}
        checkpoint: Any = {
            **empty_checkpoint(),
            "id": id,
            "channel_values": values,
            "channel_versions": dict.fromkeys(values, "1"),
        }
        config = await saver.aput(config, checkpoint, {}, dict.fromkeys(values, "1"))
        await saver.aput_writes(config, [("log", id)], "task")
    found = await saver.aget_delta_channel_history(config=at("one"), channels=["log"])
    assert found["log"]["seed"] == ["seed"]
    written = [value for _, _, value in found["log"]["writes"]]
    assert written == ["5", "7", "6", "8", *(str(n) for n in range(79, 50, -1))]


async def test_the_history_of_a_checkpoint_that_is_its_own_ancestor_ends(saver: RegistrySaver) -> None:
    first, second = await steps(saver, "one", 2)
    found = await latest(saver, first)
    await saver.aput(second, found.checkpoint, found.metadata, {})
    history = await saver.aget_delta_channel_history(config=second, channels=["other"])
    assert history == {"other": {"writes": []}}


async def test_the_history_of_a_channel_is_not_given_without_what_was_deleted_while_a_run_went_on(
    saver: RegistrySaver,
) -> None:
    first = await step(saver, at("one"), {"log": ["seed"]})
    read = await latest(saver, first)
    await saver.adelete_thread("one")
    late: Any = {**read.checkpoint, "id": str(uuid6()), "channel_values": {}}
    second = await saver.aput(first, late, read.metadata, {})
    await saver.aput_writes(second, [("log", "more"), ("other", "new")], "task")
    later: Any = {**late, "id": str(uuid6())}
    third = await saver.aput(second, later, read.metadata, {})
    with pytest.raises(NotFoundError, match=r"thread 'one' .* lacks its parent.* channels \['log'\]"):
        await saver.aget_delta_channel_history(config=third, channels=["log", "other"])
    history = await saver.aget_delta_channel_history(config=third, channels=["other"])
    assert history == {"other": {"writes": [("task", "other", "new")]}}


async def test_a_thread_that_is_made_of_its_changes_is_not_pruned(saver: RegistrySaver) -> None:
    await with_deltas(saver)
    before = await history(saver, at("one"))
    with pytest.raises(UnsupportedOperationError, match="thread 'one' cannot be pruned"):
        await saver.aprune(["one"])
    assert await history(saver, at("one")) == before
    await saver.aprune(["one"], strategy="delete")
    assert await history(saver, at("one")) == []


async def test_of_a_thread_that_is_made_of_its_changes_only_the_last_run_is_deleted(saver: RegistrySaver) -> None:
    await with_deltas(saver, run_id="first")
    await with_deltas(saver, run_id="second")
    with pytest.raises(UnsupportedOperationError, match="thread 'one' cannot be deleted"):
        await saver.adelete_for_runs(["first"])
    await saver.adelete_for_runs(["second"])
    assert len(await history(saver, at("one"))) == 7
    await saver.adelete_for_runs(["first"])
    assert await history(saver, at("one")) == []


async def test_deleting_a_run_keeps_the_values_that_other_runs_refer_to_and_no_others(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    await step(saver, at("one"), {"setting": ["fixed"], "messages": [1]}, run_id="first")
    middle = await step(saver, at("one"), {"messages": [2], "extra": ["of the first run"]}, run_id="first")
    await saver.aput_writes(middle, [("channel", 1)], "task")
    await step(saver, at("one"), {"messages": [3]}, run_id="second")
    await step(saver, at("two"), {"messages": [4]}, run_id="first")
    before = await latest(saver, at("one"))
    await saver.adelete_for_runs(["first", "unknown"])
    assert await history(saver, at("one")) == [before]
    assert before.checkpoint["channel_values"] == {
        "setting": ["fixed"],
        "messages": [3],
        "extra": ["of the first run"],
    }
    assert await checkpoint_store.count() == 1 + 3


async def test_a_copy_is_complete_and_does_not_need_what_it_was_copied_from(
    saver: RegistrySaver, checkpoint_store: CheckpointStoreBackend
) -> None:
    saved = await with_deltas(saver)
    await step(saver, at("one", "sub"), {"a": [1]})
    await step(saver, at("one"), {"b": [2]})
    expected = await history(saver, {"configurable": {"thread_id": "one"}})
    deltas = await saver.aget_delta_channel_history(config=saved[-1], channels=["log"])
    await saver.acopy_thread("one", "two")
    assert await checkpoint_store.count(prefix=thread("one")) == await checkpoint_store.count(prefix=thread("two"))
    await saver.adelete_thread("one")
    copied = await history(saver, {"configurable": {"thread_id": "two"}})
    assert [each._replace(config={}, parent_config=None) for each in copied] == [
        each._replace(config={}, parent_config=None) for each in expected
    ]
    assert {each.config["configurable"]["thread_id"] for each in copied} == {"two"}
    config: RunnableConfig = {"configurable": {**saved[-1]["configurable"], "thread_id": "two"}}
    assert await saver.aget_delta_channel_history(config=config, channels=["log"]) == deltas
    with pytest.raises(UnsupportedOperationError):
        await saver.aprune(["two"])
