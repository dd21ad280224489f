"""langgraph's long-term memory over any backend."""

from symphony_registry.integrations.langgraph.store import RegistryStore

__all__ = ["RegistryStore"]
