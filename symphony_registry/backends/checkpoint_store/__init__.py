"""Checkpoint stores: snapshots of an application's state, in the order saved."""

from symphony_registry.backends.checkpoint_store.base import Checkpoint, CheckpointInfo, CheckpointStoreBackend
from symphony_registry.backends.checkpoint_store.file import FileCheckpointStore
from symphony_registry.backends.checkpoint_store.memory import InMemoryCheckpointStore

__all__ = ["Checkpoint", "CheckpointInfo", "CheckpointStoreBackend", "FileCheckpointStore", "InMemoryCheckpointStore"]
