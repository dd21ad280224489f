"""Copying what a source holds to a store, so that it can be interrupted and run again.

Items are written in the order in which they are read, batch after batch, each
whole or not at all. What an interrupted copy leaves in each collection is therefore
what the source begins with: such a target is continued, and no other target that is
not empty is touched unless the caller says what to do with it.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any

from symphony_registry.errors import InvalidValueError, RegistryError, TransferError
from symphony_registry.transfer.collection import Collection, StoredItem, shown
from symphony_registry.transfer.comparing import STEP, held_of
from symphony_registry.transfer.contents import Contents, StoreContents, count_all
from symphony_registry.transfer.kinds import COLLECTIONS
from symphony_registry.transfer.progress import Progress, Stage, silent
from symphony_registry.transfer.scanning import left_early

# What is written at once, at most, unless a single item is larger.
_ITEMS = 500
_BYTES = 4_000_000


class Existing(StrEnum):
    """What to do with a target that holds something else."""

    REFUSE = "refuse"
    MERGE = "merge"
    REPLACE = "replace"


class Action(StrEnum):
    """What copying does with the target."""

    COPY = "copy"
    CONTINUE = "continue"
    NOTHING = "nothing"
    MERGE = "merge"
    REPLACE = "replace"


@dataclass(frozen=True)
class CopyPlan:
    """What copying will do: what there is, and how many items of each collection are there already."""

    action: Action
    source_items: int
    target_items: int
    held: tuple[int, ...]

    @property
    def to_copy(self) -> int:
        """How many items will be written."""
        return self.source_items - sum(self.held)


async def plan_copy(
    source: Contents, target: StoreContents, existing: Existing = Existing.REFUSE, progress: Progress = silent
) -> CopyPlan:
    """Return what copying will do; changes nothing.

    Raises `TransferError` where it is not possible, or the target holds something
    else and `existing` refuses that, or would replace it by nothing;
    `UnsupportedOperationError` where a provider cannot list what it holds, or take
    the items.
    """
    collections = COLLECTIONS[source.backend_type]
    for collection in collections:
        await target.write(collection, [])
    source_items, target_items = await count_all(source), await count_all(target)
    held = [await held_of(collection, source, target, progress) for collection in collections]
    known = [each for each in held if each is not None]
    if len(known) == len(held):
        action = Action.NOTHING if sum(known) == source_items else Action.CONTINUE if sum(known) else Action.COPY
    elif existing is Existing.REFUSE:
        raise TransferError(
            f"{target} is not empty: its {target_items} items are not those that the source begins with. "
            "Merge (--merge) to write over what it holds, or replace (--replace) to delete that first."
        )
    else:
        action, known = Action(existing), [0] * len(collections)
    if action is Action.REPLACE and not source_items:
        raise TransferError(
            f"The source is empty, and {target} is not: its {target_items} items are not deleted for that."
        )
    for collection in collections:
        await _check_limits(collection, source, target, progress, replaces=action is Action.REPLACE)
    return CopyPlan(action, source_items, target_items, tuple(known))


async def _check_limits(
    collection: Collection[Any], source: Contents, target: StoreContents, progress: Progress, *, replaces: bool
) -> None:
    """Raise where the target cannot take the first item, or any, if what it holds is deleted before they arrive."""
    check = await target.limits(collection, emptied=replaces)
    if check is None:
        return
    done = 0
    async with left_early(source.read(collection)) as items:
        async for item in items:
            try:
                check(item)
            except InvalidValueError as error:
                raise TransferError(f"{target} cannot take {shown(collection.key(item))}: {error}") from error
            if not replaces:
                return
            done += 1
            if done % STEP == 0:
                progress(Stage.CHECK, done)


async def copy(source: Contents, target: StoreContents, plan: CopyPlan, progress: Progress = silent) -> None:
    """Write what `plan` says; a failure leaves what can be continued.

    Raises `TransferError` that says between which items it failed.
    """
    if plan.action is not Action.REPLACE:
        await _write(source, target, plan, progress)
        return
    await target.clear()
    try:
        await _write(source, target, plan, progress)
    except RegistryError as error:
        raise TransferError(
            f"{error} What {target} held before is deleted. Fix the cause and rerun the command; it resumes."
        ) from error


async def _write(source: Contents, target: StoreContents, plan: CopyPlan, progress: Progress) -> None:
    done = sum(plan.held)
    for collection, held in zip(COLLECTIONS[source.backend_type], plan.held, strict=True):
        async with aclosing(_batches(collection, source, held)) as batches:
            async for batch in batches:
                try:
                    await target.write(collection, batch)
                except RegistryError as error:
                    ends = " to ".join(shown(collection.key(batch[end])) for end in (0, -1))
                    raise TransferError(f"The {collection.name} from {ends} were not taken: {error}") from error
                done += len(batch)
                progress(Stage.COPY, done)


async def _batches(
    collection: Collection[Any], source: Contents, skipped: int
) -> AsyncGenerator[list[StoredItem], None]:
    """Yield the items of a collection after the first `skipped`, a few or a few megabytes at a time."""
    batch: list[StoredItem] = []
    size = 0
    places = count()
    async with left_early(source.read(collection)) as items:
        async for item in items:
            if next(places) < skipped:
                continue
            batch.append(item)
            size += len(collection.canonical(item))
            if len(batch) == _ITEMS or size >= _BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
