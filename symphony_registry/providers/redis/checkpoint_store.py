"""Checkpoints in Redis."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import orjson
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES, SMALL
from symphony_registry.backends.filters import ANYTHING, comparisons
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.remote.packing import packed, packed_payload, unpacked, unpacked_payload
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.errors import VersionConflictError
from symphony_registry.providers.redis.connections import Argument
from symphony_registry.providers.redis.keyspace import (
    GUARANTEES,
    Keyspace,
    Layout,
    bounds,
    check_size,
    promised,
    sieved,
)
from symphony_registry.providers.redis.options import RedisOptions

_LAYOUT = Layout(
    "checkpoint_store", {"ids": "zset", "order": "zset", "meta": "hash", "state": "hash", "payload": "hash"}
)
_PART = PartLimit(1_000)


class RedisCheckpointStore(CheckpointStoreEngine):
    """A checkpoint store in Redis."""

    Options: ClassVar[type[BackendOptions]] = RedisOptions
    guarantees = GUARANTEES
    _options: RedisOptions
    _part = _PART

    @override
    def _configure(self) -> None:
        super()._configure()
        self.guarantees = promised(self._options)
        self._data = self._hold(Keyspace(self, self._options, _LAYOUT))

    @override
    async def _save(self, checkpoint: SavedCheckpoint, if_version: int | None, cost: float) -> int:
        values = await here_or_in_thread(lambda: _values([checkpoint]), cost)
        expected = "" if if_version is None else if_version
        conditional = if_version is not None
        done, version = await self._data.change("save_checkpoint", "save", expected, *values, conditional=conditional)
        if not done:
            raise VersionConflictError(checkpoint.id, if_version or 0, int(version))
        return int(version)

    @override
    async def _save_many(self, parts: Parts[Sequence[SavedCheckpoint]], *, if_absent: bool) -> int:
        name = "save_absent" if if_absent else "save_many"
        saved: int = await self._data.change_parts("save_checkpoints", name, parts.map(_values), conditional=if_absent)
        return saved

    @override
    async def _get(self, ids: list[str]) -> list[SavedCheckpoint | None]:
        return await _all_saved(await self._data.ask("get", *ids))

    @override
    async def _delete(self, checkpoint_id: str, if_version: int | None) -> bool:
        expected = "" if if_version is None else if_version
        done, version = await self._data.change("delete_checkpoint", "delete", expected, checkpoint_id)
        if not done and if_version is not None and int(version) != if_version:
            raise VersionConflictError(checkpoint_id, if_version, int(version))
        return bool(done)

    @override
    async def _delete_many(self, chosen: list[str] | Selection) -> int:
        if isinstance(chosen, list):
            return await self._data.delete("delete_checkpoints", "delete_many", list(zip(chosen)))
        if chosen.is_range:
            return int(await self._data.change("delete_checkpoints", "prune", *bounds(chosen.ids), 0))
        return await self._delete_matching("delete_checkpoints", 0, chosen)

    async def _delete_matching(self, operation: str, keep_last: int, selection: Selection) -> int:
        """Delete all but the newest of the selected, as they were read at once and are still."""

        async def read() -> list[tuple[Argument, Argument]]:
            found = await self._matching(selection, Page(reverse=True), "saved")
            return [(saved.id, saved.version) for saved in found[keep_last:]]

        return await self._data.delete_seen(operation, read)

    @override
    async def _find(
        self, selection: Selection, page: Page, *, by: Literal["id", "saved"], include_data: bool
    ) -> list[SavedCheckpoint]:
        if selection.condition is ANYTHING:
            return await self._read(selection, page, by, include_data=include_data)
        found = await self._matching(selection, page, by)
        if not include_data or not found:
            return found
        read = [saved for saved in await self._get([each.id for each in found]) if saved is not None]
        if [saved.version for saved in read] == [saved.version for saved in found]:
            return read
        return await self._matching(selection, page, by, include_data=True)  # some changed meanwhile

    async def _read(
        self, selection: Selection, page: Page, by: Literal["id", "saved"], *, include_data: bool
    ) -> list[SavedCheckpoint]:
        """Return what a selection's range holds."""
        order = (page.limit or 0, int(page.reverse), by)
        ids, versions, *columns = await self._data.ask("find", *bounds(selection.ids), *order, int(include_data))
        columns += [[None] * len(ids)] * (3 - len(columns))
        return [saved for saved in await _all_saved(list(zip(ids, versions, *columns, strict=True))) if saved]

    async def _matching(
        self, selection: Selection, page: Page, by: Literal["id", "saved"], *, include_data: bool = False
    ) -> list[SavedCheckpoint]:
        """Return those that fulfil the condition: what was read at once."""
        return await sieved(
            lambda limit: self._read(selection, page._replace(limit=limit), by, include_data=include_data),
            lambda read: _those_matching(read, selection),
            page.limit,
        )

    @override
    async def _prune(self, keep_last: int, selection: Selection) -> int:
        if selection.is_range:
            return int(await self._data.change("prune", "prune", *bounds(selection.ids), keep_last))
        return await self._delete_matching("prune", keep_last, selection)

    @override
    async def _count(self, selection: Selection) -> int:
        if selection.is_range:
            return int(await self._data.ask("count", *bounds(selection.ids)))
        return len(await self._matching(selection, Page(), "id"))

    @override
    async def _clear(self) -> None:
        await self._data.change("clear", "clear")


async def _those_matching(found: list[SavedCheckpoint], selection: Selection) -> list[SavedCheckpoint]:
    condition = selection.condition
    return await here_or_in_thread(
        lambda: [saved for saved in found if condition.matches(saved.described())],
        len(found) * SMALL * comparisons(condition),
    )


async def _all_saved(rows: Sequence[Any]) -> list[SavedCheckpoint | None]:
    cost = sum(ITEM + (len(row[3] or b"") + len(row[4] or b"")) / JSON_BYTES for row in rows if row)
    return await here_or_in_thread(lambda: [row and _saved(*row) for row in rows], cost)


def _saved(id: bytes, version: bytes, meta: bytes, state: bytes | None, payload: bytes | None) -> SavedCheckpoint:
    timestamp, metadata = orjson.loads(meta)
    return SavedCheckpoint(
        id.decode(),
        b"" if state is None else unpacked(state),
        metadata,
        timestamp,
        None if payload is None else unpacked_payload(payload),
        int(version),
    )


def _values(checkpoints: Sequence[SavedCheckpoint]) -> list[Argument]:
    """Return what is sent of some checkpoints."""
    values: list[Argument] = []
    for saved in checkpoints:
        state = check_size(packed(saved.data), "The checkpoint's data")
        meta = orjson.dumps([saved.timestamp, saved.metadata])
        payload = b"" if saved.payload is None else check_size(packed_payload(saved.payload), "The payload")
        values += [saved.id, meta, state, int(saved.payload is not None), payload]
    return values
