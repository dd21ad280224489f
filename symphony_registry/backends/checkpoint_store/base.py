"""The contract of a checkpoint store."""

import math
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import itemgetter
from typing import ClassVar, NotRequired, TypeAlias, TypedDict, cast

from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.selection import Range, Selection, check_deletion, check_page, check_selection
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject, check_id, check_limit, collected
from symphony_registry.errors import InvalidTypeError, InvalidValueError, UnsupportedOperationError

SavedItem: TypeAlias = (
    "tuple[str, JSONObject, JSONObject | None] | tuple[str, JSONObject, JSONObject | None, bytes | None]"
)
RestoredCheckpoint: TypeAlias = (
    "tuple[str, JSONObject, JSONObject | None, float] | tuple[str, JSONObject, JSONObject | None, float, bytes | None]"
)
_MOST = 2**63 - 1  # versions, which drivers take as 64 bits
SAVED_PARTS = ("checkpoint_id", "data", "metadata", "payload")
RESTORED_PARTS = ("checkpoint_id", "data", "metadata", "timestamp", "payload")


class CheckpointInfo(TypedDict):
    """A checkpoint without its data.

    The metadata hold `timestamp` (seconds since the epoch) and `checkpoint_id` too.
    `version` grows with every save of the id, also after it was deleted.
    """

    checkpoint_id: str
    metadata: JSONObject
    version: int


class Checkpoint(CheckpointInfo):
    """A saved state; `payload` where it was saved with one."""

    data: JSONObject
    payload: NotRequired[bytes]


class FoundCheckpoint(CheckpointInfo):
    """What `find_checkpoints` gives: `data`, and the `payload` if there is one, with `include_data`."""

    data: NotRequired[JSONObject]
    payload: NotRequired[bytes]


