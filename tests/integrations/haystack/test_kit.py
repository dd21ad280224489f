"""Haystack's own kits for document stores over every engine."""

from dataclasses import replace

import numpy as np
import pytest
from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DocumentStore
from haystack.testing import document_store as sync_kit
from haystack.testing import document_store_async as async_kit

from symphony_registry import ServiceRegistry
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.haystack import RegistryDocumentStore


class Comparing:
    """Compares by id, as documents come, and embeddings as float32, as they are kept."""

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        assert received == sorted(map(rounded, expected), key=lambda document: document.id)


def rounded(document: Document) -> Document:
    if document.embedding is None:
        return document
    return replace(document, embedding=np.asarray(document.embedding, np.float32).tolist())


class TestSync(Comparing, sync_kit.DocumentStoreBaseExtendedTests, sync_kit.CountDocumentsByFilterTest):
    @pytest.fixture
    def document_store(self, blocking_registry: BlockingRegistry) -> RegistryDocumentStore:
        return RegistryDocumentStore(blocking_registry.vector_store(), blocking_registry.checkpoint_store())

    def test_write_documents(self, document_store: DocumentStore) -> None:
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([Document(content="new"), document])
        assert document_store.filter_documents() == [document]


class TestAsync(
    Comparing,
    async_kit.CountDocumentsAsyncTest,
    async_kit.CountDocumentsByFilterAsyncTest,
    async_kit.DeleteAllAsyncTest,
    async_kit.DeleteByFilterAsyncTest,
    async_kit.DeleteDocumentsAsyncTest,
    async_kit.FilterDocumentsAsyncTest,
    async_kit.UpdateByFilterAsyncTest,
    async_kit.WriteDocumentsAsyncTest,
):
    @pytest.fixture
    async def document_store(self, registry: ServiceRegistry) -> RegistryDocumentStore:
        return RegistryDocumentStore(registry.vector_store(), registry.checkpoint_store())

    async def test_write_documents_async(self, document_store: async_kit.AsyncDocumentStore) -> None:
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([Document(content="new"), document])
        assert await document_store.filter_documents_async() == [document]
