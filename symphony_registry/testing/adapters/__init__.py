"""The three backend types as the common sentences see them: JSON objects under ids."""

from collections.abc import Mapping
from typing import Any

from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.testing.adapters.base import Adapter, WholeWrite, sample
from symphony_registry.testing.adapters.checkpoint_store import CheckpointAdapter
from symphony_registry.testing.adapters.knowledge_graph import GraphAdapter
from symphony_registry.testing.adapters.vector_store import DIMENSION, VectorAdapter

__all__ = ["DIMENSION", "Adapter", "WholeWrite", "adapt", "sample"]

_ADAPTERS: Mapping[BackendType, type[Adapter[Any]]] = {
    BackendType.VECTOR_STORE: VectorAdapter,
    BackendType.KNOWLEDGE_GRAPH: GraphAdapter,
    BackendType.CHECKPOINT_STORE: CheckpointAdapter,
}


def adapt(store: StorageBackend) -> Adapter[Any]:
    """Return the adapter of a backend."""
    return _ADAPTERS[store.backend_type](store)
