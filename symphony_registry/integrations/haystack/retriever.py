"""The component of a haystack pipeline that finds documents by an embedding."""

from typing import Any

from haystack import component
from haystack.dataclasses import Document

from symphony_registry.backends.values import check_limit
from symphony_registry.integrations.haystack.document_store import RegistryDocumentStore


@component
class RegistryEmbeddingRetriever:
    """Finds the documents of a `RegistryDocumentStore` that are the most similar to a query's embedding."""

    def __init__(
        self, document_store: RegistryDocumentStore, filters: dict[str, Any] | None = None, top_k: int = 10
    ) -> None:
        self.document_store = document_store
        self.filters = filters
        self.top_k = check_limit(top_k, "top_k")

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the documents, the most similar first; `filters` and `top_k` replace the retriever's own."""
        documents = self.document_store.embedding_retrieval(
            query_embedding, filters or self.filters, self.top_k if top_k is None else top_k
        )
        return {"documents": documents}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the documents, the most similar first; `filters` and `top_k` replace the retriever's own."""
        documents = await self.document_store.embedding_retrieval_async(
            query_embedding, filters or self.filters, self.top_k if top_k is None else top_k
        )
        return {"documents": documents}
