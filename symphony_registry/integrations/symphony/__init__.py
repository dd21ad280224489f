"""The registry of the Symphony framework over this package.

Where the framework is not installed, its path `symphony.core.registry` leads to
this package. Where it is, it has a registry of its own, until `install` puts this
one in its place.
"""

from symphony_registry.backends.base import BackendProvider, BackendType, StorageBackend, StorageBackendFactory
from symphony_registry.integrations.symphony.base import ServiceRegistry
from symphony_registry.integrations.symphony.installation import install

__all__ = ["BackendProvider", "BackendType", "ServiceRegistry", "StorageBackend", "StorageBackendFactory", "install"]
