"""The embedded checkpoint stores: `memory`, and `file` with a journal."""

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import orjson
from pybase64 import b64decode, b64encode
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.concurrency import discard
from symphony_registry.backends.cost import ITEM, SMALL
from symphony_registry.backends.filters import ANYTHING, comparisons
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.errors import VersionConflictError
from symphony_registry.providers.embedded.checkpoints.sequence import CheckpointSequence, save_change
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.journal import LARGE, Record
from symphony_registry.providers.embedded.log import ON_DISK, Codec, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Change, Decision, Log, Replica, deletion

_DELETION = 20  # steps of `LONG` for each checkpoint


class CheckpointCodec(Codec):
    """Data, which the state has as JSON text, stand in the journal as JSON; a payload as base64."""

    def __init__(self) -> None:
        super().__init__(
            {
                "save": {"id": str, "data": dict, "metadata": dict, "timestamp": float},
                "delete": {"id": str},
                "delete_many": {"ids": list},
                "version": {"version": int},
                "clear": {},
            }
        )

    @override
    def encode(self, change: Change) -> Iterable[Record]:
        if change["op"] != "save":
            return (change,)
        record = {**change}
        large = [b',"data":', record.pop("data")]
        if "payload" in record:
            large += b',"payload":"', b64encode(record.pop("payload")), b'"'
        record[LARGE] = large
        return (record,)

    @override
    def _changes(self, records: list[Record]) -> Iterable[Change]:
        for record in records:
            if record["op"] == "save":
                record["data"] = orjson.dumps(record["data"])
                if "payload" in record:
                    record["payload"] = b64decode(record["payload"], validate=True)
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
    async def _save(self, checkpoint: SavedCheckpoint, if_version: int | None, cost: float) -> int:
        id, change = checkpoint.id, save_change(checkpoint)

        def decide() -> "Decision[None]":
            self._check_version(id, if_version)
            return [change], None

        # that the text is there already, is why it costs no more than an item
        await self._data.write(decide, ITEM, lambda: [id])
        version: int = change["version"]  # which applying it assigned
        return version

    def _check_version(self, id: str, if_version: int | None) -> None:
        if if_version is not None:
            saved = self._data.state.saved.get(id)
            found = 0 if saved is None else saved.version
            if found != if_version:
                raise VersionConflictError(id, if_version, found)

    @override
    async def _save_many(self, parts: Parts[Sequence[SavedCheckpoint]], *, if_absent: bool) -> int:
        checkpoints = await parts.whole()

        def decide() -> "Decision[int]":
            chosen: Iterable[SavedCheckpoint] = checkpoints
            if if_absent:
                absent: dict[str, SavedCheckpoint] = {}
                for saved in checkpoints:
                    if saved.id not in self._data.state.saved:
                        absent.setdefault(saved.id, saved)  # of equal ids, the first is there for the others
                chosen = absent.values()
            changes = [save_change(saved) for saved in chosen]
            return changes, len(changes)

        cost = len(checkpoints) * ITEM
        number = await self._data.write(decide, cost, lambda: [saved.id for saved in checkpoints])
        discard(checkpoints)
        return number

    @override
    async def _get(self, ids: list[str]) -> list[SavedCheckpoint | None]:
        return await self._data.read(lambda: list(map(self._data.state.saved.get, ids)), len(ids))

    @override
    async def _delete(self, checkpoint_id: str, if_version: int | None) -> bool:
        def decide() -> "Decision[bool]":
            self._check_version(checkpoint_id, if_version)
            if checkpoint_id not in self._data.state.saved:
                return [], False
            return [{"op": "delete_many", "ids": [checkpoint_id]}], True

        return await self._data.write(decide, touches=lambda: [checkpoint_id])

    @override
    async def _delete_many(self, chosen: list[str] | Selection) -> int:
        def decide() -> "Decision[int]":
            state = self._data.state
            if isinstance(chosen, Selection):
                return deletion([saved.id for saved in state.find(chosen, Page(), "id")])
            return deletion([id for id in dict.fromkeys(chosen) if id in state.saved])

        if isinstance(chosen, Selection):
            return await self._data.write(decide, self._cost(chosen) + self._deletions(chosen))
        return await self._data.write(decide, len(chosen) * _DELETION, lambda: chosen)

    def _cost(self, selection: Selection, limit: int | None = None) -> float:
        """Return about what going through a selection costs, of which so many are wanted.

        Infinity while the sequence is being changed, and cannot be asked.
        """
        if self._data.gate.changing:
            return math.inf
        count = self._data.state.count(selection)
        if selection.condition is not ANYTHING:
            return count * SMALL * comparisons(selection.condition)
        return count if limit is None else min(count, limit)

    def _deletions(self, selection: Selection) -> float:
        """Return about what deleting a selection costs, once it is found."""
        return 0 if self._data.gate.changing else self._data.state.count(selection) * _DELETION

    @override
    async def _find(
        self, selection: Selection, page: Page, *, by: Literal["id", "saved"], include_data: bool
    ) -> list[SavedCheckpoint]:
        sorts = by == "saved" and not selection.ids.is_all
        cost = self._cost(selection, None if sorts else page.limit)
        return await self._data.read(lambda: self._data.state.find(selection, page, by), cost)

    @override
    async def _prune(self, keep_last: int, selection: Selection) -> int:
        def decide() -> "Decision[int]":
            found = self._data.state.find(selection, Page(), "saved")
            return deletion([saved.id for saved in found[: max(0, len(found) - keep_last)]])

        return await self._data.write(decide, self._cost(selection) + self._deletions(selection))

    @override
    async def _count(self, selection: Selection) -> int:
        if selection.condition is ANYTHING:
            return await self._data.read(lambda: self._data.state.count(selection))
        return len(await self._find(selection, Page(), by="id", include_data=False))

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))


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
