"""Knowledge graphs: entities and the relations between them."""

from typing import TYPE_CHECKING, Any

from symphony_registry.backends.knowledge_graph.base import Entity, KnowledgeGraphBackend, Relation
from symphony_registry.backends.providers import import_provider

if TYPE_CHECKING:
    from symphony_registry.backends.knowledge_graph.file import FileKnowledgeGraph
    from symphony_registry.backends.knowledge_graph.memory import InMemoryKnowledgeGraph
    from symphony_registry.backends.knowledge_graph.postgres import PostgresKnowledgeGraph

__all__ = [
    "Entity",
    "FileKnowledgeGraph",
    "InMemoryKnowledgeGraph",
    "KnowledgeGraphBackend",
    "PostgresKnowledgeGraph",
    "Relation",
]


def __getattr__(name: str) -> Any:
    """Import a provider when it is asked for."""
    return import_provider(
        __name__,
        name,
        {"FileKnowledgeGraph": "file", "InMemoryKnowledgeGraph": "memory", "PostgresKnowledgeGraph": "postgres"},
    )
