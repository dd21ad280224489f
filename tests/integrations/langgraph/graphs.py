"""A graph that interrupts, sends, calls subgraphs and fails once; and what a thread of it looks like."""

from collections.abc import Iterable
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt, Send, interrupt

THREAD: RunnableConfig = {"configurable": {"thread_id": "one"}}
FIRST = {"messages": [HumanMessage("two words", id="question")]}
ANSWER: Command[Any] = Command(resume="yes")


class State(TypedDict, total=False):
    """What the graph knows."""

    messages: Annotated[list[AnyMessage], add_messages]
    counts: Annotated[list[int], add]
    approved: str


class Word(TypedDict):
    """What one of the nodes that are sent gets."""

    word: str


def count(word: Word) -> State:
    return {"counts": [len(word["word"])]}


def fan_out(state: State) -> list[Send]:
    return [Send("count", {"word": word}) for word in str(state["messages"][0].content).split()]


def ask(state: State) -> State:
    return {"approved": interrupt({"counts": state["counts"]})}


def answer(state: State) -> State:
    return {"messages": [AIMessage(f"{sum(state['counts'])} letters", id=f"answer-{len(state['messages'])}")]}


def graph(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile the graph: it counts letters, asks in a subgraph whether that is right, and answers."""
    asking = StateGraph(State)
    asking.add_node("ask", ask)
    asking.add_edge(START, "ask")
    asking.add_edge("ask", END)
    builder = StateGraph(State)
    builder.add_node("count", count, input_schema=Word)  # type: ignore[arg-type]
    builder.add_node("asking", asking.compile())
    builder.add_node("answer", answer)
    builder.add_conditional_edges(START, fan_out, ["count"])
    builder.add_edge("count", "asking")
    builder.add_edge("asking", "answer")
    builder.add_edge("answer", END)
    return builder.compile(checkpointer=checkpointer)


class Log(TypedDict):
    """What a graph keeps as changes."""

    lines: Annotated[
        list[str],
        DeltaChannel(lambda lines, more: [*lines, *(each for one in more for each in one)], snapshot_frequency=3),
    ]


def logging(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile a graph of two parallel nodes whose state is saved as its changes."""
    builder = StateGraph(Log)
    for name in ("one", "two"):
        builder.add_node(name, lambda log, name=name: {"lines": [f"{name} after {len(log['lines'])}"]})
        builder.add_edge(START, name)
    return builder.compile(checkpointer=checkpointer)


def comparable(history: Iterable[CheckpointTuple]) -> list[Any]:
    """Return a history without what differs by run: ids by their first appearance, no times and no versions."""
    names: dict[str, str] = {}

    def named(id: str) -> str:
        return id and names.setdefault(id, f"id-{len(names)}")

    def namespace(ns: str) -> list[Any]:
        return [(part.partition(":")[0], named(part.partition(":")[2])) for part in ns.split("|")]

    return [
        (
            namespace(found.config["configurable"]["checkpoint_ns"]),
            named(found.checkpoint["id"]),
            named(found.parent_config["configurable"]["checkpoint_id"] if found.parent_config else ""),
            {name: value for name, value in found.checkpoint["channel_values"].items() if not name.startswith("__")},
            sorted(found.checkpoint["channel_versions"]),
            {ns: named(id) for ns, id in sorted(found.metadata.get("parents", {}).items()) if not ns},
            found.metadata["source"],
            found.metadata["step"],
            [(named(task), channel, value) for task, channel, value in found.pending_writes or []],
        )
        for found in history
    ]


def without_ids(seen: Any) -> Any:
    """Return what was seen, interrupts without their ids."""
    match seen:
        case dict():
            return {key: without_ids(value) for key, value in seen.items()}
        case list() | tuple():
            return [without_ids(each) for each in seen]
        case Interrupt():
            return seen.value
    return seen
