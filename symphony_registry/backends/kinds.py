"""The abstract class of each backend type."""

from collections.abc import Mapping
from typing import TypeVar

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import ProviderTypeError

BackendT = TypeVar("BackendT", bound=StorageBackend)

KINDS: Mapping[BackendType, type[StorageBackend]] = {
    kind.backend_type: kind for kind in (VectorStoreBackend, KnowledgeGraphBackend, CheckpointStoreBackend)
}


def ensure_backend(kind: type[BackendT], found: object, origin: str) -> BackendT:
    """Return `found` if it is a backend of that kind, else raise `ProviderTypeError`."""
    if isinstance(found, kind):
        return found
    raise ProviderTypeError(
        f"The {origin} a {type(found).__module__}.{type(found).__qualname__}, which is not a {kind.__name__}."
    )
