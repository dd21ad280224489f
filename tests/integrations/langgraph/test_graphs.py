"""A compiled graph runs as over langgraph's own saver: same answers, same history."""

from typing import Any, Literal

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.graphs import ANSWER, FIRST, THREAD, comparable, graph, without_ids

Durability = Literal["sync", "async", "exit"]


async def run(saver: BaseCheckpointSaver[Any], durability: Durability) -> list[Any]:
    """Interrupt, resume, travel back, fork, update; return all that could be seen."""
    app = graph(saver)
    seen: list[Any] = [await app.ainvoke(FIRST, THREAD, durability=durability)]
    state = await app.aget_state(THREAD, subgraphs=True)
    seen += [state.next, state.values, [each.value for each in state.interrupts]]
    seen += [state.tasks[0].state.values]
    seen.append(await app.ainvoke(ANSWER, THREAD, durability=durability))
    history = [each async for each in app.aget_state_history(THREAD)]
    seen += [(each.values, each.next, each.metadata["step"]) for each in history]
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
