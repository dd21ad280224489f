"""Langchain's storage over any backend: `pip install 'symphony-registry[langchain]'`."""

from symphony_registry.integrations.langchain.vector_store import RegistryVectorStore

__all__ = ["RegistryVectorStore"]
