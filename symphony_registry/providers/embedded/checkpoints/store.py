"""The embedded checkpoint stores: `memory`, and `file` with a journal."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import ClassVar

import orjson
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.cost import ITEM, SMALL
from symphony_registry.backends.filters import ANYTHING, Condition
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.providers.embedded.checkpoints.sequence import CheckpointSequence, save_change
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.journal import Record
from symphony_registry.providers.embedded.log import ON_DISK, Codec, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Change, Decision, Log, Replica


class CheckpointCodec(Codec):
    """Data, which the state has as JSON text, stand in the journal as JSON."""

    def __init__(self) -> None:
        super().__init__(
            {
                "save": {"id": str, "data": dict, "metadata": dict, "timestamp": float},
                "delete": {"id": str},
                "clear": {},
            }
        )

    @override
    def encode(self, change: Change) -> Iterable[Record]:
        return ({**change, "data": orjson.Fragment(change["data"])} if change["op"] == "save" else change,)

    @override
    def _changes(self, records: list[Record]) -> Iterable[Change]:
        for record in records:
            if record["op"] == "save":
                record["data"] = orjson.dumps(record["data"])
        return records


class EmbeddedCheckpointStore(CheckpointStoreEngine):
    """A checkpoint store over JSON texts in this process."""

    def _configure(self) -> None:
        super()._configure()
        self._data = self._hold(Replica(self, CheckpointSequence, self._log()))

    def _log(self) -> Log[CheckpointSequence] | None:
        """Return where changes are kept."""
        return None

    @override
    async def _save(self, parts: Parts[Sequence[SavedCheckpoint]]) -> None:
        checkpoints = await parts.whole()
        cost = len(checkpoints) * ITEM  # the text is there already
        await self._data.write(
            lambda: ([save_change(saved) for saved in checkpoints], None),
            cost,
            lambda: [saved.id for saved in checkpoints],
        )

    @override
    async def _get(self, checkpoint_id: str) -> SavedCheckpoint | None:
        return await self._data.read(lambda: self._data.state.saved.get(checkpoint_id))

    @override
    async def _latest(self) -> SavedCheckpoint | None:
        return await self._data.read(lambda: next(reversed(self._data.state.saved.values()), None))

    @override
    async def _delete(self, checkpoint_id: str) -> bool:
        def decide() -> "Decision[bool]":
            if checkpoint_id not in self._data.state.saved:
                return [], False
            return [{"op": "delete", "id": checkpoint_id}], True

        return await self._data.write(decide, touches=lambda: [checkpoint_id])

    @override
    async def _list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        count = len(self._data.state)
        read = count if limit is None or condition is not ANYTHING else min(limit, count)
        return await self._data.read(
            lambda: self._data.state.list(condition, limit, newest_first=newest_first), read * SMALL
        )

    @override
    async def _prune(self, keep_last: int) -> int:
        def decide() -> "Decision[int]":
            ids = list(self._data.state.saved)
            old = ids[: max(0, len(ids) - keep_last)]
            return [{"op": "delete", "id": id} for id in old], len(old)

        return await self._data.write(decide, len(self._data.state) * SMALL)

    @override
    async def _count(self) -> int:
        return await self._data.read(lambda: len(self._data.state))

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))

    @override
    async def _all(self) -> AsyncGenerator[SavedCheckpoint, None]:
        for id in await self._data.read(lambda: list(self._data.state.saved)):
            saved = await self._get(id)
            if saved is not None:
                yield saved


class InMemoryCheckpointStore(EmbeddedCheckpointStore):
    """A checkpoint store in memory; `disconnect` forgets everything."""

    guarantees = IN_MEMORY


class FileCheckpointStore(DirectoryBackend, EmbeddedCheckpointStore):
    """A checkpoint store that survives restarts: each change is in a journal before it is seen."""

    Options: ClassVar[type[BackendOptions]] = FileOptions
    guarantees = ON_DISK
    _options: FileOptions

    @override
    def _log(self) -> Log[CheckpointSequence]:
        self.guarantees = promises(self._options)
        return file_log(self.backend_type, self._options, CheckpointSequence, CheckpointCodec())
