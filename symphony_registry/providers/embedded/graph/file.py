"""A knowledge graph in memory and in a journal of JSON lines."""

from collections.abc import Mapping
from typing import Any, ClassVar

from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.providers.embedded.graph.graph import PropertyGraph
from symphony_registry.providers.embedded.graph.memory import InMemoryKnowledgeGraph
from symphony_registry.providers.embedded.journaled import FileOptions, JournaledBackend


class FileKnowledgeGraph(JournaledBackend[PropertyGraph], InMemoryKnowledgeGraph):
    """A knowledge graph that survives restarts."""

    _records: ClassVar[Mapping[str, Mapping[str, type]]] = {
        "put_entity": {"id": str, "type": str, "properties": dict},
        "put_relation": {"from": str, "to": str, "type": str, "properties": dict},
        "delete_entity": {"id": str},
        "delete_relation": {"from": str, "to": str, "type": str},
        "clear": {},
    }

    class Provider(InMemoryKnowledgeGraph.Provider):
        """Makes file knowledge graphs."""

        Options: ClassVar[type[BackendOptions]] = FileOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new graph."""
            return FileKnowledgeGraph(config)

    def _configure(self) -> None:
        self._file = read_options(FileOptions, self.config, type(self).__name__)
