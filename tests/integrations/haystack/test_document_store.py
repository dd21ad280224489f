"""What haystack's kits do not ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from dependency_injector import providers
from haystack import Pipeline
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream, Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

from symphony_registry import ServiceRegistry
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import BlockingCallError, InvalidTypeError, InvalidValueError, UnsupportedOperationError
from symphony_registry.integrations.haystack import RegistryDocumentStore, RegistryEmbeddingRetriever

DOCUMENTS = [
    Document(id="a", content="one", meta={"n": 1, "deep": {"x": None}, "day": "2024-01-01"}, embedding=[1.0, 0.0]),
    Document(id="b", content="two", meta={"n": 2, "back\\": {"x": 1}, "day": "2025-01-01"}, embedding=[0.5, 0.5]),
    Document(id="c", content="three", meta={"n": None}),
    Document(id="d", content="four", meta={"deep": {"x": 1}}, embedding=[0.0, 1.0]),
]


@pytest.fixture
async def store(registry: ServiceRegistry) -> RegistryDocumentStore:
    store = RegistryDocumentStore(registry.vector_store(), registry.checkpoint_store())
    await store.write_documents_async(DOCUMENTS)
    return store


def asks(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    "filters",
    [
        asks("meta.n", "==", None),
        asks("meta.n", "!=", None),
        asks("meta.n", "in", [1, None]),
        asks("meta.n", "not in", [1, None]),
        asks("meta.n", ">", None),
        asks("meta.n", ">=", 2),
        asks("meta.deep.x", "==", 1),
        asks("meta.deep.x", "==", None),
        asks("meta.back\\.x", "==", 1),
        asks("meta.day", "<", "2024-06-01"),
        asks("id", "in", ["a", "c"]),
        asks("content", "==", "two"),
        asks("n", "==", 2),
        asks("n", "!=", 2),
        asks("a.b", "==", None),
        asks("embedding", "==", None),
        asks("embedding", "!=", None),
        {"operator": "NOT", "conditions": [asks("meta.n", "==", 1), asks("meta.day", "==", "2024-01-01")]},
        {
            "operator": "OR",
            "conditions": [asks("id", "==", "c"), {"operator": "AND", "conditions": [asks("meta.n", "<", 2)]}],
        },
        {"operator": "AND", "conditions": []},
    ],
)
async def test_a_filter_finds_what_haystacks_own_store_finds(
    store: RegistryDocumentStore, filters: dict[str, Any]
) -> None:
    own = InMemoryDocumentStore()
    own.write_documents(DOCUMENTS)
    expected = [document.id for document in own.filter_documents(filters)]
    assert [document.id for document in await store.filter_documents_async(filters)] == expected
    assert await store.count_documents_by_filter_async(filters) == len(expected)


@pytest.mark.parametrize(
    "filters",
    [
        asks("meta.n", "~", 1),
        {"operator": "XOR", "conditions": []},
        asks("meta.day", ">", "tomorrow"),
        asks("score", "==", None),
        asks("embedding", "==", [1.0, 0.0]),
        asks("embedding", "in", [None]),
        asks("meta", "==", {}),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(store: RegistryDocumentStore, filters: dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        await store.filter_documents_async(filters)


@pytest.mark.parametrize("filters", [None, asks("meta.deep.x", "==", 1), asks("meta.n", "!=", 1)])
async def test_documents_are_retrieved_as_from_haystacks_own_store(
    store: RegistryDocumentStore, filters: dict[str, Any] | None
) -> None:
    own = InMemoryDocumentStore(embedding_similarity_function="cosine")
    own.write_documents(DOCUMENTS)
    for options in ({"top_k": 2}, {"return_embedding": True}):
        found = await store.embedding_retrieval_async([0.9, 0.2], filters, **options)
        expected = own.embedding_retrieval([0.9, 0.2], filters, **options)
        assert [(each.id, each.content, each.meta, each.embedding) for each in found] == [
            (each.id, each.content, each.meta, each.embedding) for each in expected
        ]
        assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-5)


async def test_a_document_that_gets_or_loses_its_embedding_is_there_once(store: RegistryDocumentStore) -> None:
    for embedding in ([0.3, 0.4], None):
        document = Document(id="c", content="new", embedding=embedding)
        assert await store.write_documents_async([document], DuplicatePolicy.OVERWRITE) == 1
        assert await store.count_documents_async() == 4
        assert [each.id for each in await store.filter_documents_async()] == ["a", "b", "c", "d"]
        retrieved = await store.embedding_retrieval_async([0.3, 0.4])
        assert ("c" in {each.id for each in retrieved}) == (embedding is not None)


async def test_of_documents_that_are_there_with_or_without_embedding_none_is_replaced(
    store: RegistryDocumentStore,
) -> None:
    again = [Document(id="a", content="new"), Document(id="e", content="new"), Document(id="e", content="other")]
    with pytest.raises(DuplicateDocumentError, match="'a'"):
        await store.write_documents_async(again, DuplicatePolicy.FAIL)
    assert await store.count_documents_async() == 4
    assert await store.write_documents_async(again, DuplicatePolicy.SKIP) == 1
    found = {document.id: document.content for document in await store.filter_documents_async()}
    assert (found["a"], found["e"]) == ("one", "new")


async def test_a_filter_deletes_what_it_finds(store: RegistryDocumentStore) -> None:
    assert await store.delete_by_filter_async(asks("embedding", "==", None)) == 1
    assert await store.delete_by_filter_async(asks("n", "!=", 2)) == 2
    assert [document.id for document in await store.filter_documents_async()] == ["b"]


async def test_an_update_merges_into_the_metadata(store: RegistryDocumentStore) -> None:
    assert await store.update_by_filter_async(asks("meta.deep.x", "==", None), {"deep": 1, "a.b": 2}) == 3
    found = {document.id: document.meta for document in await store.filter_documents_async()}
    assert found == {each.id: each.meta | ({"deep": 1, "a.b": 2} if each.id != "d" else {}) for each in DOCUMENTS}


def meanwhile(monkeypatch: pytest.MonkeyPatch, store: object, name: str, others: Callable[[], Awaitable[Any]]) -> None:
    """Let others write when a store has found what is to be changed."""
    original = getattr(store, name)

    async def find(*args: Any, **options: Any) -> Any:
        found = await original(*args, **options)
        monkeypatch.undo()
        await others()
        return found

    monkeypatch.setattr(store, name, find)


@pytest.mark.parametrize("embedding", [[1.0, 0.0], None])
async def test_an_update_leaves_what_others_write_and_delete_meanwhile(
    registry: ServiceRegistry, monkeypatch: pytest.MonkeyPatch, embedding: list[float] | None
) -> None:
    store = RegistryDocumentStore(registry.vector_store(), registry.checkpoint_store())
    await store.write_documents_async(
        [Document(id=id, content="old", meta={"n": 1}, embedding=embedding) for id in ("deleted", "kept", "written")]
    )

    async def others() -> None:
        await store.delete_documents_async(["deleted"])
        new = Document(id="written", content="new", meta={"n": 1, "by": "another"}, embedding=embedding)
        await store.write_documents_async([new], DuplicatePolicy.OVERWRITE)

    found_in = registry.vector_store() if embedding else registry.checkpoint_store()
    meanwhile(monkeypatch, found_in, "find" if embedding else "find_checkpoints", others)
    assert await store.update_by_filter_async(asks("meta.n", "==", 1), {"seen": True}) == 2
    found = {document.id: (document.content, document.meta) for document in await store.filter_documents_async()}
    assert found == {
        "kept": ("old", {"n": 1, "seen": True}),
        "written": ("new", {"n": 1, "by": "another", "seen": True}),
    }


async def test_an_id_without_room_for_the_prefix_is_refused_before_anything_is_written(
    store: RegistryDocumentStore,
) -> None:
    written = [Document(id="new", embedding=[1.0, 1.0]), Document(id="x" * 503, embedding=[1.0, 1.0])]
    with pytest.raises(InvalidValueError, match="after the prefix"):
        await store.write_documents_async(written, DuplicatePolicy.OVERWRITE)
    assert await store.count_documents_async() == 4
    await store.write_documents_async([Document(id="x" * 502, embedding=[1.0, 1.0])])


async def test_metadata_whose_keys_are_no_texts_are_refused(store: RegistryDocumentStore) -> None:
    bad = cast("dict[str, Any]", {1: 2})
    with pytest.raises(InvalidTypeError):
        await store.write_documents_async([Document(id="x", meta=bad)])


def test_a_retriever_of_no_documents_is_refused(blocking_registry: BlockingRegistry) -> None:
    store = RegistryDocumentStore(blocking_registry.vector_store(), blocking_registry.checkpoint_store())
    with pytest.raises(InvalidValueError, match="top_k"):
        RegistryEmbeddingRetriever(store, top_k=0)


async def test_what_else_is_in_the_checkpoint_store_stays(
    store: RegistryDocumentStore, registry: ServiceRegistry
) -> None:
    await registry.checkpoint_store().save_checkpoint("thread-1", {})
    assert await store.count_documents_async() == 4
    await store.delete_all_documents_async()
    assert await store.count_documents_async() == 0
    assert await registry.checkpoint_store().count() == 1


async def test_what_is_no_document_is_not_taken_for_one(
    store: RegistryDocumentStore, registry: ServiceRegistry
) -> None:
    await registry.vector_store().add("native", [1.0, 0.0])
    with pytest.raises(InvalidValueError, match="a vector store of its own"):
        await store.embedding_retrieval_async([1.0, 0.0])


async def test_bytes_and_metadata_named_as_fields_come_back(store: RegistryDocumentStore) -> None:
    document = Document(id="x", blob=ByteStream(b"\0\xff", mime_type="image/png"), meta={"content": 1, "timestamp": 2})
    await store.write_documents_async([document])
    assert await store.filter_documents_async(asks("id", "==", "x")) == [document]


async def test_a_call_without_await_on_the_event_loop_says_what_to_await(store: RegistryDocumentStore) -> None:
    with pytest.raises(BlockingCallError, match="count_documents_async"):
        store.count_documents()
    assert await asyncio.to_thread(store.count_documents) == 4


async def test_a_pipeline_over_it_is_not_written_to_yaml(store: RegistryDocumentStore) -> None:
    with pytest.raises(UnsupportedOperationError, match="in code"):
        store.to_dict()
    with pytest.raises(UnsupportedOperationError, match="in code"):
        RegistryDocumentStore.from_dict({})


def test_a_pipeline_writes_and_retrieves(blocking_registry: BlockingRegistry) -> None:
    wired = providers.Factory(
        RegistryDocumentStore,
        providers.Callable(blocking_registry.vector_store),
        providers.Callable(blocking_registry.checkpoint_store),
    )
    writing, asking = Pipeline(), Pipeline()
    writing.add_component("writer", DocumentWriter(wired()))
    assert writing.run({"writer": {"documents": DOCUMENTS}}) == {"writer": {"documents_written": 4}}
    asking.add_component("retriever", RegistryEmbeddingRetriever(wired(), top_k=2))
    found = asking.run({"retriever": {"query_embedding": [1.0, 0.0]}})["retriever"]["documents"]
    assert [document.content for document in found] == ["one", "two"]
    found = asking.run({"retriever": {"query_embedding": [1.0, 0.0], "filters": asks("meta.n", "==", 2), "top_k": 5}})
    assert [document.content for document in found["retriever"]["documents"]] == ["two"]


async def test_an_async_pipeline_retrieves(store: RegistryDocumentStore) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", RegistryEmbeddingRetriever(store, asks("meta.n", ">", 1)))
    found = await pipeline.run_async({"retriever": {"query_embedding": [1.0, 0.0]}})
    assert [document.content for document in found["retriever"]["documents"]] == ["two"]
