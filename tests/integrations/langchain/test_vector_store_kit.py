"""Langchain's own kit for vector stores, whole, over every engine."""

import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langchain import RegistryVectorStore


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, blocking_registry: BlockingRegistry) -> VectorStore:
        return RegistryVectorStore(blocking_registry.vector_store(), self.get_embeddings())
