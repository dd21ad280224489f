"""Vectors in memory, in a journal of JSON lines, and in a snapshot of it."""

import logging
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise
from typing import Any, ClassVar

import numpy as np
import orjson

from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store.base import VectorOptions
from symphony_registry.providers.embedded.backend import Change
from symphony_registry.providers.embedded.journal import Journal, Record, Snapshot, read_snapshot, write_snapshot
from symphony_registry.providers.embedded.journal.lines import decode_vector, encode_vector
from symphony_registry.providers.embedded.journaled import FileOptions, JournaledBackend
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.memory import InMemoryVectorStore

# Bytes from which a journal takes longer to read than its snapshot is worth.
_LARGE = 1 << 20
# A snapshot is written again when more than one in so many lines of the journal came after it.
_BEHIND = 8

logger = logging.getLogger(__name__)


class FileVectorOptions(FileOptions, VectorOptions):
    """The options of the file provider."""


class FileVectorStore(JournaledBackend[VectorIndex], InMemoryVectorStore):
    """A vector store that survives restarts; vectors stand in the journal as base64 of float32."""

    _records: ClassVar[Mapping[str, Mapping[str, type]]] = {
        "put": {"id": str, "vector": str, "metadata": dict},
        "delete": {"id": str},
        "dimension": {"dimension": int},
        "clear": {},
    }
    _covered = 0  # lines that the snapshot holds

    class Provider(InMemoryVectorStore.Provider):
        """Makes file vector stores."""

        Options: ClassVar[type[BackendOptions]] = FileVectorOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new store."""
            return FileVectorStore(config)

    def _configure(self) -> None:
        self._options = self._file = read_options(FileVectorOptions, self.config, type(self).__name__)

    def _restored(self, journal: Journal) -> VectorIndex | None:
        self._covered = 0
        snapshot = read_snapshot(journal.snapshot_path, journal.path)
        about = {"metric": self._options.metric}
        if snapshot is None or snapshot.about != about:
            return None
        arrays = dict(snapshot.arrays)
        if self._options.dimension not in (None, arrays["matrix"].shape[1]):
            return None  # reading the journal says what is wrong
        ids = orjson.loads(arrays.pop("ids").data)
        ends, text = arrays.pop("ends").tolist(), arrays.pop("metadata").tobytes()
        metadata = (text[start:end] for start, end in pairwise([0, *ends]))
        index = VectorIndex.restored(self._options.dimension, self._options.metric, ids, metadata, arrays)
        self._replay_all(index, journal, journal.replay(snapshot.end, snapshot.lines))
        self._covered = snapshot.lines
        return index

    def _keep(self, state: VectorIndex, journal: Journal) -> None:
        covered = self._covered if journal.snapshot_path.exists() else 0
        if journal.end < _LARGE or not len(state) or journal.lines - covered <= journal.lines // _BEHIND:
            return
        ids, metadata = state.items()
        texts = [each if isinstance(each, bytes) else orjson.dumps(each) for each in metadata]
        arrays = {
            **state.arrays(),
            "ids": np.frombuffer(orjson.dumps(ids), np.uint8),
            "ends": np.cumsum([len(text) for text in texts]),
            "metadata": np.frombuffer(b"".join(texts), np.uint8),
        }
        about = {"metric": self._options.metric}
        try:
            write_snapshot(journal.snapshot_path, journal.path, Snapshot(journal.end, journal.lines, about, arrays))
        except OSError as error:
            logger.warning("%s could not be written; opening will take longer: %r", journal.snapshot_path, error)

    def _encode(self, change: Change) -> Iterable[Record]:
        if change["op"] != "put":
            return (change,)
        items = zip(change["ids"], change["vectors"], change["metadata"], strict=True)
        return (
            {"op": "put", "id": id, "vector": encode_vector(vector), "metadata": metadata}
            for id, vector, metadata in items
        )

    def _decode(self, records: list[Record]) -> Iterable[Change]:
        """Return the changes; vectors of one length that stand together are put as one block."""
        for (op, _), group in groupby(records, lambda record: (record["op"], len(record.get("vector", "")))):
            if op != "put":
                yield from group
                continue
            puts = list(group)
            yield {
                "op": "put",
                "ids": [record["id"] for record in puts],
                "vectors": np.array([decode_vector(record["vector"]) for record in puts]),
                "metadata": [record["metadata"] for record in puts],
            }
