"""A property graph store of llama-index's over any provider, beside its own in memory."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core import PropertyGraphIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.graph_stores import SimplePropertyGraphStore
from llama_index.core.graph_stores.types import (
    KG_NODES_KEY,
    KG_RELATIONS_KEY,
    ChunkNode,
    EntityNode,
    LabelledNode,
    PropertyGraphStore,
    Relation,
    Triplet,
)
from llama_index.core.indices.property_graph import LLMSynonymRetriever, VectorContextRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.schema import BaseNode, TextNode, TransformComponent
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, SimpleVectorStore, VectorStoreQuery
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from symphony_registry import ServiceRegistry
from symphony_registry.backends.knowledge_graph import KnowledgeGraphBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import (
    BlockingCallError,
    InvalidTypeError,
    InvalidValueError,
    UnsupportedOperationError,
)
from symphony_registry.integrations.llama_index import RegistryPropertyGraphStore

NODES: list[LabelledNode] = [
    EntityNode(name="ada", label="person", properties={"born": 1815, "a.b": True}),
    EntityNode(name="charles", label="person", properties={"born": 1791}),
    EntityNode(name='the "engine"', label="machine", properties={"born": 1837}),
    EntityNode(name="london"),
    EntityNode(name="alone"),
    ChunkNode(text="A text.", id_="chunk", properties={"ref_doc_id": "document"}),
]
RELATIONS = [
    Relation(label="KNOWS", source_id="ada", target_id="charles", properties={"since": 1833}),
    Relation(label="BUILT", source_id="charles", target_id="the  engine "),
    Relation(label="PROGRAMMED", source_id="ada", target_id="the  engine "),
    Relation(label="LIVES_IN", source_id="ada", target_id="london"),
    Relation(label="LIVES_IN", source_id="charles", target_id="london"),
    Relation(label="ADMIRES", source_id="ada", target_id="ada"),
    Relation(label="PART_OF", source_id="london", target_id="england"),
    Relation(label="KNOWS", source_id="charles", target_id="ada"),
]


def fill(store: PropertyGraphStore) -> PropertyGraphStore:
    store.upsert_nodes(NODES)
    store.upsert_relations(RELATIONS)
    return store


@pytest.fixture
async def store(registry: ServiceRegistry) -> RegistryPropertyGraphStore:
    store = RegistryPropertyGraphStore(registry.knowledge_graph(), registry.vector_store())
    await store.aupsert_nodes(NODES)
    await store.aupsert_relations(RELATIONS)
    return store


def readable(triplets: Sequence[Triplet]) -> list[str]:
    return sorted({repr(triplet) for triplet in triplets})


def ids(nodes: Sequence[LabelledNode]) -> list[str]:
    return [node.id for node in nodes]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ids": ["ada", "none", "chunk"]},
        {"properties": {"born": 1815}},
        {"properties": {"born": 1791, "ref_doc_id": "document"}},
        {"properties": {"a.b": True}},
        {"properties": {"born": 1815}, "ids": ["ada", "charles"]},
    ],
)
async def test_the_same_nodes_are_found_as_in_llama_indexs_own_store(
    store: RegistryPropertyGraphStore, asked: dict[str, Any]
) -> None:
    expected = fill(SimplePropertyGraphStore()).get(**asked)
    assert sorted(map(repr, await store.aget(**asked))) == sorted(map(repr, expected))
    assert expected


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"entity_names": ["ada"]},
        {"ids": ["london", "none"]},
        {"ids": ["ada"], "entity_names": ["charles", "england"]},
        {"relation_names": ["KNOWS", "PART_OF"]},
        {"relation_names": ["LIVES_IN"], "ids": ["charles"]},
        {"properties": {"since": 1833}},
        {"properties": {"born": 1837, "since": 1833}},
        {"properties": {"born": 1791}, "relation_names": ["LIVES_IN"]},
        {"properties": {"born": 1791}, "ids": ["ada"]},
    ],
)
async def test_the_same_triplets_are_found_as_in_llama_indexs_own_store(
    store: RegistryPropertyGraphStore, asked: dict[str, Any]
) -> None:
    expected = fill(SimplePropertyGraphStore()).get_triplets(**asked)
    found = await store.aget_triplets(**asked)
    assert readable(found) == readable(expected)
    assert len(found) == len(expected)
    assert bool(expected) == bool(asked)


@pytest.mark.parametrize("start", [["ada"], ["charles"], ["england"], ["alone", "london"], ["the  engine "], []])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
async def test_the_same_relations_are_near_as_in_llama_indexs_own_store(
    store: RegistryPropertyGraphStore, start: list[str], depth: int
) -> None:
    simple = fill(SimplePropertyGraphStore())
    nodes: list[LabelledNode] = [EntityNode(name=name) for name in start]
    for ignored in ([], ["LIVES_IN"]):
        expected = simple.get_rel_map(nodes, depth, 1000, ignored)
        found = await store.aget_rel_map(nodes, depth, 1000, ignored)
        assert readable(found) == readable(expected)
        assert len(found) == len(readable(found))


async def test_of_many_relations_the_nearest_are_given(store: RegistryPropertyGraphStore) -> None:
    far = await store.aget_rel_map([EntityNode(name="charles")], depth=3, limit=1000)
    assert far[-1][0].id == "london"
    near = await store.aget_rel_map([EntityNode(name="charles")], depth=3, limit=4)
    assert near == far[:4]
    assert all("charles" in {triplet[0].id, triplet[2].id} for triplet in near)


async def test_a_map_of_relations_is_read_by_one_call(
    store: RegistryPropertyGraphStore, knowledge_graph: KnowledgeGraphBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    for name in ("get_entity", "get_entities", "find_entities", "get_relations", "neighbors", "scan_relations"):
        monkeypatch.setattr(knowledge_graph, name, lambda *args, name=name, **options: called.append(name))
    assert len(await store.aget_rel_map([EntityNode(name="ada")], depth=3)) == len(RELATIONS)
    assert called == []


async def test_nothing_is_deleted_but_what_is_named(store: RegistryPropertyGraphStore) -> None:
    await store.adelete(ids=[])
    await store.adelete()
    await store.adelete_llama_nodes(["none"])
    assert len(await store.aget()) == 7
    await store.adelete(entity_names=["london"], ids=["alone"], properties={"born": 1837})
    assert ids(await store.aget()) == ["ada", "charles", "chunk", "england"]
    assert readable(await store.aget_triplets(ids=["ada", "charles"])) == readable(
        fill(SimplePropertyGraphStore()).get_triplets(relation_names=["KNOWS", "ADMIRES"])
    )
    await store.adelete(relation_names=["KNOWS"])
    assert [each[1].label for each in await store.aget_triplets(ids=["ada"])] == ["ADMIRES"]
    assert ids(await store.aget()) == ["ada", "charles", "chunk", "england"]


async def test_chunks_go_with_the_entities_found_in_them(store: RegistryPropertyGraphStore) -> None:
    await store.aupsert_nodes(
        [
            EntityNode(name="x", properties={"triplet_source_id": "chunk"}),
            EntityNode(name="y", properties={"triplet_source_id": "other"}),
        ]
    )
    await store.adelete_llama_nodes(["chunk"])
    assert {"x", "chunk"}.isdisjoint(ids(await store.aget()))
    assert "y" in ids(await store.aget())
    await store.aupsert_nodes([NODES[5]])
    await store.adelete_llama_nodes(ref_doc_ids=["document"])
    assert "chunk" not in ids(await store.aget())


def test_the_id_of_a_chunk_without_one_differs_by_process() -> None:
    command = [sys.executable, "-c", "print(hash('text'))"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    ids = {subprocess.check_output(command, env=environment) for _ in range(2)}
    assert len(ids) == 2


async def test_a_chunk_without_an_id_is_refused(store: RegistryPropertyGraphStore) -> None:
    with pytest.raises(InvalidValueError, match="id_="):
        await store.aupsert_nodes([EntityNode(name="new"), ChunkNode(text="text")])
    assert await store.aget(ids=["new"]) == []


async def test_what_could_not_come_back_is_refused(store: RegistryPropertyGraphStore) -> None:
    class Odd(LabelledNode):
        @property
        def id(self) -> str:
            return "odd"

        def __str__(self) -> str:
            return "odd"

    with pytest.raises(InvalidValueError, match="'_text'"):
        await store.aupsert_nodes([EntityNode(name="new", properties={"_text": "mine"})])
    with pytest.raises(InvalidTypeError, match="Odd"):
        await store.aupsert_nodes([Odd()])


async def test_what_an_application_keeps_in_the_graph_is_found(
    store: RegistryPropertyGraphStore, knowledge_graph: KnowledgeGraphBackend
) -> None:
    await knowledge_graph.add_entity("native", "thing", {"size": 1})
    await knowledge_graph.add_relation("native", "ada", "NAMED_AFTER")
    assert await store.aget(ids=["native"]) == [EntityNode(name="native", label="thing", properties={"size": 1})]
    assert [each[2].id for each in await store.aget_rel_map([EntityNode(name="native")], 1)] == ["ada"]


async def test_entities_are_found_by_their_vectors(
    store: RegistryPropertyGraphStore, vector_store: VectorStoreBackend
) -> None:
    await store.aupsert_nodes(
        [
            EntityNode(name="near", embedding=[1.0, 0.0], properties={"kind": 1}),
            EntityNode(name="far", embedding=[0.0, 1.0], properties={"kind": 2}),
            ChunkNode(text="near", id_="text", embedding=[1.0, 0.0]),
        ]
    )
    asked = VectorStoreQuery(query_embedding=[0.9, 0.1], similarity_top_k=5)
    nodes, similarities = await store.avector_query(asked)
    assert nodes == [
        EntityNode(name="near", properties={"kind": 1}),
        EntityNode(name="far", properties={"kind": 2}),
    ]
    assert similarities == sorted(similarities, reverse=True)
    asked.filters = MetadataFilters(filters=[MetadataFilter(key="kind", value=2)])
    assert ids((await store.avector_query(asked))[0]) == ["far"]
    await store.adelete(ids=["far"])
    assert await store.avector_query(asked) == ([], [])
    assert await vector_store.count() == 1


async def test_what_it_cannot_answer_says_what_to_do(knowledge_graph: KnowledgeGraphBackend) -> None:
    store = RegistryPropertyGraphStore(knowledge_graph)
    assert not store.supports_vector_queries
    with pytest.raises(UnsupportedOperationError, match="vector_store"):
        await store.avector_query(VectorStoreQuery(query_embedding=[1.0]))
    with pytest.raises(UnsupportedOperationError, match="get_rel_map"):
        await store.astructured_query("MATCH (n) RETURN n")
    with pytest.raises(BlockingCallError, match="aget_rel_map"):
        store.get_rel_map([])


async def test_chunks_come_back_as_the_nodes_that_they_were(store: RegistryPropertyGraphStore) -> None:
    node = TextNode(id_="n", text="A text.", metadata={"page": 1})
    await store.aupsert_nodes(
        [ChunkNode(text=node.text, id_="n", properties=node_to_metadata_dict(node, remove_text=True))]
    )
    assert await store.aget_llama_nodes(["none", "n"]) == [node]


class Extracted(TransformComponent):
    """Finds "X knows Y" in a text."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        for node in nodes:
            names = node.get_content().split(" knows ")
            node.metadata[KG_NODES_KEY] = [EntityNode(name=name) for name in names]
            node.metadata[KG_RELATIONS_KEY] = [Relation(label="KNOWS", source_id=names[0], target_id=names[1])]
        return nodes


