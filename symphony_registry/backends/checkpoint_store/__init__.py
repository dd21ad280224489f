"""Checkpoint stores: snapshots of an application's state, in the order saved."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.checkpoint_store.base import Checkpoint, CheckpointInfo, CheckpointStoreBackend
from symphony_registry.backends.lookup import shipped_class
from symphony_registry.backends.storage import BackendType

if TYPE_CHECKING:
    from symphony_registry.providers.embedded.checkpoints.store import FileCheckpointStore, InMemoryCheckpointStore
    from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore as PostgresCheckpointStore

__all__ = [  # without classes that need an extra
    "Checkpoint",
    "CheckpointInfo",
    "CheckpointStoreBackend",
    "FileCheckpointStore",
    "InMemoryCheckpointStore",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return shipped_class(__name__, name, BackendType.CHECKPOINT_STORE)
