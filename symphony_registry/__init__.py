"""Storage for agent applications, chosen by configuration.

```python
registry = ServiceRegistry.get_instance()
store = await registry.register_backend(BackendType.VECTOR_STORE, "memory")
await store.add("doc1", [0.1, 0.2, 0.3], {"title": "Document 1"})
results = await store.search([0.1, 0.2, 0.3], limit=10)
```
"""

from symphony_registry.backends.base import BackendProvider, BackendType, StorageBackend, StorageBackendFactory
from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.lookup import PROVIDERS
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import RegistryError
from symphony_registry.providers import PRODUCTS
from symphony_registry.registry import ServiceRegistry

__all__ = [
    "BackendProvider",
    "BackendType",
    "CheckpointStoreBackend",
    "KnowledgeGraphBackend",
    "RegistryError",
    "ServiceRegistry",
    "StorageBackend",
    "StorageBackendFactory",
    "VectorStoreBackend",
]

PROVIDERS.ship(PRODUCTS)  # here, since the contract knows no product
