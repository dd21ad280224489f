"""A vector store of llama-index's over any provider: filters, queries, deletions, a real index."""

import asyncio
from typing import Any

import pytest
from dependency_injector import providers
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import IndexNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryMode

from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import (
    BlockingCallError,
    InvalidValueError,
    UnsupportedFilterError,
    UnsupportedOperationError,
)
from symphony_registry.integrations.llama_index import RegistryVectorStore

AND, OR, NOT = FilterCondition.AND, FilterCondition.OR, FilterCondition.NOT


def node(id: str, document: str, metadata: dict[str, Any]) -> TextNode:
    number = int(id, 36)
    return TextNode(
        id_=id,
        text=f"text {id}",
        metadata=metadata,
        embedding=[float(number % 7 + 1), float(number % 3), float(number % 5) - 2],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
    )


NODES = [
    node("a", "document", {"number": 1, "name": "one", "tags": ["x", "y"]}),
    node("b", "other", {"number": 2, "name": "two", "tags": ["y"]}),
    node("c", "document", {"number": 3, "name": "", "tags": []}),
    node("d", "other", {"number": None}),
    node("e", "document", {"a.b": 1, "back\\slash": 2}),
]
EVERYTHING = VectorStoreQuery(query_embedding=[1.0, 2.0, 3.0], similarity_top_k=100)


@pytest.fixture
async def store(vector_store: VectorStoreBackend) -> RegistryVectorStore:
    store = RegistryVectorStore(vector_store)
    await store.async_add(NODES)
    return store


def only(key: str, operator: str, value: Any = None) -> MetadataFilter:
    return MetadataFilter(key=key, value=value, operator=FilterOperator(operator))


def filters(*parts: MetadataFilter | MetadataFilters, condition: FilterCondition = AND) -> MetadataFilters:
    return MetadataFilters(filters=list(parts), condition=condition)


def query(found: MetadataFilters, **options: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=[1.0, 2.0, 3.0], similarity_top_k=100, filters=found, **options)


@pytest.mark.parametrize(
    "asked",
    [
        filters(only("number", "==", 2)),
        filters(only("number", "!=", 2)),
        filters(only("number", ">", 1)),
        filters(only("number", ">=", 2)),
        filters(only("number", "<", 2)),
        filters(only("number", "<=", 2)),
        filters(only("number", "in", [1, 3, 9])),
        filters(only("number", "nin", [1, 3, 9])),
        filters(only("tags", "contains", "y")),
        filters(only("tags", "any", ["x", "z"])),
        filters(only("tags", "any", [])),
        filters(only("tags", "all", ["x", "y"])),
        filters(only("tags", "all", [])),
        filters(only("tags", "is_empty")),
        filters(only("name", "is_empty")),
        filters(only("number", "is_empty")),
        filters(only("a.b", "==", 1)),
        filters(only("back\\slash", "==", 2)),
        filters(only("ref_doc_id", "==", "other")),
        filters(only("number", "==", 1), only("name", "==", "one")),
        filters(only("number", "==", 1), only("name", "==", "two"), condition=OR),
        filters(only("number", "==", 1), only("name", "==", "two"), condition=NOT),
        filters(),
    ],
)
async def test_each_operator_finds_what_llama_indexs_own_store_finds(
    store: RegistryVectorStore, asked: MetadataFilters
) -> None:
    simple = SimpleVectorStore()
    simple.add(NODES)
    ours = (await store.aquery(query(asked))).ids
    assert sorted(ours or []) == sorted(simple.query(query(asked)).ids or [])


async def test_filters_are_nested_in_one_another(store: RegistryVectorStore) -> None:
    asked = filters(
        filters(only("number", "==", 1), only("number", "==", 2), condition=OR),
        filters(only("name", "==", "two"), condition=NOT),
    )
    assert (await store.aquery(query(asked))).ids == ["a"]


@pytest.mark.parametrize("operator", ["text_match", "text_match_insensitive"])
async def test_an_operator_that_cannot_be_said_is_refused(store: RegistryVectorStore, operator: str) -> None:
    with pytest.raises(UnsupportedFilterError, match=operator):
        await store.aquery(query(filters(only("name", operator, "on"))))


@pytest.mark.parametrize("mode", [VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR])
def test_nodes_are_ordered_as_by_llama_indexs_own_store(
    blocking_registry: BlockingRegistry, mode: VectorStoreQueryMode
) -> None:
    ours, simple = RegistryVectorStore(blocking_registry.vector_store()), SimpleVectorStore()
    asked = VectorStoreQuery(query_embedding=[1.0, 2.0, 3.0], similarity_top_k=3, mode=mode, mmr_threshold=0.3)
    for each in (ours, simple):
        each.add(NODES)
    found, expected = ours.query(asked), simple.query(asked, mmr_threshold=0.3)
    assert found.ids == expected.ids
    assert found.similarities == pytest.approx(expected.similarities, abs=1e-5)


