"""Vector stores: embeddings with metadata, searched by similarity."""

from symphony_registry.backends.vector_store.base import SearchResult, VectorItem, VectorStoreBackend
from symphony_registry.backends.vector_store.file import FileVectorStore
from symphony_registry.backends.vector_store.memory import InMemoryVectorStore

__all__ = ["FileVectorStore", "InMemoryVectorStore", "SearchResult", "VectorItem", "VectorStoreBackend"]
