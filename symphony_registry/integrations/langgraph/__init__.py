"""langgraph's persistence over the stores of a registry."""

from symphony_registry.integrations.langgraph.checkpointer import RegistrySaver

__all__ = ["RegistrySaver"]
