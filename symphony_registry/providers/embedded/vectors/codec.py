"""Vectors in a journal, as base64 of float32, and in a snapshot beside it, as arrays."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import BinaryIO

import numpy as np
from typing_extensions import override

from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.errors import StorageError
from symphony_registry.providers.embedded.journal import (
    Directory,
    Journal,
    Record,
    Snapshot,
    read_snapshot,
    write_snapshot,
)
from symphony_registry.providers.embedded.journal.lines import decode_vector, encode_vector
from symphony_registry.providers.embedded.journal.names import SNAPSHOT_NAME
from symphony_registry.providers.embedded.log import Codec
from symphony_registry.providers.embedded.replica import Change
from symphony_registry.providers.embedded.vectors.index import VectorIndex

# Bytes from which a journal takes longer to read than its snapshot is worth.
_LARGE = 1 << 20
# A snapshot is written again when more than one in so many lines of the journal came after it.
_BEHIND = 8

logger = logging.getLogger(__name__)


class VectorCodec(Codec):
    """A record for each vector."""

    def __init__(self) -> None:
        super().__init__(
            {
                "put": {"id": str, "vector": str, "metadata": dict},
                "update": {"id": str, "metadata": dict},
                "delete": {"id": str},
                "delete_many": {"ids": list},
                "dimension": {"dimension": int},
                "clear": {},
            }
        )

    @override
    def encode(self, change: Change) -> Iterable[Record]:
        if change["op"] != "put":
            return (change,)
        items = zip(change["ids"], change["vectors"], change["metadata"], strict=True)
        return (
            {"op": "put", "id": id, "vector": encode_vector(vector), "metadata": metadata}
            for id, vector, metadata in items
        )

    @override
    def _changes(self, records: list[Record]) -> Iterable[Change]:
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


def merged(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield changes that do the same: puts that stand together as one, which takes a fraction of the time."""
    for op, alike in groupby(changes, itemgetter("op")):
        group = list(alike)
        if op != "put" or len(group) == 1:
            yield from group
            continue
        yield {
            "op": "put",
            "ids": list(chain.from_iterable(put["ids"] for put in group)),
            "vectors": np.concatenate([put["vectors"] for put in group]),
            "metadata": list(chain.from_iterable(put["metadata"] for put in group)),
        }


class VectorSnapshot:
    """The index as arrays that are mapped instead of read."""

    def __init__(self, options: HNSWOptions) -> None:
        self._options = options
        self._covered = 0  # lines that the snapshot holds
        self._file: os.stat_result | None = None  # that is mapped

    def read(self, directory: Directory, journal: BinaryIO) -> tuple[VectorIndex, int, int] | None:
        """Return the index, and the bytes and lines of the journal that it covers."""
        self._covered = 0
        self._file = directory.stat(SNAPSHOT_NAME)
        snapshot = read_snapshot(directory, journal)
        if snapshot is None or snapshot.about != self._about():
            return None
        if self._options.dimension not in (None, snapshot.arrays["matrix"].shape[1]):
            return None  # reading the journal says what is wrong
        index = VectorIndex.restored(self._options, snapshot.arrays)
        self._covered = snapshot.lines
        return index, snapshot.end, snapshot.lines

    def look(self, journal: Journal) -> None:
        """Raise `StorageError` where somebody wrote into the file that is mapped: the index is wrong then."""
        old, new = self._file, journal.directory.stat(SNAPSHOT_NAME)
        if old is None or new is None or old.st_ino != new.st_ino:
            return
        if (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns):
            path = journal.directory.path / SNAPSHOT_NAME
            raise StorageError(
                f"{path} was changed while this store used it, so that it may answer wrongly. "
                "Close the store and open it again: everything is in the journal.",
                path,
            )

    def write(self, state: VectorIndex, journal: Journal) -> None:
        """Write the index where the journal is large and has grown since."""
        covered = self._covered if journal.directory.stat(SNAPSHOT_NAME) else 0
        behind = journal.lines - covered > journal.lines // _BEHIND or state.unsaved > len(state) // _BEHIND
        if journal.end < _LARGE or not len(state) or not behind:
            return
        snapshot = Snapshot(journal.end, journal.lines, self._about(), state.arrays())
        try:
            with journal.reading() as file:
                write_snapshot(journal.directory, file, snapshot)
        except OSError as error:
            logger.warning("%s has no new snapshot; opening will take longer: %r", journal.path, error)

    def _about(self) -> Record:
        return {"metric": self._options.metric}
