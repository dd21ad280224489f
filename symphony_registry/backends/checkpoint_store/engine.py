"""The checked spine of checkpoint stores: what every engine does the same before and after its own work."""

import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar

import orjson
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import (
    Checkpoint,
    CheckpointInfo,
    CheckpointStoreBackend,
    RestoredCheckpoint,
)
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint, check_restored, checked_text
from symphony_registry.backends.concurrency import Turns, delaying_cancellation, in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES, LONG
from symphony_registry.backends.engine import Engine
from symphony_registry.backends.filters import ANYTHING, Condition, parse_filter
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.values import JSONObject, check_id, check_limit, checked_object, collected


class CheckpointStoreEngine(Engine, CheckpointStoreBackend):
    """A checkpoint store that checks what it is asked, and leaves the rest to hooks.

    Data come and go as JSON text.
    """

    _part: ClassVar[PartLimit | None] = None
    """How much `_save` takes at once; then no id comes twice."""

    @abstractmethod
    async def _save(self, parts: Parts[Sequence[SavedCheckpoint]]) -> None:
        """Save checkpoints one after the other over what their ids had, all or none."""

    @abstractmethod
    async def _get(self, checkpoint_id: str) -> SavedCheckpoint | None:
        """Return the checkpoint."""

    @abstractmethod
    async def _latest(self) -> SavedCheckpoint | None:
        """Return the checkpoint saved last."""

    @abstractmethod
    async def _delete(self, checkpoint_id: str) -> bool:
        """Delete the checkpoint; say whether it was there."""

    @abstractmethod
    async def _list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        """Return those whose metadata, as they are returned, match; in the order saved or its reverse."""

    @abstractmethod
    async def _prune(self, keep_last: int) -> int:
        """Delete all but the newest, all or none, and return how many were deleted."""

    # What an engine may leave to the spine.

    async def _count(self) -> int:
        """Return how many checkpoints there are."""
        return len(await self._list(ANYTHING, None, newest_first=False))

    async def _clear(self) -> None:
        """Delete everything."""
        await self._prune(0)

    async def _all(self) -> AsyncGenerator[SavedCheckpoint, None]:
        """Yield all checkpoints in the order saved, one read at a time."""
        for info in await self._list(ANYTHING, None, newest_first=False):
            if (saved := await self._get(info["checkpoint_id"])) is not None:
                yield saved

    # The operations.

    @override
    async def save_checkpoint(self, checkpoint_id: str, data: JSONObject, metadata: JSONObject | None = None) -> None:
        check_id(checkpoint_id, "checkpoint_id")
        document = checked_object(metadata, "metadata")
        text = await checked_text(data)
        saved = SavedCheckpoint(checkpoint_id, text, document, time.time())
        await self._save(Parts.of([[saved]], ITEM + len(text) / JSON_BYTES))

    @override
    async def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:
        if not (given := collected(items)):
            return

        def split() -> Parts[Sequence[SavedCheckpoint]]:
            checked = check_restored(given)
            cost = sum(ITEM + len(item.data) / JSON_BYTES for item in checked)
            if self._part is None:
                return Parts.of([checked], cost)
            last: dict[str, SavedCheckpoint] = {}
            for item in checked:
                last.pop(item.id, None)  # it takes the place of the last
                last[item.id] = item
            return Parts.of(list(self._part.split(list(last.values()), lambda item: len(item.data))), cost)

        # on a thread however few they are: each may be large
        await self._save(await delaying_cancellation(in_thread(split)))

    @override
    async def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        saved = await self._get(check_id(checkpoint_id, "checkpoint_id"))
        return None if saved is None else await _loaded(saved)

    @override
    async def get_latest_checkpoint(self) -> Checkpoint | None:
        saved = await self._latest()
        return None if saved is None else await _loaded(saved)

    @override
    async def delete_checkpoint(self, checkpoint_id: str) -> bool:
        return await self._delete(check_id(checkpoint_id, "checkpoint_id"))

    @override
    async def list_checkpoints(
        self, *, metadata_filter: JSONObject | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[CheckpointInfo]:
        condition = parse_filter(metadata_filter)
        if limit is not None:
            limit = check_limit(limit)
        return await self._list(condition, limit, newest_first=newest_first)

    @override
    async def prune(self, keep_last: int) -> int:
        return await self._prune(check_limit(keep_last, "keep_last", least=0))

    @override
    async def count(self) -> int:
        return await self._count()

    @override
    async def clear(self) -> None:
        await self._clear()

    @override
    async def scan(self) -> AsyncIterator[Checkpoint]:
        self.ensure_open()
        turns = Turns()
        async with aclosing(self._all()) as found:
            async for saved in found:
                yield await _loaded(saved)
                await turns.give()
                self.ensure_open()


async def _loaded(saved: SavedCheckpoint) -> Checkpoint:
    text = saved.data
    short = len(text) <= LONG * JSON_BYTES
    data = orjson.loads(text) if short else await delaying_cancellation(in_thread(partial(orjson.loads, text)))
    return {"checkpoint_id": saved.id, "data": data, "metadata": saved.described()}
