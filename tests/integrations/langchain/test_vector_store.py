"""What langchain's kit for vector stores does not ask."""

import asyncio
from datetime import date
from typing import Any

import pytest
from dependency_injector import providers
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, aindex
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from symphony_registry.backends.vector_store import InMemoryVectorStore as MemoryBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import BlockingCallError, InvalidTypeError, InvalidValueError, UnsupportedOperationError
from symphony_registry.integrations.langchain import RegistryVectorStore

EMBEDDING = DeterministicFakeEmbedding(size=8)
DOCUMENTS = [
    Document(f"text {number}", id=f"{number:02}", metadata={"number": number, "even": number % 2 == 0})
    for number in range(30)
]


class Placed(Embeddings):
    """Embeds a text of numbers as these numbers."""

    def embed_query(self, text: str) -> list[float]:
        return [float(number) for number in text.split()]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture
async def store(vector_store: VectorStoreBackend) -> RegistryVectorStore:
    return RegistryVectorStore(vector_store, EMBEDDING)


async def ids(store: RegistryVectorStore, filter: dict[str, Any] | None) -> list[str]:
    return sorted(str(found.id) for found in await store.asimilarity_search("text", 30, filter=filter))


async def test_a_filter_asks_of_the_documents_own_metadata(store: RegistryVectorStore) -> None:
    await store.aadd_documents(DOCUMENTS)
    assert await ids(store, {"number": {"$gte": 2, "$lt": 4}}) == ["02", "03"]
    assert await ids(store, {"$or": [{"number": 7}, {"$and": [{"even": True}, {"number": 4}]}]}) == ["04", "07"]
    assert await ids(store, {"$not": {"number": {"$lt": 28}}}) == ["28", "29"]
    assert len(await ids(store, {})) == len(await ids(store, None)) == 30
    with pytest.raises(InvalidValueError, match=r"\$nearly"):
        await ids(store, {"$nearly": 1})


async def test_metadata_named_as_what_is_stored_are_neither_lost_nor_mistaken(store: RegistryVectorStore) -> None:
    document = Document("text", id="a", metadata={"text": "mine", "metadata": {"id": 1}, "a.b": {"c": 1}})
    await store.aadd_documents([document])
    assert await store.aget_by_ids(["a"]) == [document]
    for filter in ({"text": "mine"}, {"metadata.id": 1}, {"a\\.b.c": 1}):
        assert await ids(store, filter) == ["a"]
    assert await ids(store, {"text": "text"}) == []


async def test_documents_come_in_the_order_of_the_ids(store: RegistryVectorStore) -> None:
    await store.aadd_documents(DOCUMENTS)
    assert [found.id for found in await store.aget_by_ids(["07", "none", "03"])] == ["07", "03"]


async def test_metadata_that_are_no_json_are_refused_with_their_place(store: RegistryVectorStore) -> None:
    with pytest.raises(InvalidTypeError, match=r"metadata\.day"):
        await store.aadd_texts(["a", "b"], [{}, {"day": date(2025, 1, 1)}], ids=["a", "b"])
    assert await store.aget_by_ids(["a", "b"]) == []


async def test_what_is_no_document_is_not_taken_for_one(
    store: RegistryVectorStore, vector_store: VectorStoreBackend
) -> None:
    await vector_store.add("native", EMBEDDING.embed_query("text"), {"text": "text"})
    with pytest.raises(InvalidValueError, match="'native'"):
        await store.asimilarity_search("text")


async def test_as_many_ids_and_metadata_as_texts_are_needed(store: RegistryVectorStore) -> None:
    with pytest.raises(InvalidValueError, match="2 texts, but 1 ids"):
        await store.aadd_texts(["a", "b"], ids=["a"])
    with pytest.raises(InvalidValueError, match="1 texts, but 2 metadatas"):
        await store.aadd_texts(["a"], [{}, {}])


async def test_what_is_deleted_is_named_or_selected(store: RegistryVectorStore) -> None:
    await store.aadd_documents(DOCUMENTS)
    await store.adelete(filter={"number": {"$gt": 0}})
    assert await ids(store, None) == ["00"]
    with pytest.raises(InvalidValueError):
        await store.adelete()
    assert await ids(store, None) == ["00"]


async def test_a_search_ignores_no_argument_that_nobody_knows(store: RegistryVectorStore) -> None:
    for search in (store.asimilarity_search, store.asimilarity_search_with_score, store.amax_marginal_relevance_search):
        with pytest.raises(TypeError, match=r"takes where\. Use k, filter or min_similarity"):
            await search("text", 1, where={"number": 1})


