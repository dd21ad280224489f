"""Storage backends: the contract, and the providers that keep it."""

from symphony_registry.backends.base import BackendProvider, BackendType, StorageBackend, StorageBackendFactory

__all__ = ["BackendProvider", "BackendType", "StorageBackend", "StorageBackendFactory"]
