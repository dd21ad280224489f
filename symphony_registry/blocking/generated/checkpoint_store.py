"""Generated from `CheckpointStoreBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator

from symphony_registry.backends.checkpoint_store.base import (
    Checkpoint,
    CheckpointInfo,
    CheckpointStoreBackend,
    RestoredCheckpoint,
)
from symphony_registry.backends.values import JSONObject
from symphony_registry.blocking.generated.backend import BlockingBackend


class BlockingCheckpointStore(BlockingBackend[CheckpointStoreBackend]):
    """A `CheckpointStoreBackend` without `await`."""

    def save_checkpoint(self, checkpoint_id: str, data: JSONObject, metadata: JSONObject | None = None) -> None:
        """Store a checkpoint and make it the newest; replaces what the id had."""
        self._call(self._target.save_checkpoint, checkpoint_id, data, metadata)

    def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Return the checkpoint, or `None`."""
        return self._call(self._target.get_checkpoint, checkpoint_id)

    def delete_checkpoint(self, checkpoint_id: str) -> bool:
        """Delete the checkpoint and say whether it was there."""
        return self._call(self._target.delete_checkpoint, checkpoint_id)

    def list_checkpoints(
        self, *, metadata_filter: JSONObject | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[CheckpointInfo]:
        """Return the checkpoints without their data, in the order saved."""
        return self._call(
            self._target.list_checkpoints, metadata_filter=metadata_filter, limit=limit, newest_first=newest_first
        )

    def get_latest_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint saved last, or `None`."""
        return self._call(self._target.get_latest_checkpoint)

    def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:
        """Save `(checkpoint_id, data, metadata, timestamp)` items one after the other, all or none."""
        self._call(self._target.restore_checkpoints, self._collected(items))

    def prune(self, keep_last: int) -> int:
        """Delete all but the newest `keep_last` checkpoints; return how many were deleted."""
        return self._call(self._target.prune, keep_last)

    def count(self) -> int:
        """Return how many checkpoints there are."""
        return self._call(self._target.count)

    def clear(self) -> None:
        """Delete everything."""
        self._call(self._target.clear)

    def scan(self) -> Iterator[Checkpoint]:
        """Yield all checkpoints in the order saved, one read at a time."""
        return self._iterate(self._target.scan)
