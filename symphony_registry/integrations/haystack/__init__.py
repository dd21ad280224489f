"""Haystack's document store over any backends: `pip install 'symphony-registry[haystack]'`."""

from symphony_registry.integrations.haystack.document_store import RegistryDocumentStore
from symphony_registry.integrations.haystack.retriever import RegistryEmbeddingRetriever

__all__ = ["RegistryDocumentStore", "RegistryEmbeddingRetriever"]
