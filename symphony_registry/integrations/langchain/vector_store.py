"""Langchain's vector store over any provider's."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self
from uuid import uuid4

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from typing_extensions import override

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject, check_limit
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.backends.vector_store.base import FoundVector, Item, SearchResult
from symphony_registry.errors import InvalidTypeError, InvalidValueError, UnsupportedOperationError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.langchain.filters import METADATA, TEXT, within


class RegistryVectorStore(VectorStore):
    """Keeps documents in a vector store, and finds them by similarity.

    Whatever searches takes `filter`, a `metadata_filter` of the contract about
    the documents' metadata, and `min_similarity`.
    """

    def __init__(self, store: Store[VectorStoreBackend], embedding: Embeddings) -> None:
        self._calls = Calls(store, BackendType.VECTOR_STORE)
        self._store = self._calls.backend
        self._embedding = embedding

    @property
    @override
    def embeddings(self) -> Embeddings:
        return self._embedding

    @override
    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Store all texts or none, each in place of what its id had; return their ids, new ones where none is given."""
        documents = _documents(texts, metadatas, ids)
        vectors = self._embedding.embed_documents([document.page_content for document in documents])
        return self._calls.waited("aadd_texts", self._add, documents, vectors)

    @override
    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        documents = _documents(texts, metadatas, ids)
        vectors = await self._embedding.aembed_documents([document.page_content for document in documents])
        return await self._calls.awaited(self._add, documents, vectors)

    async def _add(self, documents: list[Document], vectors: list[list[float]]) -> list[str]:
        items: list[Item] = [
            (document.id or str(uuid4()), vector, {TEXT: document.page_content, METADATA: document.metadata})
            for document, vector in zip(documents, vectors, strict=True)
        ]
        await self._store.add_many(items)
        return [id for id, _, _ in items]

    @override
    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there, in the order asked."""
        return self._calls.waited("aget_by_ids", self._get, ids)

    @override
    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return await self._calls.awaited(self._get, ids)

    async def _get(self, ids: Sequence[str]) -> list[Document]:
        found = await self._store.get_many(ids, include_vectors=False)
        return [_document(item) for item in found if item is not None]

    @override
    def delete(self, ids: list[str] | None = None, *, filter: JSONObject | None = None, **kwargs: Any) -> bool:
        """Delete documents by their ids, or those that match a filter; raises without either."""
        return self._calls.waited("adelete", self._delete, ids, filter, **kwargs)

    @override
    async def adelete(self, ids: list[str] | None = None, *, filter: JSONObject | None = None, **kwargs: Any) -> bool:
        return await self._calls.awaited(self._delete, ids, filter, **kwargs)

    async def _delete(self, ids: list[str] | None, filter: JSONObject | None) -> bool:
        await self._store.delete_many(ids, metadata_filter=within(filter))
        return True

    @override
    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        embedding = self._embedding.embed_query(query)
        found = self._calls.waited("asimilarity_search", self._search, embedding, k, **kwargs)
        return [_document(result) for result in found]

    @override
    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in await self.asimilarity_search_with_score(query, k, **kwargs)]

    @override
    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        found = self._calls.waited("asimilarity_search_by_vector", self._search, embedding, k, **kwargs)
        return [_document(result) for result in found]

    @override
    async def asimilarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return [_document(result) for result in await self._calls.awaited(self._search, embedding, k, **kwargs)]

    @override
    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """Return documents with their similarity as the store's metric has it, the most similar first."""
        embedding = self._embedding.embed_query(query)
        return _scored(self._calls.waited("asimilarity_search_with_score", self._search, embedding, k, **kwargs))

    @override
    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        embedding = await self._embedding.aembed_query(query)
        return _scored(await self._calls.awaited(self._search, embedding, k, **kwargs))

    async def _search(
        self,
        embedding: list[float],
        k: int,
        *,
        filter: JSONObject | None = None,
        min_similarity: float | None = None,
        include_vectors: bool = False,
        **unknown: Any,
    ) -> list[SearchResult]:
        if unknown:
            raise InvalidTypeError(f"No search takes {', '.join(unknown)}. Use k, filter or min_similarity.")
        condition = within(filter)
        if not check_limit(k, "k", 0):
            return []
        return await self._store.search(
            embedding, k, condition, min_similarity=min_similarity, include_vectors=include_vectors
        )

    @override
    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        match self._store.metric:
            case "cosine":
                return lambda similarity: (similarity + 1) / 2
            case "euclidean":
                return lambda similarity: similarity
            case "dot":
                raise UnsupportedOperationError(
                    f"{self._store} compares by dot product, so there is no relevance between 0 and 1. "
                    'Use similarity_search_with_score(), or a store with the option "metric: cosine".'
                )

    @override
    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        embedding = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(embedding, k, fetch_k, lambda_mult, **kwargs)

    @override
    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        embedding = await self._embedding.aembed_query(query)
        return await self.amax_marginal_relevance_search_by_vector(embedding, k, fetch_k, lambda_mult, **kwargs)

    @override
    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        found = self._calls.waited(
            "amax_marginal_relevance_search_by_vector", self._search, embedding, fetch_k, include_vectors=True, **kwargs
        )
        return _diverse(found, embedding, k, lambda_mult)

    @override
    async def amax_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        found = await self._calls.awaited(self._search, embedding, fetch_k, include_vectors=True, **kwargs)
        return await asyncio.to_thread(_diverse, found, embedding, k, lambda_mult)

    @classmethod
    @override
    def from_texts(  # type: ignore[override] # texts need a store
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        store: Store[VectorStoreBackend],
        **kwargs: Any,
    ) -> Self:
        """Store texts in `store`, beside what it holds."""
        vector_store = cls(store, embedding)
        vector_store.add_texts(texts, metadatas, ids=ids, **kwargs)
        return vector_store

    @classmethod
    @override
    async def afrom_texts(  # type: ignore[override] # texts need a store
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        store: Store[VectorStoreBackend],
        **kwargs: Any,
    ) -> Self:
        vector_store = cls(store, embedding)
        await vector_store.aadd_texts(texts, metadatas, ids=ids, **kwargs)
        return vector_store


def _documents(
    texts: Iterable[str], metadatas: list[dict[str, Any]] | None, ids: Sequence[str | None] | None
) -> list[Document]:
    texts = list(texts)
    for name, given in {"metadatas": metadatas, "ids": ids}.items():
        if given is not None and len(given) != len(texts):
            raise InvalidValueError(f"There are {len(texts)} texts, but {len(given)} {name}. Pass one for each text.")
    return [
        Document(text, metadata=metadata, id=id)
        for text, metadata, id in zip(
            texts, metadatas or [{} for _ in texts], ids or [None for _ in texts], strict=True
        )
    ]


def _diverse(found: list[SearchResult], embedding: list[float], k: int, lambda_mult: float) -> list[Document]:
    vectors = [result.get("vector", []) for result in found]
    return [_document(found[i]) for i in maximal_marginal_relevance(np.asarray(embedding), vectors, lambda_mult, k)]


def _scored(found: list[SearchResult]) -> list[tuple[Document, float]]:
    return [(_document(result), result["similarity"]) for result in found]


def _document(stored: FoundVector | SearchResult) -> Document:
    metadata = stored["metadata"]
    if not metadata.keys() >= {TEXT, METADATA}:
        raise InvalidValueError(
            f"The item {stored['id']!r} was not stored as a document of langchain's. Give langchain a vector store of "
            "its own, such as another name under vector_stores."
        )
    return Document(metadata[TEXT], metadata=metadata[METADATA], id=stored["id"])
