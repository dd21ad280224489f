"""A compiled graph remembers what was said in other runs, on every engine."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langgraph import RegistryStore


class State(TypedDict):
    said: str
    known: list[str]


async def aremember(state: State, runtime: Runtime[None]) -> State:
    assert runtime.store
    known = await runtime.store.asearch(("facts",))
    await runtime.store.aput(("facts",), state["said"], {})
    return {"said": state["said"], "known": [item.key for item in known]}


def remember(state: State, runtime: Runtime[None]) -> State:
    assert runtime.store
    known = runtime.store.search(("facts",))
    runtime.store.put(("facts",), state["said"], {})
    return {"said": state["said"], "known": [item.key for item in known]}


async def test_an_async_graph_remembers(checkpoint_store: CheckpointStoreBackend) -> None:
    graph = StateGraph(State).add_node("remember", aremember).add_edge(START, "remember")
    compiled = graph.compile(store=RegistryStore(checkpoint_store))
    results = [await compiled.ainvoke({"said": said, "known": []}) for said in ("sun", "sea")]
    assert [result["known"] for result in results] == [[], ["sun"]]


def test_a_graph_without_await_remembers(blocking_registry: BlockingRegistry) -> None:
    graph = StateGraph(State).add_node("remember", remember).add_edge(START, "remember")
    compiled = graph.compile(store=RegistryStore(blocking_registry.checkpoint_store()))
    results = [compiled.invoke({"said": said, "known": []}) for said in ("sun", "sea")]
    assert [result["known"] for result in results] == [[], ["sun"]]
