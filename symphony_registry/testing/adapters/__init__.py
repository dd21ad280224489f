"""The three backend types as the common sentences see them: JSON objects under ids."""

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.adapters.base import Adapter, WholeWrite, sample
from symphony_registry.testing.adapters.checkpoint_store import CheckpointAdapter
from symphony_registry.testing.adapters.knowledge_graph import GraphAdapter
from symphony_registry.testing.adapters.vector_store import VectorAdapter

__all__ = ["Adapter", "WholeWrite", "adapt", "sample"]


def adapt(store: StorageBackend) -> Adapter:
    """Return the adapter of a backend."""
    if isinstance(store, VectorStoreBackend):
        return VectorAdapter(store)
    if isinstance(store, KnowledgeGraphBackend):
        return GraphAdapter(store)
    assert isinstance(store, CheckpointStoreBackend)
    return CheckpointAdapter(store)
