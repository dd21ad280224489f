"""langgraph's persistence over the stores of a registry: threads, and long-term memory."""

from symphony_registry.integrations.langgraph.checkpointer import RegistrySaver
from symphony_registry.integrations.langgraph.store import RegistryStore

__all__ = ["RegistrySaver", "RegistryStore"]
