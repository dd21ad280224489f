"""Langchain's storage over any backend: `pip install 'symphony-registry[langchain]'`."""

from symphony_registry.integrations.langchain.byte_store import RegistryByteStore
from symphony_registry.integrations.langchain.cache import RegistryCache
from symphony_registry.integrations.langchain.vector_store import RegistryVectorStore

__all__ = ["RegistryByteStore", "RegistryCache", "RegistryVectorStore"]
