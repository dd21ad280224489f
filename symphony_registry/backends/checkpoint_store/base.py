"""The contract of a checkpoint store."""

import math
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable
from typing import ClassVar, TypeAlias, TypedDict

from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject, check_limit
from symphony_registry.errors import InvalidTypeError, InvalidValueError, UnsupportedOperationError

RestoredCheckpoint: TypeAlias = "tuple[str, JSONObject, JSONObject | None, float]"
RESTORED_PARTS = ("checkpoint_id", "data", "metadata", "timestamp")


class Checkpoint(TypedDict):
    """A saved state; the metadata hold `timestamp` (seconds since the epoch) and `checkpoint_id` too."""

    checkpoint_id: str
    data: JSONObject
    metadata: JSONObject


class CheckpointInfo(TypedDict):
    """A checkpoint without its data."""

    checkpoint_id: str
    metadata: JSONObject


class CheckpointStoreBackend(StorageBackend):
    """Keeps snapshots of an application's state, in the order saved.

    The order is a sequence that the store counts, never the clock. A provider
    has to write the abstract operations; the rest stands on them, except for
    `restore_checkpoints`: by the others, the time is always now.
    """

    backend_type: ClassVar[BackendType] = BackendType.CHECKPOINT_STORE
    _operations = OPERATIONS[backend_type]

    @abstractmethod
    async def save_checkpoint(self, checkpoint_id: str, data: JSONObject, metadata: JSONObject | None = None) -> None:
        """Store a checkpoint and make it the newest; replaces what the id had."""

    @abstractmethod
    async def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Return the checkpoint, or `None`."""

    @abstractmethod
    async def delete_checkpoint(self, checkpoint_id: str) -> bool:
        """Delete the checkpoint and say whether it was there."""

    @abstractmethod
    async def list_checkpoints(
        self, *, metadata_filter: JSONObject | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[CheckpointInfo]:
        """Return the checkpoints without their data, in the order saved.

        The filter sees the metadata as they are returned.
        """

    @abstractmethod
    async def get_latest_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint saved last, or `None`."""

    async def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:  # noqa: ARG002
        """Save `(checkpoint_id, data, metadata, timestamp)` items one after the other, all or none.

        Each keeps its own timestamp, a finite float, which says nothing about the
        order. The metadata come without what the store adds.
        """
        self.ensure_open()
        raise UnsupportedOperationError(
            f"{self} cannot restore checkpoints: its class does not define restore_checkpoints."
        )

    async def prune(self, keep_last: int) -> int:
        """Delete all but the newest `keep_last` checkpoints; return how many were deleted."""
        check_limit(keep_last, "keep_last", least=0)

        async def delete_old() -> int:
            listed = await self.list_checkpoints(newest_first=True)
            deleted = [await self.delete_checkpoint(info["checkpoint_id"]) for info in listed[keep_last:][::-1]]
            return sum(deleted)

        self.ensure_open()
        return await delaying_cancellation(delete_old())

    async def count(self) -> int:
        """Return how many checkpoints there are."""
        return len(await self.list_checkpoints())

    async def clear(self) -> None:
        """Delete everything."""
        await self.prune(0)

    async def scan(self) -> AsyncIterator[Checkpoint]:
        """Yield all checkpoints in the order saved, one read at a time.

        What is written meanwhile may be seen or not.
        """
        for info in await self.list_checkpoints():
            checkpoint = await self.get_checkpoint(info["checkpoint_id"])
            if checkpoint is not None:
                yield checkpoint


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