async def test_a_mode_that_nobody_answers_and_a_query_without_a_vector_are_refused(store: RegistryVectorStore) -> None:
    with pytest.raises(UnsupportedOperationError, match="'default' or 'mmr'"):
        await store.aquery(VectorStoreQuery(query_embedding=[1.0], mode=VectorStoreQueryMode.HYBRID))
    with pytest.raises(InvalidValueError, match="query_embedding"):
        await store.aquery(VectorStoreQuery(query_str="text"))


async def test_a_query_is_restricted_to_nodes_and_documents(store: RegistryVectorStore) -> None:
    assert sorted((await store.aquery(query(filters(), node_ids=["a", "b"]))).ids or []) == ["a", "b"]
    assert sorted((await store.aquery(query(filters(), doc_ids=["other"]))).ids or []) == ["b", "d"]
    both = query(filters(only("number", "==", 2)), node_ids=["a", "b"], doc_ids=["other"])
    assert (await store.aquery(both)).ids == ["b"]
    assert len((await store.aquery(query(filters(), node_ids=[], doc_ids=[]))).ids or []) == len(NODES)


async def test_nodes_come_back_as_they_were(store: RegistryVectorStore) -> None:
    pointing = IndexNode(id_="i", index_id="a", text="text", embedding=[1.0, 0, 0])
    pointing.metadata = {"ref_doc_id": "mine"}
    await store.async_add([pointing])
    found = await store.aget_nodes(["i", "none", "b"])
    assert [type(each) for each in found] == [IndexNode, TextNode]
    for each, expected in zip(found, [pointing, NODES[1]], strict=True):
        assert each == expected.model_copy(update={"embedding": None})


async def test_nodes_are_found_by_ids_and_filters(store: RegistryVectorStore) -> None:
    async def ids(*args: Any) -> list[str]:
        return [found.node_id for found in await store.aget_nodes(*args)]

    assert await ids() == ["a", "b", "c", "d", "e"]
    assert await ids(["c", "a"]) == ["c", "a"]
    assert await ids(None, filters(only("number", ">", 1))) == ["b", "c"]
    assert await ids(["c", "a"], filters(only("number", ">", 1))) == ["c"]


async def test_nodes_are_deleted_by_document_ids_or_filters(store: RegistryVectorStore) -> None:
    async def left() -> list[str]:
        return [found.node_id for found in await store.aget_nodes()]

    await store.adelete("other")
    assert await left() == ["a", "c", "e"]
    await store.adelete_nodes(["a", "c"], filters(only("number", "==", 3)))
    assert await left() == ["a", "e"]
    await store.adelete_nodes(["e", "none"])
    assert await left() == ["a"]
    for nothing in (None, filters()):
        with pytest.raises(InvalidValueError):
            await store.adelete_nodes(filters=nothing)
    assert await left() == ["a"]
    await store.aclear()
    assert await left() == []


async def test_a_call_without_await_on_the_event_loop_says_what_to_await(store: RegistryVectorStore) -> None:
    with pytest.raises(BlockingCallError, match="aquery"):
        store.query(EVERYTHING)
    assert (await asyncio.to_thread(store.query, EVERYTHING)).ids == (await store.aquery(EVERYTHING)).ids


DOCUMENTS = [Document(id_=f"d{n}", text=f"A text about {n}.", metadata={"n": n}) for n in range(12)]


def test_an_index_answers_as_over_llama_indexs_own_store(
    blocking_registry: BlockingRegistry, embed_model: BaseEmbedding
) -> None:
    wired = providers.Factory(RegistryVectorStore, providers.Callable(blocking_registry.vector_store))

    def answers(vector_store: BasePydanticVectorStore) -> list[Any]:
        index = VectorStoreIndex.from_documents(
            DOCUMENTS,
            storage_context=StorageContext.from_defaults(vector_store=vector_store),
            embed_model=embed_model,
        )
        index.delete_ref_doc("d3")
        index.insert(Document(id_="new", text="Another text.", metadata={"n": 100}))
        retrievers = [
            index.as_retriever(similarity_top_k=4),
            index.as_retriever(similarity_top_k=3, filters=filters(only("n", ">", 5))),
        ]
        found = [retriever.retrieve(query) for retriever in retrievers for query in ("text about 4", "Another text.")]
        found.append(asyncio.run(retrievers[0].aretrieve("text about 4")))
        return [[(each.text, each.metadata, pytest.approx(each.score, abs=1e-5)) for each in one] for one in found]

    ours = answers(wired())
    assert ours == answers(SimpleVectorStore())
    assert all(ours)


async def test_an_index_is_built_and_asked_on_the_event_loop(
    vector_store: VectorStoreBackend, embed_model: BaseEmbedding
) -> None:
    index = VectorStoreIndex.from_vector_store(RegistryVectorStore(vector_store), embed_model=embed_model)
    await index.ainsert_nodes([TextNode(id_="a", text="one"), TextNode(id_="b", text="two")])
    assert [found.text for found in await index.as_retriever(similarity_top_k=1).aretrieve("two")] == ["two"]