@pytest.mark.parametrize("filter", [lambda document: document, "year < 2025", [("year", 2025)]])
async def test_a_filter_that_is_no_dict_is_refused_by_an_example(store: RegistryVectorStore, filter: Any) -> None:
    for call in (store.asimilarity_search("text", filter=filter), store.adelete(filter=filter)):
        with pytest.raises(InvalidTypeError, match=r"\{'year': \{'\$lt': 2025\}\}"):
            await call


async def test_none_of_no_documents_are_found_and_fewer_are_refused(store: RegistryVectorStore) -> None:
    await store.aadd_documents(DOCUMENTS)
    assert await store.asimilarity_search("text", 0) == []
    assert await store.amax_marginal_relevance_search("text", 0, 0) == []
    with pytest.raises(InvalidValueError, match="k must"):
        await store.asimilarity_search("text", -1)


@pytest.mark.parametrize(
    ("metric", "relevance"), [("cosine", [1.0, 0.5, 0.0]), ("euclidean", [1.0, 1 / (1 + 2**0.5), 1 / 3])]
)
async def test_relevance_lies_between_0_and_1(metric: str, relevance: list[float]) -> None:
    async with MemoryBackend({"metric": metric}) as backend:
        store = await RegistryVectorStore.afrom_texts(["1 0", "0 1", "-1 0"], Placed(), store=backend)
        found = await store.asimilarity_search_with_relevance_scores("1 0")
        assert [score for _, score in found] == pytest.approx(relevance)
        near = await store.asimilarity_search_with_relevance_scores("1 0", score_threshold=0.9)
        assert [document.page_content for document, _ in near] == ["1 0"]


async def test_a_dot_product_has_no_relevance() -> None:
    async with MemoryBackend({"metric": "dot"}) as backend:
        store = await RegistryVectorStore.afrom_texts(["3 0"], Placed(), store=backend)
        assert [score for _, score in await store.asimilarity_search_with_score("1 0")] == [3]
        with pytest.raises(UnsupportedOperationError, match=r"similarity_search_with_score\(\)"):
            await store.asimilarity_search_with_relevance_scores("1 0")


@pytest.mark.parametrize(
    ("search_type", "options"),
    [
        ("similarity", {"k": 7}),
        ("mmr", {"k": 5, "fetch_k": 12, "lambda_mult": 0.3}),
        ("similarity_score_threshold", {"k": 9, "score_threshold": 0.3}),
    ],
)
def test_a_retriever_answers_as_langchains_own_store(
    blocking_registry: BlockingRegistry, search_type: str, options: dict[str, Any]
) -> None:
    def answers(store: VectorStore) -> list[list[Document]]:
        store.add_documents(DOCUMENTS)
        retriever = store.as_retriever(search_type=search_type, search_kwargs=options)
        return [retriever.invoke(query) for query in ("text 3", "something else", "")]

    ours = answers(RegistryVectorStore(blocking_registry.vector_store(), EMBEDDING))
    assert ours == answers(WithRelevance(EMBEDDING))
    assert all(ours)


class WithRelevance(InMemoryVectorStore):
    """Langchain's store, with the relevance that it lacks."""

    def _select_relevance_score_fn(self) -> Any:
        return lambda similarity: (similarity + 1) / 2


async def test_a_retriever_answers_the_same_with_await_and_in_a_thread(store: RegistryVectorStore) -> None:
    await store.aadd_documents(DOCUMENTS)
    retriever = store.as_retriever(search_type="mmr")
    assert await retriever.ainvoke("text 3") == await asyncio.to_thread(retriever.invoke, "text 3")


async def test_a_call_without_await_on_the_event_loop_says_what_to_await(store: RegistryVectorStore) -> None:
    with pytest.raises(BlockingCallError, match=r"Await asimilarity_search\(\)"):
        store.similarity_search("text")


def test_a_container_wires_it_and_texts_fill_it(blocking_registry: BlockingRegistry) -> None:
    wired = providers.Factory(
        RegistryVectorStore, providers.Callable(blocking_registry.vector_store), embedding=EMBEDDING
    )
    RegistryVectorStore.from_documents(DOCUMENTS, EMBEDDING, store=blocking_registry.vector_store())
    assert wired().get_by_ids(["03"]) == [DOCUMENTS[3]]


async def test_langchains_indexing_skips_what_is_there_and_deletes_what_is_gone(store: RegistryVectorStore) -> None:
    records = InMemoryRecordManager("namespace")
    await records.acreate_schema()

    async def index(documents: list[Document]) -> dict[str, int]:
        return dict(await aindex(documents, records, store, cleanup="full", key_encoder="sha256"))  # type: ignore[arg-type]

    assert (await index(DOCUMENTS[:3]))["num_added"] == 3
    assert await index(DOCUMENTS[1:4]) == {"num_added": 1, "num_updated": 0, "num_skipped": 2, "num_deleted": 1}
    assert len(await ids(store, None)) == 3
