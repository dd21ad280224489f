"""A compiled graph remembers what was said in other runs, on every engine."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
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


def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


class Model(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        return embed([text])[0]


@pytest.mark.parametrize("embedding", [embed, Model()], ids=["function", "Embeddings"])
async def test_nodes_without_await_may_take_all_threads_of_the_event_loop(
    checkpoint_store: CheckpointStoreBackend, vector_store: VectorStoreBackend, embedding: Any
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    store = RegistryStore(checkpoint_store, vector_store, index={"dims": 2, "embed": embedding})

    def remember_all(state: State, runtime: Runtime[None]) -> None:
        assert runtime.store
        runtime.store.put(("facts",), state["said"], {"text": state["said"]})
        assert runtime.store.search(("facts",), query=state["said"])

    graph = StateGraph(State).add_node("remember", remember_all)
    graph.add_conditional_edges(START, lambda _: [Send("remember", {"said": f"{n}"}) for n in range(5)], ["remember"])
    async with asyncio.timeout(20):
        await graph.compile(store=store).ainvoke({"said": "", "known": []})
    assert len(await store.asearch(("facts",))) == 5
