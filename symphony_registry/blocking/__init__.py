"""The stores and the registry without `await`: `ServiceRegistry.in_thread()` gives them.

What is in `generated` follows from the async classes: `python symphony_registry/blocking/generate.py`.
"""

from symphony_registry.blocking.generated.backend import BlockingBackend
from symphony_registry.blocking.generated.checkpoint_store import BlockingCheckpointStore
from symphony_registry.blocking.generated.knowledge_graph import BlockingKnowledgeGraph
from symphony_registry.blocking.generated.vector_store import BlockingVectorStore
from symphony_registry.blocking.registry import BlockingRegistry

__all__ = [
    "BlockingBackend",
    "BlockingCheckpointStore",
    "BlockingKnowledgeGraph",
    "BlockingRegistry",
    "BlockingVectorStore",
]
