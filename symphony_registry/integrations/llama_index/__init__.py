"""Llama-index's storage over any backend: `pip install 'symphony-registry[llama-index]'`."""

from symphony_registry.integrations.llama_index.property_graph_store import RegistryPropertyGraphStore
from symphony_registry.integrations.llama_index.vector_store import RegistryVectorStore

__all__ = ["RegistryPropertyGraphStore", "RegistryVectorStore"]
