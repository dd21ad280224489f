"""Vector stores: embeddings with metadata, searched by similarity."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.lookup import shipped_class
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import SearchResult, VectorItem, VectorStoreBackend

if TYPE_CHECKING:
    from symphony_registry.providers.embedded.vectors.store import FileVectorStore, InMemoryVectorStore
    from symphony_registry.providers.postgres.vector_store import PostgresVectorStore as PostgresVectorStore

__all__ = [  # without classes that need an extra
    "FileVectorStore",
    "InMemoryVectorStore",
    "SearchResult",
    "VectorItem",
    "VectorStoreBackend",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return shipped_class(__name__, name, BackendType.VECTOR_STORE)
