"""Checkpoints in memory, no persistence."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from symphony_registry.backends.checkpoint_store.base import (
    Checkpoint,
    CheckpointInfo,
    CheckpointStoreBackend,
    RestoredCheckpoint,
)
from symphony_registry.backends.checkpoint_store.checks import check_restored, encoded_data
from symphony_registry.backends.concurrency import ITEM_STEPS, computed, start, to_the_end
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject, check_id, check_limit, checked_object, collected
from symphony_registry.providers.embedded.backend import Change, EmbeddedBackend
from symphony_registry.providers.embedded.checkpoints.log import CheckpointLog, SavedCheckpoint, save_change

# What work costs, in the steps of `LONG`.
_INFO_STEPS = 10
_BYTES_A_STEP = 20


class InMemoryCheckpointStore(EmbeddedBackend[CheckpointLog], CheckpointStoreBackend):
    """A checkpoint store in memory; `disconnect` forgets everything."""

    class Provider:
        """Makes in-memory checkpoint stores."""

        Options: ClassVar[type[BackendOptions]] = BackendOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a new store."""
            return InMemoryCheckpointStore(config)

    def _configure(self) -> None:
        read_options(BackendOptions, self.config, type(self).__name__)

    def _empty_state(self) -> CheckpointLog:
        return CheckpointLog()

    async def save_checkpoint(self, checkpoint_id: str, data: JSONObject, metadata: JSONObject | None = None) -> None:  # noqa: D102
        self.ensure_open()
        check_id(checkpoint_id, "checkpoint_id")
        checked_metadata = checked_object(metadata, "metadata")
        text = await encoded_data(data)

        def decide() -> tuple[Sequence[Change], None]:
            return [save_change(checkpoint_id, text, checked_metadata, time.time())], None

        await self._write(decide, touches=lambda: [checkpoint_id])

    async def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        # on a thread however few they are: each may be large
        changes = await to_the_end(start(lambda: [save_change(*each) for each in check_restored(given)]))
        await self._write(lambda: (changes, None), len(given) * ITEM_STEPS, lambda: [each["id"] for each in changes])

    async def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:  # noqa: D102
        self.ensure_open()
        check_id(checkpoint_id, "checkpoint_id")
        saved = await self._read(lambda: self._state.saved.get(checkpoint_id))
        return None if saved is None else await self._loaded((checkpoint_id, saved))

    async def _loaded(self, found: tuple[str, SavedCheckpoint] | None) -> Checkpoint | None:
        if found is None:
            return None
        id, saved = found
        data = await computed(lambda: orjson.loads(saved.data), len(saved.data) / _BYTES_A_STEP)
        return {"checkpoint_id": id, "data": data, "metadata": saved.described(id)}

    async def delete_checkpoint(self, checkpoint_id: str) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(checkpoint_id, "checkpoint_id")

        def decide() -> tuple[Sequence[Change], bool]:
            if checkpoint_id not in self._state.saved:
                return [], False
            return [{"op": "delete", "id": checkpoint_id}], True

        return await self._write(decide, touches=lambda: [checkpoint_id])

    async def list_checkpoints(  # noqa: D102
        self, *, metadata_filter: JSONObject | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[CheckpointInfo]:
        self.ensure_open()
        condition = parse_filter(metadata_filter)
        if limit is not None:
            check_limit(limit)
        count = len(self._state.saved)
        cost = count if limit is None or metadata_filter else min(limit, count)
        return await self._read(
            lambda: self._state.list(condition, limit, newest_first=newest_first), cost * _INFO_STEPS
        )

    async def get_latest_checkpoint(self) -> Checkpoint | None:  # noqa: D102
        self.ensure_open()
        return await self._loaded(await self._read(lambda: next(reversed(self._state.saved.items()), None)))

    async def prune(self, keep_last: int) -> int:  # noqa: D102
        self.ensure_open()
        check_limit(keep_last, "keep_last", least=0)

        def decide() -> tuple[Sequence[Change], int]:
            ids = list(self._state.saved)
            old = ids[: max(0, len(ids) - keep_last)]
            return [{"op": "delete", "id": id} for id in old], len(old)

        return await self._write(decide, len(self._state.saved) * _INFO_STEPS)

    async def count(self) -> int:  # noqa: D102
        self.ensure_open()
        return await self._read(lambda: len(self._state.saved))

    async def scan(self) -> AsyncIterator[Checkpoint]:  # noqa: D102
        self.ensure_open()
        for id in await self._read(lambda: list(self._state.saved)):
            checkpoint = await self.get_checkpoint(id)
            if checkpoint is not None:
                yield checkpoint
