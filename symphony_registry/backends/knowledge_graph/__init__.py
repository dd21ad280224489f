"""Knowledge graphs: entities and the relations between them."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.knowledge_graph.base import Entity, KnowledgeGraphBackend, Relation, Subgraph
from symphony_registry.backends.lookup import shipped_class
from symphony_registry.backends.storage import BackendType

if TYPE_CHECKING:
    from symphony_registry.providers.embedded.graph.store import FileKnowledgeGraph, InMemoryKnowledgeGraph
    from symphony_registry.providers.postgres.knowledge_graph import PostgresKnowledgeGraph as PostgresKnowledgeGraph

__all__ = [  # without classes that need an extra
    "Entity",
    "FileKnowledgeGraph",
    "InMemoryKnowledgeGraph",
    "KnowledgeGraphBackend",
    "Relation",
    "Subgraph",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return shipped_class(__name__, name, BackendType.KNOWLEDGE_GRAPH)
