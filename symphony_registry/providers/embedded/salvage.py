"""Saving what a damaged directory of a file provider still holds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.errors import RegistryError, StorageFormatError
from symphony_registry.providers.embedded.checkpoints.sequence import CheckpointSequence
from symphony_registry.providers.embedded.checkpoints.store import CheckpointCodec
from symphony_registry.providers.embedded.graph.graph import PropertyGraph
from symphony_registry.providers.embedded.graph.store import GraphCodec
from symphony_registry.providers.embedded.journal import Journal, Loss, Record, read_damaged, read_header
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lock import DirectoryLock
from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME
from symphony_registry.providers.embedded.journal.replay import failing
from symphony_registry.providers.embedded.log import Codec
from symphony_registry.providers.embedded.replica import State
from symphony_registry.providers.embedded.vectors.codec import VectorCodec
from symphony_registry.providers.embedded.vectors.index import VectorIndex


class Salvaged(NamedTuple):
    """What `salvage` did: how many items it kept, and which places of the old journal it could not use."""

    kept: int
    lost: list[Loss]


_FORMATS: Mapping[BackendType, tuple[Callable[[], State], Codec]] = {
    BackendType.VECTOR_STORE: (lambda: VectorIndex(HNSWOptions(metric="dot")), VectorCodec()),  # which takes any vector
    BackendType.KNOWLEDGE_GRAPH: (PropertyGraph, GraphCodec()),
    BackendType.CHECKPOINT_STORE: (CheckpointSequence, CheckpointCodec()),
}


def salvage(source: str | Path, target: str | Path, backend_type: BackendType | None = None) -> Salvaged:
    """Copy what can be read of a file provider's damaged directory into a new one.

    The source, which nobody may have open, is not changed but for its `LOCK`.
    Whatever stands behind damage is kept, so that an item may come back as an
    earlier write left it: read `lost` before the new directory takes the place of
    the old. Where the first line is damaged too, `backend_type` has to say what the
    directory held. Blocks.
    """
    source, target = Path(source), Path(target)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise StorageFormatError(f"{target} is not an empty directory. Name a new one.", target)
    with failing("read", source / JOURNAL_NAME), Directory(source) as old, DirectoryLock.acquire(old):
        header = read_header(old)
        kind = BackendType(header["kind"]) if header else backend_type
        if kind is None:
            raise StorageFormatError(
                f"The first line of the journal in {source} is damaged. Say what it held: "
                "salvage(..., backend_type=BackendType.VECTOR_STORE).",
                source,
            )
        empty, codec = _FORMATS[kind]
        state = empty()
        lost: list[Loss] = []
        expected = 1
        for offset, found in read_damaged(old):
            if not isinstance(found, str):
                if isinstance(state, CheckpointSequence):
                    state.version += max(0, found.sequence - expected)  # what was lost may have saved
                expected = found.sequence + 1
            reason = found if isinstance(found, str) else _apply(codec, state, found.record)
            if reason:
                lost.append(Loss(offset, reason))
    journal = Journal(target, kind)
    try:
        journal.rewrite(record for change in state.changes() for record in codec.encode(change))
    finally:
        journal.close()
    return Salvaged(len(state), lost)


def _apply(codec: Codec, state: State, record: Record) -> str:
    """Make the change of a record, or say why it cannot be made."""
    try:
        for change in codec.decode([record]):
            state.apply(change)
    except (KeyError, TypeError, ValueError, RegistryError) as error:
        return f"the change {record.get('op')!r} of {record.get('id')!r} does not fit what is left: {error!r}"
    return ""
