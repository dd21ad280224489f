"""Finding checkpoints, one or page by page, with their writes and the values of their channels."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.base import SerializerProtocol

from symphony_registry.backends.checkpoint_store import Checkpoint as Row
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES
from symphony_registry.backends.filters import escaped
from symphony_registry.backends.values import JSONObject
from symphony_registry.integrations.langgraph.checkpointer.keys import (
    THREADS,
    Place,
    checkpoint_of,
    checkpoints_of,
    end,
    part,
    parts,
)
from symphony_registry.integrations.langgraph.checkpointer.rows import (
    CHECKPOINTS,
    blobs_of,
    check_values,
    checkpoint_tuple,
    filterable,
    find_rows,
    needs_sends,
    parent_of,
    place_of,
)
from symphony_registry.integrations.langgraph.store.matching import compared

_FIRST, _MOST = 10, 160  # checkpoints that are read at once
_FEW = 3  # rows: a checkpoint and the writes of a small step


@dataclass(frozen=True)
class Reader:
    """Reads from a store; of `channels` only if they are given."""

    store: CheckpointStoreBackend
    serde: SerializerProtocol
    channels: Collection[str] | None = None

    async def rows(self, place: Place) -> list[Row]:
        """Return a checkpoint and its writes, or nothing."""
        if place.checkpoint_id:
            return await self._at(place.key)
        before = None
        while last := await find_rows(self.store, prefix=place.namespace, before=before, reverse=True, limit=_FEW):
            ids = [row["checkpoint_id"] for row in last]
            key = checkpoint_of(ids[0])
            if key in ids:
                return last[ids.index(key) :: -1]
            if rows := await self._at(key):
                return rows
            before = key  # a run has saved writes before their checkpoint
        return []

    async def found(self, place: Place) -> CheckpointTuple | None:
        """Return a checkpoint, or `None`."""
        while rows := await self.rows(place):
            checkpoint, *writes = rows
            if found := await self.tuples([checkpoint], {checkpoint["checkpoint_id"]: writes}):
                return found[0]
        return None

    async def _at(self, key: str) -> list[Row]:
        rows = await find_rows(self.store, prefix=key)
        return rows if rows and rows[0]["checkpoint_id"] == key else []

    async def tuples(self, rows: list[Row], writes: Mapping[str, list[Row]] | None = None) -> list[CheckpointTuple]:
        """Return checkpoints with the values of their channels and their writes, if these are not given.

        Those that were deleted since they were read are left out. Raises `NotFoundError`
        where a checkpoint stayed and a value is gone: a run read, another went on,
        what was read was deleted, and the run saved a checkpoint that refers to it.
        """
        parents = {row["checkpoint_id"]: cast("Place", parent_of(row)).key for row in rows if needs_sends(row)}
        keys = set(parents.values()) if writes else {row["checkpoint_id"] for row in rows}.union(parents.values())
        found = {**await self._writes(keys), **(writes or {})}
        wanted = {row["checkpoint_id"]: blobs_of(row, self.channels) for row in rows}
        blobs = await self._present({id for named in wanted.values() for id in named.values()})
        lacking = {key for key, named in wanted.items() if not blobs.keys() >= set(named.values())}
        gone = lacking - (await self._present(lacking)).keys()
        for row in rows:
            if row["checkpoint_id"] in lacking - gone:
                check_values(place_of(row), wanted[row["checkpoint_id"]], blobs)

        def put_together() -> list[CheckpointTuple]:
            return [
                checkpoint_tuple(
                    self.serde,
                    row,
                    {name: blobs[id] for name, id in wanted[row["checkpoint_id"]].items()},
                    [each for each in found.get(row["checkpoint_id"], []) if self._wants(each)],
                    found.get(parents.get(row["checkpoint_id"], ""), []),
                )
                for row in rows
                if row["checkpoint_id"] not in gone
            ]

        read = [*rows, *(blobs[id] for named in wanted.values() for id in named.values() if id in blobs)]
        read += [each for several in found.values() for each in several]
        cost = sum(ITEM + len(row.get("payload", b"")) / JSON_BYTES for row in read)
        return await here_or_in_thread(put_together, cost)

    async def _present(self, ids: Collection[str]) -> dict[str, Row]:
        """Return what is saved under these ids."""
        rows = await self.store.get_checkpoints(sorted(ids)) if ids else []
        return {row["checkpoint_id"]: row for row in rows if row is not None}

    def _wants(self, write: Row) -> bool:
        return self.channels is None or write["data"]["channel"] in self.channels

    async def _writes(self, keys: Iterable[str]) -> dict[str, list[Row]]:
        """Return the writes of checkpoints, by the ids of these: one range of each thread."""
        threads: dict[str, list[str]] = defaultdict(list)
        for key in sorted(keys):
            threads[parts(key)[1]].append(key)
        found: dict[str, list[Row]] = defaultdict(list)
        for several in threads.values():
            rows = await find_rows(
                self.store,
                after=several[0],
                before=end(several[-1]),
                metadata_filter={"of": {"$in": sorted({parts(key)[4] for key in several})}},
            )
            for row in rows:
                found[checkpoint_of(row["checkpoint_id"])].append(row)
        return found


class Listing:
    """The checkpoints that `list()` gives, newest first, page by page."""

    def __init__(
        self,
        reader: Reader,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> None:
        given = config.get("configurable", {}) if config else {}
        self._reader = reader
        self._thread = str(given["thread_id"]) if "thread_id" in given else None  # None is a thread's name too
        self._ns: str | None = given.get("checkpoint_ns")
        self._id: str | None = given.get("checkpoint_id")
        self._before: str | None = before.get("configurable", {}).get("checkpoint_id") if before else None
        self._filter = _of_metadata(filter or {})
        self._left = None if limit is None else max(limit, 0)
        self._size = _FIRST if limit is None else _MOST
        self._ids: list[str] | None = None
        self._after_page: str | None = None

    async def page(self) -> list[CheckpointTuple]:
        """Return the next checkpoints; none are left if there are none."""
        while size := self._size if self._left is None else min(self._size, self._left):
            self._size = min(2 * self._size, _MOST)
            if self._thread is None or self._ns is None:
                rows = await self._across_namespaces(size)
            else:
                rows = await self._in_namespace(Place(self._thread, self._ns, self._id), size)
            if len(rows) < size:
                self._left = 0
            elif self._left is not None:
                self._left -= size
            if found := await self._reader.tuples(rows):
                return found
        return []

    async def _in_namespace(self, place: Place, size: int) -> list[Row]:
        if self._after_page is None and self._before:
            self._after_page = place._replace(checkpoint_id=self._before).key
        rows = await find_rows(
            self._reader.store,
            prefix=place.key if place.checkpoint_id else place.namespace,
            before=self._after_page,
            metadata_filter=self._filter,
            limit=size,
            reverse=True,
        )
        if rows:
            self._after_page = rows[-1]["checkpoint_id"]
        return rows

    async def _across_namespaces(self, size: int) -> list[Row]:
        if self._ids is None:
            infos = await self._reader.store.find_checkpoints(
                prefix=THREADS if self._thread is None else checkpoints_of(self._thread),
                metadata_filter=self._filter,
            )
            self._ids = sorted(filter(self._chosen, (info["checkpoint_id"] for info in infos)), key=_newest_last)
        rows: list[Row] = []
        while self._ids and len(rows) < size:
            ids = [self._ids.pop() for _ in range(min(size - len(rows), len(self._ids)))]
            rows += (row for row in await self._reader.store.get_checkpoints(ids) if row is not None)
        return rows

    def _chosen(self, id: str) -> bool:
        _, _, _, ns, checkpoint, _ = parts(id)
        return (
            (self._ns is None or ns == part(self._ns))
            and (self._id is None or checkpoint == part(self._id))
            and (self._before is None or checkpoint < part(self._before))
        )


def _newest_last(id: str) -> tuple[str, str]:
    return parts(id)[4], id


def _of_metadata(filter: dict[str, Any]) -> JSONObject:
    """Return langgraph's filter as the store's: each key is one, whatever characters it has."""
    equal = [compared(f"metadata.{escaped(key)}", "$eq", value) for key, value in filterable(filter).items()]
    return {"$and": [CHECKPOINTS, *equal]}
