"""Vector stores: embeddings with metadata, searched by similarity."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.providers import import_provider
from symphony_registry.backends.vector_store.base import SearchResult, VectorItem, VectorStoreBackend

if TYPE_CHECKING:
    from symphony_registry.backends.vector_store.file import FileVectorStore
    from symphony_registry.backends.vector_store.memory import InMemoryVectorStore
    from symphony_registry.backends.vector_store.postgres import PostgresVectorStore

__all__ = [
    "FileVectorStore",
    "InMemoryVectorStore",
    "PostgresVectorStore",
    "SearchResult",
    "VectorItem",
    "VectorStoreBackend",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return import_provider(
        __name__, name, {"FileVectorStore": "file", "InMemoryVectorStore": "memory", "PostgresVectorStore": "postgres"}
    )
