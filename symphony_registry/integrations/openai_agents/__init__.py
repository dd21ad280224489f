"""Sessions of the OpenAI Agents SDK over any checkpoint store."""

from symphony_registry.integrations.openai_agents.session import RegistrySession

__all__ = ["RegistrySession"]