class CheckpointStoreBackend(StorageBackend):
    """Keeps snapshots of an application's state, in the order saved.

    The order is a sequence that the store counts, never the clock. A provider
    has to write the abstract operations; the rest stands on them, except for
    `save_checkpoints` and `restore_checkpoints`: by the others, several cannot be
    saved whole or not at all, and the time is always now.
    """

    backend_type: ClassVar[BackendType] = BackendType.CHECKPOINT_STORE
    _operations = OPERATIONS[backend_type]

    @abstractmethod
    async def save_checkpoint(
        self,
        checkpoint_id: str,
        data: JSONObject,
        metadata: JSONObject | None = None,
        *,
        payload: bytes | None = None,
        if_version: int | None = None,
    ) -> int:
        """Store a checkpoint and make it the newest; replaces what the id had. Return its version.

        `payload` is kept beside the data as it is. With `if_version`, raises
        `VersionConflictError` unless that is the version stored (0: nothing is).
        """

    @abstractmethod
    async def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Return the checkpoint, or `None`."""

    @abstractmethod
    async def delete_checkpoint(self, checkpoint_id: str, *, if_version: int | None = None) -> bool:
        """Delete the checkpoint and say whether it was there; `if_version` as in `save_checkpoint`."""

    @abstractmethod
    async def list_checkpoints(
        self,
        *,
        prefix: str = "",
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[CheckpointInfo]:
        """Return the checkpoints whose ids begin with `prefix`, without their data, in the order saved.

        The filter sees the metadata as they are returned.
        """

    async def save_checkpoints(self, items: Iterable[SavedItem], *, if_absent: bool = False) -> int:  # noqa: ARG002
        """Save `(checkpoint_id, data, metadata)` or `(..., payload)` items one after the other, whole or not at all.

        With `if_absent`, what is there stays, and the others are saved. Return how
        many were saved. For `if_version`, save one alone.
        """
        self.ensure_open()
        raise UnsupportedOperationError(
            f"{self} cannot save several checkpoints at once: its class does not define save_checkpoints."
        )

    async def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:  # noqa: ARG002
        """Save `(checkpoint_id, data, metadata, timestamp)` or `(..., payload)` items in turn, all or none.

        Each keeps its own timestamp, a finite float, which says nothing about the
        order. The metadata come without what the store adds.
        """
        self.ensure_open()
        raise UnsupportedOperationError(
            f"{self} cannot restore checkpoints: its class does not define restore_checkpoints."
        )

    async def get_checkpoints(self, ids: Iterable[str]) -> list[Checkpoint | None]:
        """Return what is saved under each id, `None` where nothing is, in the order asked."""
        checked = [check_id(id, "checkpoint_id") for id in collected(ids)]
        return [await self.get_checkpoint(id) for id in checked]

    async def find_checkpoints(
        self,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        reverse: bool = False,
        include_data: bool = False,
    ) -> list[FoundCheckpoint]:
        """Return the selected checkpoints, by id or, with `reverse`, from the last id back.

        Selected is what begins with `prefix`, lies between `after` and `before`
        (exclusive) and matches the filter.
        """
        selection = check_selection(prefix, after, before, metadata_filter)
        page = check_page(limit, reverse)
        infos = await self._infos(selection.ids, metadata_filter)
        infos.sort(key=itemgetter("checkpoint_id"), reverse=reverse)
        chosen: Sequence[CheckpointInfo] = infos[: page.limit]
        if include_data:
            read = await self.get_checkpoints(info["checkpoint_id"] for info in chosen)
            chosen = [checkpoint for checkpoint in read if checkpoint is not None]
        return cast("list[FoundCheckpoint]", chosen)

    async def get_latest_checkpoint(
        self, *, prefix: str = "", metadata_filter: JSONObject | None = None
    ) -> Checkpoint | None:
        """Return the checkpoint saved last of those that are selected, or `None`."""
        while found := await self.list_checkpoints(
            prefix=prefix, metadata_filter=metadata_filter, limit=1, newest_first=True
        ):
            if checkpoint := await self.get_checkpoint(found[0]["checkpoint_id"]):  # else it was deleted meanwhile
                return checkpoint
        return None

    async def delete_checkpoints(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected, whole or not at all; return how many were there.

        Raises `InvalidValueError` without either: that is what `clear` is for.
        """
        selected = check_deletion(ids, prefix, after, before, metadata_filter)

        async def delete() -> int:
            if isinstance(selected, Selection):
                infos = await self._infos(selected.ids, metadata_filter)
                return sum([await self.delete_checkpoint(info["checkpoint_id"]) for info in infos])
            return sum([await self.delete_checkpoint(id) for id in selected])

        self.ensure_open()
        return await delaying_cancellation(delete())

    async def prune(self, keep_last: int, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> int:
        """Delete all but the newest `keep_last` of the selected checkpoints; return how many were deleted."""
        check_limit(keep_last, "keep_last", least=0)

        async def delete_old() -> int:
            listed = await self.list_checkpoints(prefix=prefix, metadata_filter=metadata_filter, newest_first=True)
            deleted = [await self.delete_checkpoint(info["checkpoint_id"]) for info in listed[keep_last:][::-1]]
            return sum(deleted)

        self.ensure_open()
        return await delaying_cancellation(delete_old())

    async def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many checkpoints are selected, or how many there are."""
        selection = check_selection(prefix, after, before, metadata_filter)
        return len(await self._infos(selection.ids, metadata_filter))

    async def clear(self) -> None:
        """Delete everything."""
        await self.prune(0)

    async def scan(self, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> AsyncIterator[Checkpoint]:
        """Yield the selected checkpoints in the order saved, one read at a time.

        What is written meanwhile may be seen or not.
        """
        for info in await self.list_checkpoints(prefix=prefix, metadata_filter=metadata_filter):
            checkpoint = await self.get_checkpoint(info["checkpoint_id"])
            if checkpoint is not None:
                yield checkpoint

    async def _infos(self, ids: Range, metadata_filter: JSONObject | None) -> list[CheckpointInfo]:
        infos = await self.list_checkpoints(prefix=ids.prefix, metadata_filter=metadata_filter)
        return [info for info in infos if ids.holds(info["checkpoint_id"])]


def described(metadata: JSONObject, timestamp: float, checkpoint_id: str) -> JSONObject:
    """Return metadata with what the store adds."""
    return {**metadata, "timestamp": timestamp, "checkpoint_id": checkpoint_id}


def check_timestamp(value: object) -> float:
    """Return `value` if it is a finite float, else raise."""
    if type(value) is not float:
        raise InvalidTypeError(f"The timestamp must be a float, not {type(value).__name__}.")
    if not math.isfinite(value):
        raise InvalidValueError(f"The timestamp must be finite, not {value}.")
    return value


def check_payload(value: object) -> bytes | None:
    """Return `value` if it is `bytes` or `None`, else raise."""
    if value is None or type(value) is bytes:
        return value
    raise InvalidTypeError(f"The payload must be bytes, not {type(value).__name__}. Use bytes(...).")


def check_version(value: object) -> int | None:
    """Return `value` if it can be the version that is expected, or `None`, else raise."""
    if value is None:
        return None
    if type(value) is not int:
        raise InvalidTypeError(f"if_version must be an int of at least 0, not {type(value).__name__}.")
    if value < 0:
        raise InvalidValueError(f"if_version must be at least 0, not {value}.")
    return min(value, _MOST)