class Synonyms(MockLLM):
    """Names the entities that are asked about."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return super().complete("ada^charles", formatted, **kwargs)


@pytest.mark.parametrize("beside", [True, False], ids=["vectors beside the graph", "vectors of the index"])
def test_an_index_answers_as_over_llama_indexs_own_stores(
    blocking_registry: BlockingRegistry, embed_model: BaseEmbedding, beside: bool
) -> None:
    def answers(graph: PropertyGraphStore, vectors: SimpleVectorStore | None) -> Any:
        index = PropertyGraphIndex(
            [TextNode(id_=f"n{n}", text=text) for n, text in enumerate(TEXTS)],
            kg_extractors=[Extracted()],
            property_graph_store=graph,
            vector_store=vectors,
            embed_model=embed_model,
            llm=MockLLM(max_tokens=None),
        )
        index.insert_nodes([TextNode(id_="new", text="ada knows ben")])
        retrievers = [
            LLMSynonymRetriever(graph, include_text=False, llm=Synonyms(max_tokens=None)),
            VectorContextRetriever(
                graph, include_text=False, embed_model=embed_model, vector_store=vectors, similarity_top_k=3
            ),
        ]
        retriever = index.as_retriever(sub_retrievers=retrievers)
        found = [retriever.retrieve(query) for query in ("ada", "dora")]
        return [sorted((each.text, round(each.score or 0, 4)) for each in one) for one in found]

    graph = RegistryPropertyGraphStore(
        blocking_registry.knowledge_graph(), blocking_registry.vector_store() if beside else None
    )
    ours = answers(graph, None if beside else SimpleVectorStore())
    assert ours == answers(SimplePropertyGraphStore(), SimpleVectorStore())
    assert all(ours)


TEXTS = ["ada knows charles", "charles knows dora", "dora knows emil", "emil knows ada", "fred knows gina"]


async def test_a_node_that_comes_again_without_its_embedding_is_found_by_what_it_has_now(
    store: RegistryPropertyGraphStore,
) -> None:
    async def found(colour: str) -> list[str]:
        filters = MetadataFilters(filters=[MetadataFilter(key="colour", value=colour)])
        return ids((await store.avector_query(VectorStoreQuery(query_embedding=[1.0, 0.0], filters=filters)))[0])

    await store.aupsert_nodes([EntityNode(name="rose", properties={"colour": "red"}, embedding=[1.0, 0.0])])
    await store.aupsert_nodes([EntityNode(name="rose", properties={"colour": "blue"}), EntityNode(name="other")])
    assert (await found("red"), await found("blue")) == ([], ["rose"])
