"""Deleting a part of a thread: no value that a kept checkpoint refers to, and each that none does."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, cast

from langgraph.checkpoint.serde.types import TASKS

from symphony_registry.backends.checkpoint_store import Checkpoint as Row
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import UnsupportedOperationError, VersionConflictError
from symphony_registry.integrations.langgraph.checkpointer.keys import (
    THREADS,
    Place,
    checkpoint_of,
    checkpoints_of,
    parts,
    values_of,
)
from symphony_registry.integrations.langgraph.checkpointer.rows import (
    CHECKPOINTS,
    WRITES,
    blobs_of,
    check_values,
    find_rows,
    needs_sends,
    parent_of,
    place_of,
)

_PAGE = 500


class Saved(NamedTuple):
    """What a checkpoint refers to."""

    place: Place
    parent: Place | None
    needs_sends: bool
    root: str | None
    """The root graph's checkpoint from which its subgraph was called."""
    has_delta: bool
    blobs: Collection[str]


class Thread:
    """The checkpoints of a thread, to delete some of them."""

    def __init__(self, store: CheckpointStoreBackend, thread_id: str) -> None:
        self._store = store
        self._thread_id = thread_id
        self._prefix = checkpoints_of(thread_id)

    async def keep_latest(self) -> None:
        """Delete all but the latest checkpoint of each namespace, and the subgraphs whose calls are deleted."""
        saved = await self._saved()
        if _has_deltas(saved):
            raise UnsupportedOperationError(
                f"The thread {self._thread_id!r} cannot be pruned: the value of its DeltaChannel is made of all of its "
                'checkpoints. Keep it, or delete the whole thread: strategy="delete".'
            )
        heads = {each.place.namespace: key for key, each in saved.items()}  # the last of each, by id
        roots = {saved[key].place.checkpoint_id for key in saved if not saved[key].place.checkpoint_ns}
        root = max(filter(None, roots), default=None)
        kept: set[str] = set()
        for key in heads.values():
            head = saved[key]
            # A subgraph that keeps its state between calls has no task in its namespace.
            if ":" in head.place.checkpoint_ns and head.root in roots and head.root != root:
                continue
            kept.add(key)
            if head.needs_sends and head.parent and head.parent.key in saved and await self._has_sends(head.parent):
                kept.add(head.parent.key)
        await self._check_values(saved, kept)
        await self._delete(saved, saved.keys() - kept)
        for key in kept:  # after the deletion: where the process ends between them, the next pruning goes on here
            parent = saved[key].parent
            if parent and parent.key not in kept:
                with suppress(VersionConflictError):
                    await self._unlink(key)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete these checkpoints."""
        saved = await self._saved()
        first = {saved[key].place.namespace: key for key in sorted(saved.keys() & keys, reverse=True)}
        followed = any(key > first.get(saved[key].place.namespace, key) for key in saved.keys() - keys)
        if followed and _has_deltas(saved):
            raise UnsupportedOperationError(
                f"The run's checkpoints in the thread {self._thread_id!r} cannot be deleted: the value of its "
                "DeltaChannel in later checkpoints is made of them. Delete the later runs too, or the whole thread."
            )
        await self._delete(saved, saved.keys() & keys)

    async def _saved(self) -> dict[str, Saved]:
        return {
            row["checkpoint_id"]: Saved(
                place_of(row),
                parent_of(row),
                needs_sends(row),
                (row["metadata"]["metadata"].get("parents") or {}).get(""),
                "delta" in row["metadata"],
                tuple(blobs_of(row).values()),
            )
            async for row in self._rows(CHECKPOINTS, include_data=True)
        }

    async def _rows(self, metadata_filter: JSONObject, *, include_data: bool) -> AsyncIterator[Row]:
        """Yield what is selected, by id, a page at a time."""
        after = None
        while rows := await self._store.find_checkpoints(
            prefix=self._prefix,
            after=after,
            metadata_filter=metadata_filter,
            limit=_PAGE,
            include_data=include_data,
        ):
            for row in rows:
                yield cast("Row", row)
            after = rows[-1]["checkpoint_id"]

    async def _check_values(self, saved: dict[str, Saved], keys: Collection[str]) -> None:
        """Raise if a value is gone that one of these checkpoints refers to."""
        found = await self._store.find_checkpoints(prefix=values_of(self._thread_id))
        present = {row["checkpoint_id"] for row in found}
        lacking = [key for key in keys if not present.issuperset(saved[key].blobs)]
        for row in await self._store.get_checkpoints(lacking):
            if row is not None:  # else another pruning was faster
                check_values(place_of(row), blobs_of(row), present)

    async def _has_sends(self, place: Place) -> bool:
        """Whether tasks were sent from this checkpoint."""
        rows = await find_rows(self._store, prefix=place.key, metadata_filter=WRITES)
        return any(row["data"]["channel"] == TASKS for row in rows)

    async def _unlink(self, key: str) -> None:
        """Let a checkpoint have no parent any more."""
        row = await self._store.get_checkpoint(key)
        if row is not None:
            await self._store.save_checkpoint(
                key,
                {**row["data"], "parent": None},
                {"metadata": row["metadata"]["metadata"]},
                payload=row.get("payload"),
                if_version=row["version"],
            )

    async def _delete(self, saved: dict[str, Saved], keys: Collection[str]) -> None:
        """Delete checkpoints with their writes and the values that are theirs alone: all or nothing.

        Writes that a task saved after its checkpoint was deleted go too; newer ones wait for theirs.
        """
        latest = {parts(key)[3]: parts(key)[4] for key in saved}  # by namespace; they are in order

        def is_deleted(key: str) -> bool:
            _, _, _, ns, checkpoint, _ = parts(key)
            return key in keys or (key not in saved and checkpoint < latest.get(ns, latest.get("", "")))

        writes = {
            row["checkpoint_id"]
            async for row in self._rows(WRITES, include_data=False)
            if is_deleted(checkpoint_of(row["checkpoint_id"]))
        }
        dropped = {id for key in keys for id in saved[key].blobs}
        shared = dropped & _values(each for key, each in saved.items() if key not in keys)
        await self._store.delete_checkpoints([*keys, *writes, *(dropped - shared)])
        if shared:  # with checkpoints that another deletion took meanwhile, which left their values for these
            await self._store.delete_checkpoints(shared - _values((await self._saved()).values()))


def _values(saved: Iterable[Saved]) -> set[str]:
    return {id for each in saved for id in each.blobs}


def _has_deltas(saved: dict[str, Saved]) -> bool:
    return any(each.has_delta for each in saved.values())


async def delete_runs(store: CheckpointStoreBackend, run_ids: Sequence[str]) -> None:
    """Delete the checkpoints of these runs, one thread after the other."""
    rows = await find_rows(store, prefix=THREADS, metadata_filter={"metadata.run_id": {"$in": list(run_ids)}})
    threads: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        threads[place_of(row).thread_id].add(row["checkpoint_id"])
    for thread_id, keys in threads.items():
        await Thread(store, thread_id).delete(keys)
