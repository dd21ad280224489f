"""The public names that every backend builds on."""

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.storage import BackendProvider, BackendType, StorageBackend

__all__ = ["BackendProvider", "BackendType", "StorageBackend", "StorageBackendFactory"]
