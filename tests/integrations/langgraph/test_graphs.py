"""A compiled graph runs as over langgraph's own saver: same answers, same history."""

from typing import Any, Literal

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import StateSnapshot

from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.graphs import ANSWER, FIRST, THREAD, comparable, graph, logging, without_ids

Durability = Literal["sync", "async", "exit"]


async def run(saver: BaseCheckpointSaver[Any], durability: Durability) -> list[Any]:
    """Interrupt, resume, travel back, fork, update; return all that could be seen."""
    app = graph(saver)
    seen: list[Any] = [await app.ainvoke(FIRST, THREAD, durability=durability)]
    state = await app.aget_state(THREAD, subgraphs=True)
    seen += [state.next, state.values, [each.value for each in state.interrupts]]
    inner = state.tasks[0].state
    assert isinstance(inner, StateSnapshot)
    seen.append(inner.values)
    seen.append(await app.ainvoke(ANSWER, THREAD, durability=durability))
    history = [each async for each in app.aget_state_history(THREAD)]
    seen += [(each.values, each.next, (each.metadata or {}).get("step")) for each in history]
    if durability != "exit":
        counted = next(each for each in history if each.next == ("asking",))
        seen.append(await app.ainvoke(None, counted.config, durability=durability))
        seen.append(await app.ainvoke(ANSWER, THREAD, durability=durability))
    await app.aupdate_state(THREAD, {"counts": [100]}, as_node="count")
    seen.append((await app.aget_state(THREAD)).next)
    saved = [each async for each in saver.alist(THREAD)]
    seen += comparable(sorted(saved, key=lambda each: each.checkpoint["id"], reverse=True))
    return [without_ids(each) for each in seen]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_answers_and_history_equal_those_of_langgraphs_saver(
    saver: RegistrySaver, durability: Durability
) -> None:
    assert await run(saver, durability) == await run(InMemorySaver(), durability)


def run_without_await(saver: BaseCheckpointSaver[Any]) -> list[Any]:
    """Interrupt, resume, update; return all that could be seen."""
    app = graph(saver)
    seen: list[Any] = [app.invoke(FIRST, THREAD), app.get_state(THREAD).next, app.invoke(ANSWER, THREAD)]
    app.update_state(THREAD, {"counts": [100]}, as_node="count")
    seen += [(each.values, each.next) for each in app.get_state_history(THREAD)]
    seen += comparable(sorted(saver.list(THREAD), key=lambda each: each.checkpoint["id"], reverse=True))
    return [without_ids(each) for each in seen]


def test_without_await_too(blocking_registry: BlockingRegistry) -> None:
    saver = RegistrySaver(blocking_registry.checkpoint_store())
    assert run_without_await(saver) == run_without_await(InMemorySaver())


async def run_logging(saver: BaseCheckpointSaver[Any], durability: Durability) -> list[Any]:
    """Grow a log, and return it after each step, and from the middle of the history."""
    app = logging(saver)
    seen = [await app.ainvoke({"lines": [f"input {n}"]}, THREAD, durability=durability) for n in range(8)]
    history = [each async for each in app.aget_state_history(THREAD)]
    seen += [each.values for each in history]
    seen.append(await app.ainvoke({"lines": ["fork"]}, history[len(history) // 2].config, durability=durability))
    seen.append((await app.aget_state(THREAD)).values)
    return seen


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_channel_that_is_saved_as_its_changes_has_the_same_values(
    saver: RegistrySaver, durability: Durability
) -> None:
    seen = await run_logging(saver, durability)
    assert seen == await run_logging(InMemorySaver(), durability)
    assert len(seen[7]["lines"]) == 3 * 8
