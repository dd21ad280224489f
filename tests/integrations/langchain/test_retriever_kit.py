"""Langchain's own kit for retrievers, whole, over every engine."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langchain import RegistryVectorStore


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def filled(self, blocking_registry: BlockingRegistry) -> None:
        self._store = RegistryVectorStore(blocking_registry.vector_store(), DeterministicFakeEmbedding(size=6))
        self._store.add_documents([Document(text) for text in ("foo", "bar", "baz", "qux")])

    @property
    def retriever_constructor(self) -> Callable[..., BaseRetriever]:  # type: ignore[override]
        def construct(**search_options: Any) -> BaseRetriever:
            return self._store.as_retriever(search_kwargs=search_options)

        return construct

    @property
    def retriever_query_example(self) -> str:
        return "foo"
