"""Generated from `CheckpointStoreBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Iterable, Iterator

from symphony_registry.backends.checkpoint_store.base import (
    Checkpoint,
    CheckpointInfo,
    CheckpointStoreBackend,
    FoundCheckpoint,
    RestoredCheckpoint,
    SavedItem,
)
from symphony_registry.backends.values import JSONObject
from symphony_registry.blocking.generated.backend import BlockingBackend


class BlockingCheckpointStore(BlockingBackend[CheckpointStoreBackend]):
    """A `CheckpointStoreBackend` without `await`."""

    def save_checkpoint(
        self,
        checkpoint_id: str,
        data: JSONObject,
        metadata: JSONObject | None = None,
        *,
        payload: bytes | None = None,
        if_version: int | None = None,
    ) -> int:
        """Store a checkpoint and make it the newest; replaces what the id had. Return its version."""
        return self._call(
            self._target.save_checkpoint, checkpoint_id, data, metadata, payload=payload, if_version=if_version
        )

    def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Return the checkpoint, or `None`."""
        return self._call(self._target.get_checkpoint, checkpoint_id)

    def delete_checkpoint(self, checkpoint_id: str, *, if_version: int | None = None) -> bool:
        """Delete the checkpoint and say whether it was there; `if_version` as in `save_checkpoint`."""
        return self._call(self._target.delete_checkpoint, checkpoint_id, if_version=if_version)

    def list_checkpoints(
        self,
        *,
        prefix: str = "",
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[CheckpointInfo]:
        """Return the checkpoints whose ids begin with `prefix`, without their data, in the order saved."""
        return self._call(
            self._target.list_checkpoints,
            prefix=prefix,
            metadata_filter=metadata_filter,
            limit=limit,
            newest_first=newest_first,
        )

    def save_checkpoints(self, items: Iterable[SavedItem], *, if_absent: bool = False) -> int:
        """Save `(checkpoint_id, data, metadata)` or `(..., payload)` items one after the other, whole or not at all."""
        return self._call(self._target.save_checkpoints, self._collected(items), if_absent=if_absent)

    def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:
        """Save `(checkpoint_id, data, metadata, timestamp)` or `(..., payload)` items in turn, all or none."""
        self._call(self._target.restore_checkpoints, self._collected(items))

    def get_checkpoints(self, ids: Iterable[str]) -> list[Checkpoint | None]:
        """Return what is saved under each id, `None` where nothing is, in the order asked."""
        return self._call(self._target.get_checkpoints, self._collected(ids))

    def find_checkpoints(
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
        """Return the selected checkpoints, by id or, with `reverse`, from the last id back."""
        return self._call(
            self._target.find_checkpoints,
            prefix=prefix,
            after=after,
            before=before,
            metadata_filter=metadata_filter,
            limit=limit,
            reverse=reverse,
            include_data=include_data,
        )

    def get_latest_checkpoint(
        self, *, prefix: str = "", metadata_filter: JSONObject | None = None
    ) -> Checkpoint | None:
        """Return the checkpoint saved last of those that are selected, or `None`."""
        return self._call(self._target.get_latest_checkpoint, prefix=prefix, metadata_filter=metadata_filter)

    def delete_checkpoints(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        """Delete all of `ids`, or what is selected, whole or not at all; return how many were there."""
        return self._call(
            self._target.delete_checkpoints,
            self._collected(ids),
            prefix=prefix,
            after=after,
            before=before,
            metadata_filter=metadata_filter,
        )

    def prune(self, keep_last: int, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> int:
        """Delete all but the newest `keep_last` of the selected checkpoints; return how many were deleted."""
        return self._call(self._target.prune, keep_last, prefix=prefix, metadata_filter=metadata_filter)

    def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        """Return how many checkpoints are selected, or how many there are."""
        return self._call(self._target.count, metadata_filter, prefix=prefix, after=after, before=before)

    def clear(self) -> None:
        """Delete everything."""
        self._call(self._target.clear)

    def scan(self, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> Iterator[Checkpoint]:
        """Yield the selected checkpoints in the order saved, one read at a time."""
        return self._iterate(self._target.scan, prefix=prefix, metadata_filter=metadata_filter)
