"""Checkpoint stores: snapshots of an application's state, in the order saved."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.checkpoint_store.base import Checkpoint, CheckpointInfo, CheckpointStoreBackend
from symphony_registry.backends.providers import import_provider

if TYPE_CHECKING:
    from symphony_registry.backends.checkpoint_store.file import FileCheckpointStore
    from symphony_registry.backends.checkpoint_store.memory import InMemoryCheckpointStore
    from symphony_registry.backends.checkpoint_store.postgres import PostgresCheckpointStore

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "CheckpointStoreBackend",
    "FileCheckpointStore",
    "InMemoryCheckpointStore",
    "PostgresCheckpointStore",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return import_provider(
        __name__,
        name,
        {"FileCheckpointStore": "file", "InMemoryCheckpointStore": "memory", "PostgresCheckpointStore": "postgres"},
    )
