"""langgraph's persistence over the stores of a registry: threads, and long-term memory."""

from symphony_registry.integrations.langgraph.checkpointer.saver import RegistrySaver
from symphony_registry.integrations.langgraph.store.memory import RegistryStore

__all__ = ["RegistrySaver", "RegistryStore"]
