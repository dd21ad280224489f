"""Haystack's document store over any provider's vector store and checkpoint store."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.backends.vector_store.base import Item
from symphony_registry.errors import InvalidValueError, UnsupportedOperationError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.haystack.documents import keys, restored, stored
from symphony_registry.integrations.haystack.filters import translated
from symphony_registry.integrations.haystack.unembedded import Unembedded

_AT_ONCE = 100  # updates that are not waited for one by one


class RegistryDocumentStore:
    """Keeps documents: those with an embedding in a vector store, those without in a checkpoint store.

    A vector store has room for nothing without a vector. The checkpoints' ids
    begin with `prefix`; the vector store is the documents' alone.
    """

    def __init__(
        self,
        store: Store[VectorStoreBackend],
        checkpoint_store: Store[CheckpointStoreBackend],
        prefix: str = "documents/",
    ) -> None:
        self._calls = Calls(store, BackendType.VECTOR_STORE)
        self._vectors = self._calls.backend
        self._others = Unembedded(checkpoint_store, prefix)

    def to_dict(self) -> dict[str, Any]:
        """Raise: a store is opened by its registry, not by a pipeline that is read from YAML."""
        raise UnsupportedOperationError(
            f"{type(self).__name__} over {self._vectors} cannot be written to YAML, which would not open its backends. "
            "Build the pipeline in code, with the stores of the registry."
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "RegistryDocumentStore":
        """Raise, as `to_dict` does."""
        raise UnsupportedOperationError(f"{cls.__name__} cannot be read from {data!r}. Build the pipeline in code.")

    def count_documents(self) -> int:
        """Return how many documents there are."""
        return self._calls.waited("count_documents_async", self._count, None)

    async def count_documents_async(self) -> int:
        """Return how many documents there are."""
        return await self._calls.awaited(self._count, None)

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """Return how many documents match."""
        return self._calls.waited("count_documents_by_filter_async", self._count, filters)

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """Return how many documents match."""
        return await self._calls.awaited(self._count, filters)

    async def _count(self, filters: dict[str, Any] | None) -> int:
        condition = translated(filters)
        return await self._vectors.count(condition) + await self._others.count(condition)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that match, by id."""
        return self._calls.waited("filter_documents_async", self._filter, filters)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Return the documents that match, by id."""
        return await self._calls.awaited(self._filter, filters)

    async def _filter(self, filters: dict[str, Any] | None) -> list[Document]:
        condition = translated(filters)
        documents = {each.id: each for each in await self._others.find(condition)}
        found = await self._vectors.find(metadata_filter=condition)
        documents |= {item["id"]: restored(item["metadata"], embedding=item.get("vector")) for item in found}
        return [documents[id] for id in sorted(documents)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Store documents and return how many; without a policy, those that are there raise, and nothing is stored."""
        return self._calls.waited("write_documents_async", self._write, documents, policy)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Store documents and return how many; without a policy, those that are there raise, and nothing is stored."""
        return await self._calls.awaited(self._write, documents, policy)

    async def _write(self, documents: Iterable[Document], policy: DuplicatePolicy) -> int:
        documents = _checked(documents)
        self._others.check(documents)
        overwrite = policy is DuplicatePolicy.OVERWRITE
        there = set() if overwrite else await self._there([document.id for document in documents])
        new: dict[str, Document] = {}
        for document in documents:
            if overwrite or document.id not in there:
                new[document.id] = document
                there.add(document.id)
            elif policy is not DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(
                    f"{self._vectors} has a document {document.id!r}. Use DuplicatePolicy.SKIP or OVERWRITE to go on."
                )
        await self._store(list(new.values()))
        return len(documents) if overwrite else len(new)

    async def _there(self, ids: Sequence[str]) -> set[str]:
        found = await self._vectors.get_many(ids, include_vectors=False)
        return {item["id"] for item in found if item is not None} | await self._others.there(ids)

    async def _store(self, documents: Sequence[Document]) -> None:
        embedded: list[Item] = await here_or_in_thread(
            lambda: [(each.id, each.embedding, stored(each)) for each in documents if each.embedding is not None],
            len(documents) * ITEM,
        )
        others = [each for each in documents if each.embedding is None]
        await self._vectors.add_many(embedded)
        await self._others.save(others)
        await self._others.delete([id for id, _, _ in embedded])
        await self._vectors.delete_many([each.id for each in others])

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete documents by their ids."""
        self._calls.waited("delete_documents_async", self._delete, document_ids)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Delete documents by their ids."""
        await self._calls.awaited(self._delete, document_ids)

    async def _delete(self, ids: list[str]) -> None:
        await self._vectors.delete_many(ids)
        await self._others.delete(ids)

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete the documents that match and return how many."""
        return self._calls.waited("delete_by_filter_async", self._delete_selected, filters)

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """Delete the documents that match and return how many."""
        return await self._calls.awaited(self._delete_selected, filters)

    async def _delete_selected(self, filters: dict[str, Any]) -> int:
        condition = translated(filters)
        return await self._vectors.delete_many(metadata_filter=condition) + await self._others.delete_selected(
            condition
        )

    def delete_all_documents(self) -> None:
        """Delete all documents."""
        self._calls.waited("delete_all_documents_async", self._delete_all)

    async def delete_all_documents_async(self) -> None:
        """Delete all documents."""
        await self._calls.awaited(self._delete_all)

    async def _delete_all(self) -> None:
        await self._vectors.clear()
        await self._others.delete_selected(None)

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Merge `meta` into that of the documents that match and return how many."""
        return self._calls.waited("update_by_filter_async", self._update, filters, meta)

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Merge `meta` into that of the documents that match and return how many."""
        return await self._calls.awaited(self._update, filters, meta)

    async def _update(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        condition, changes = translated(filters), keys(meta)
        found = await self._vectors.find(metadata_filter=condition, include_vectors=False)
        count = await self._others.update(condition, meta)
        for start in range(0, len(found), _AT_ONCE):
            part = found[start : start + _AT_ONCE]
            count += sum(await asyncio.gather(*(self._vectors.update(item["id"], changes) for item in part)))
        return count

    def embedding_retrieval(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        *,
        return_embedding: bool = False,
    ) -> list[Document]:
        """Return the documents most similar to a query, with their similarity as `score`."""
        return self._calls.waited(
            "embedding_retrieval_async", self._retrieve, query_embedding, filters, top_k, return_embedding
        )

    async def embedding_retrieval_async(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        *,
        return_embedding: bool = False,
    ) -> list[Document]:
        """Return the documents most similar to a query, with their similarity as `score`."""
        return await self._calls.awaited(self._retrieve, query_embedding, filters, top_k, return_embedding)

    async def _retrieve(
        self, query: list[float], filters: dict[str, Any] | None, top_k: int, return_embedding: bool
    ) -> list[Document]:
        found = await self._vectors.search(query, top_k, translated(filters), include_vectors=return_embedding)
        return [restored(each["metadata"], embedding=each.get("vector"), score=each["similarity"]) for each in found]


def _checked(documents: object) -> list[Document]:
    if not isinstance(documents, list) or not all(isinstance(each, Document) for each in documents):
        raise InvalidValueError("What is written must be a list of Documents.")
    return documents
