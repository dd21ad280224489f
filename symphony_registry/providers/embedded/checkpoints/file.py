"""Checkpoints in memory and in a journal of JSON lines."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import orjson

from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.providers.embedded.backend import Change
from symphony_registry.providers.embedded.checkpoints.log import CheckpointLog
from symphony_registry.providers.embedded.checkpoints.memory import InMemoryCheckpointStore
from symphony_registry.providers.embedded.journal import Record
from symphony_registry.providers.embedded.journaled import FileOptions, JournaledBackend


class FileCheckpointStore(JournaledBackend[CheckpointLog], InMemoryCheckpointStore):
    """A checkpoint store that survives restarts."""

    _records: ClassVar[Mapping[str, Mapping[str, type]]] = {
        "save": {"id": str, "data": dict, "metadata": dict, "timestamp": float},
        "delete": {"id": str},
        "clear": {},
    }

    class Provider(InMemoryCheckpointStore.Provider):
        """Makes file checkpoint stores."""

        Options: ClassVar[type[BackendOptions]] = FileOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new store."""
            return FileCheckpointStore(config)

    def _configure(self) -> None:
        self._file = read_options(FileOptions, self.config, type(self).__name__)

    def _encode(self, change: Change) -> Iterable[Record]:
        return ({**change, "data": orjson.Fragment(change["data"])} if change["op"] == "save" else change,)

    def _decode(self, records: list[Record]) -> Iterable[Change]:
        for record in records:
            if record["op"] == "save":
                record["data"] = orjson.dumps(record["data"])
        return records
