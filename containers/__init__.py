"""Declarative containers: the composition of a registry from its settings."""

from symphony_registry.containers.builder import build_container, layered_settings
from symphony_registry.containers.registry import RegistryContainer

__all__ = ["RegistryContainer", "build_container", "layered_settings"]
