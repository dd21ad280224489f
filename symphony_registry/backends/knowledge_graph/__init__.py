"""Knowledge graphs: entities and the relations between them."""

from symphony_registry.backends.knowledge_graph.base import Entity, KnowledgeGraphBackend, Relation
from symphony_registry.backends.knowledge_graph.file import FileKnowledgeGraph
from symphony_registry.backends.knowledge_graph.memory import InMemoryKnowledgeGraph

__all__ = ["Entity", "FileKnowledgeGraph", "InMemoryKnowledgeGraph", "KnowledgeGraphBackend", "Relation"]
