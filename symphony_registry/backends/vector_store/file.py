"""Vectors in memory and in a journal of JSON lines."""

from collections.abc import Mapping
from typing import Any, ClassVar

from symphony_registry.backends.embedded import Change
from symphony_registry.backends.journaled import FileOptions, JournaledBackend
from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store.base import VectorOptions
from symphony_registry.backends.vector_store.index import VectorIndex
from symphony_registry.backends.vector_store.memory import InMemoryVectorStore
from symphony_registry.journal import Record
from symphony_registry.journal.lines import decode_vector


class FileVectorOptions(FileOptions, VectorOptions):
    """The options of the file provider."""


class FileVectorStore(JournaledBackend[VectorIndex], InMemoryVectorStore):
    """A vector store that survives restarts; vectors stand in the journal as base64 of float32."""

    class Provider(InMemoryVectorStore.Provider):
        """Makes file vector stores."""

        Options: ClassVar[type[BackendOptions]] = FileVectorOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new store."""
            return FileVectorStore(config)

    def _configure(self) -> None:
        self._options = options = read_options(FileVectorOptions, self.config, type(self).__name__)
        self._path = options.path

    def _decode(self, record: Record) -> Change:
        if record["op"] == "put":
            record["vector"] = decode_vector(record["vector"])
        return record
