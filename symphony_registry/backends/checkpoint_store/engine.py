"""The checked spine of checkpoint stores: what every engine does the same before and after its own work."""

import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import ClassVar, Literal, cast

import orjson
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import (
    Checkpoint,
    CheckpointInfo,
    CheckpointStoreBackend,
    FoundCheckpoint,
    RestoredCheckpoint,
    SavedItem,
    check_payload,
    check_version,
)
from symphony_registry.backends.checkpoint_store.checks import (
    LARGE_VALUE,
    SavedCheckpoint,
    check_restored,
    check_saved,
    checked_text,
)
from symphony_registry.backends.concurrency import (
    Turns,
    delaying_cancellation,
    discard,
    here_or_in_thread,
    in_parts,
    in_thread,
)
from symphony_registry.backends.cost import ITEM, JSON_BYTES, LONG, SMALL
from symphony_registry.backends.engine import Engine
from symphony_registry.backends.naming import naming
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import (
    EVERYTHING,
    Page,
    Selection,
    check_page,
    check_selection,
    checked_deletion,
    checked_ids,
)
from symphony_registry.backends.values import (
    JSONObject,
    check_bool,
    check_id,
    check_limit,
    checked_object,
    collected,
    is_large,
)


class CheckpointStoreEngine(Engine, CheckpointStoreBackend):
    """A checkpoint store that checks what it is asked, and leaves the rest to hooks.

    Data come and go as JSON text.
    """

    _part: ClassVar[PartLimit | None] = None
    """How much `_save_many` takes at once; then no id comes twice."""

    @abstractmethod
    async def _save(self, checkpoint: SavedCheckpoint, if_version: int | None, cost: float) -> int:
        """Save a checkpoint over what its id had, and return its version.

        Raises `VersionConflictError` where another version than `if_version` is stored.
        """

    @abstractmethod
    async def _save_many(self, parts: Parts[Sequence[SavedCheckpoint]], *, if_absent: bool) -> int:
        """Save checkpoints one after the other, over what their ids had or only where nothing is, all or none.

        Return how many were saved.
        """

    @abstractmethod
    async def _get(self, ids: list[str]) -> list[SavedCheckpoint | None]:
        """Return the checkpoints, in the order asked."""

    @abstractmethod
    async def _delete(self, checkpoint_id: str, if_version: int | None) -> bool:
        """Delete the checkpoint; say whether it was there. `if_version` as in `_save`."""

    @abstractmethod
    async def _delete_many(self, chosen: list[str] | Selection) -> int:
        """Delete the checkpoints of these ids or of the selection, all or none; return how many were there."""

    @abstractmethod
    async def _find(
        self, selection: Selection, page: Page, *, by: Literal["id", "saved"], include_data: bool
    ) -> list[SavedCheckpoint]:
        """Return the selected checkpoints by id, or in the order saved; a condition sees what `described` gives.

        What is outside the selection's range of ids costs nothing.
        """

    @abstractmethod
    async def _prune(self, keep_last: int, selection: Selection) -> int:
        """Delete all but the newest of the selected, all or none, and return how many were deleted."""

    # What an engine may leave to the spine.

    async def _count(self, selection: Selection) -> int:
        """Return how many checkpoints are selected."""
        return len(await self._find(selection, Page(), by="id", include_data=False))

    async def _clear(self) -> None:
        """Delete everything."""
        await self._prune(0, EVERYTHING)

    async def _all(self, selection: Selection) -> AsyncGenerator[SavedCheckpoint, None]:
        """Yield the selected checkpoints in the order saved, one read at a time."""
        for found in await self._find(selection, Page(), by="saved", include_data=False):
            (saved,) = await self._get([found.id])
            if saved is not None:
                yield saved

    # The operations.

    @override
    async def save_checkpoint(
        self,
        checkpoint_id: str,
        data: JSONObject,
        metadata: JSONObject | None = None,
        *,
        payload: bytes | None = None,
        if_version: int | None = None,
    ) -> int:
        check_id(checkpoint_id, "checkpoint_id")
        check_payload(payload)
        expected = check_version(if_version)
        document = checked_object(metadata, "metadata")
        text = await checked_text(data)
        saved = SavedCheckpoint(checkpoint_id, text, document, time.time(), payload)
        return await self._save(saved, expected, ITEM + saved.size / JSON_BYTES)

    @override
    async def save_checkpoints(self, items: Iterable[SavedItem], *, if_absent: bool = False) -> int:
        check_bool(if_absent, "if_absent")
        now = time.time()
        return await self._save_several(collected(items), lambda given: check_saved(given, now), if_absent=if_absent)

    @override
    async def restore_checkpoints(self, items: Iterable[RestoredCheckpoint]) -> None:
        await self._save_several(collected(items), check_restored, if_absent=False)

    async def _save_several(
        self, given: list[object], check: Callable[[list[object]], list[SavedCheckpoint]], *, if_absent: bool
    ) -> int:
        if not given:
            return 0
        repeated = 0

        def split() -> Parts[Sequence[SavedCheckpoint]]:
            nonlocal repeated
            checked = check(given)
            cost = sum(ITEM + item.size / JSON_BYTES for item in checked)
            if self._part is None:
                return Parts.of([checked], cost)
            once: dict[str, SavedCheckpoint] = {}
            for item in checked:
                if not (if_absent and item.id in once):
                    once.pop(item.id, None)  # it takes the place of the last
                    once[item.id] = item
            repeated = 0 if if_absent else len(checked) - len(once)
            return Parts.of(list(self._part.split(list(once.values()), lambda item: item.size)), cost)

        parts = await delaying_cancellation(in_thread(split)) if is_large(given, LARGE_VALUE) else split()
        saved = await self._save_many(parts, if_absent=if_absent)
        discard(given)
        return saved + repeated

    @override
    async def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        (saved,) = await self._get([check_id(checkpoint_id, "checkpoint_id")])
        return None if saved is None else await _loaded(saved)

    @override
    async def get_checkpoints(self, ids: Iterable[str]) -> list[Checkpoint | None]:
        return await _all_loaded(await self._get(await checked_ids(ids, "checkpoint_id")))

    @override
    async def get_latest_checkpoint(
        self, *, prefix: str = "", metadata_filter: JSONObject | None = None
    ) -> Checkpoint | None:
        selection = check_selection(prefix, None, None, metadata_filter)
        found = await self._find(selection, Page(1, reverse=True), by="saved", include_data=True)
        return await _loaded(found[0]) if found else None

    @override
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
        selection = check_selection(prefix, after, before, metadata_filter)
        page = check_page(limit, reverse)
        found = await self._find(selection, page, by="id", include_data=check_bool(include_data, "include_data"))
        read = await (_all_loaded if include_data else _all_described)(found)
        return cast("list[FoundCheckpoint]", read)

    @override
    async def list_checkpoints(
        self,
        *,
        prefix: str = "",
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[CheckpointInfo]:
        selection = check_selection(prefix, None, None, metadata_filter)
        page = check_page(limit, newest_first, "newest_first")
        return await _all_described(await self._find(selection, page, by="saved", include_data=False))

    @override
    async def delete_checkpoint(self, checkpoint_id: str, *, if_version: int | None = None) -> bool:
        return await self._delete(check_id(checkpoint_id, "checkpoint_id"), check_version(if_version))

    @override
    async def delete_checkpoints(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        return await self._delete_many(await checked_deletion(ids, prefix, after, before, metadata_filter))

    @override
    async def prune(self, keep_last: int, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> int:
        selection = check_selection(prefix, None, None, metadata_filter)
        return await self._prune(check_limit(keep_last, "keep_last", least=0), selection)

    @override
    async def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        return await self._count(check_selection(prefix, after, before, metadata_filter))

    @override
    async def clear(self) -> None:
        await self._clear()

    @override
    async def scan(self, *, prefix: str = "", metadata_filter: JSONObject | None = None) -> AsyncIterator[Checkpoint]:
        self.ensure_open()
        with naming(self):
            selection = check_selection(prefix, None, None, metadata_filter)
        turns = Turns()
        async with aclosing(self._all(selection)) as found:
            async for saved in found:
                yield await _loaded(saved)
                await turns.give()
                self.ensure_open()


def _described(saved: SavedCheckpoint) -> CheckpointInfo:
    return {"checkpoint_id": saved.id, "metadata": saved.described(), "version": saved.version}


def _with_data(saved: SavedCheckpoint) -> Checkpoint:
    checkpoint: Checkpoint = {
        "checkpoint_id": saved.id,
        "data": orjson.loads(saved.data),
        "metadata": saved.described(),
        "version": saved.version,
    }
    if saved.payload is not None:
        checkpoint["payload"] = saved.payload
    return checkpoint


async def _loaded(saved: SavedCheckpoint) -> Checkpoint:
    if len(saved.data) <= LONG * JSON_BYTES:
        return _with_data(saved)
    return await delaying_cancellation(in_thread(lambda: _with_data(saved)))


async def _all_loaded(found: Sequence[SavedCheckpoint | None]) -> list[Checkpoint | None]:
    cost = len(found) * SMALL
    if cost <= LONG:
        cost += sum(len(saved.data) for saved in found if saved is not None) // JSON_BYTES
    return await here_or_in_thread(lambda: in_parts(lambda saved: saved and _with_data(saved), found), cost)


async def _all_described(found: list[SavedCheckpoint]) -> list[CheckpointInfo]:
    return await here_or_in_thread(lambda: in_parts(_described, found), len(found) * SMALL)
