"""Copying what a source holds to a store, so that it can be interrupted and run again.

Records are written in the order in which they are read, a batch after the other,
each whole or not at all. What an interrupted copy leaves in each section is
therefore what the source begins with: such a target is continued, and no other
target that is not empty is touched unless the caller says what shall become of it.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any

from symphony_registry.backends.vector_store.base import VectorStoreBackend, check_vector
from symphony_registry.errors import InvalidValueError, RegistryError, TransferError, own_errors
from symphony_registry.transfer.comparing import STEP, held_of
from symphony_registry.transfer.contents import Contents, StoreContents, count_all, left_early
from symphony_registry.transfer.progress import Progress, Stage, silent
from symphony_registry.transfer.sections import SECTIONS, Record, Section, shown

# What is written at once, at most, unless a single record is larger.
_RECORDS = 500
_BYTES = 4_000_000


class Existing(StrEnum):
    """What becomes of a target that holds something else."""

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
class Plan:
    """What copying will do: what there is, and how many records of each section are there already."""

    action: Action
    source_items: int
    target_items: int
    held: tuple[int, ...]

    @property
    def to_copy(self) -> int:
        """How many records will be written."""
        return self.source_items - sum(self.held)


async def plan_copy(
    source: Contents, target: StoreContents, existing: Existing = Existing.REFUSE, progress: Progress = silent
) -> Plan:
    """Return what copying will do; changes nothing.

    Raises `TransferError` where it is not possible, or the target holds something
    else and `existing` refuses that, or would replace it by nothing;
    `UnsupportedOperationError` where a provider cannot list what it holds, or take
    the records.
    """
    sections = SECTIONS[source.backend_type]
    for section in sections:
        await target.write(section, [])
    source_items, target_items = await count_all(source), await count_all(target)
    held = [await held_of(section, source, target, progress) for section in sections]
    known = [each for each in held if each is not None]
    if len(known) == len(held):
        action = Action.NOTHING if sum(known) == source_items else Action.CONTINUE if sum(known) else Action.COPY
    elif existing is Existing.REFUSE:
        raise TransferError(
            f"{target} is not empty: its {target_items} items are not those that the source begins with. "
            "Merge (--merge) to write over what it holds, or replace (--replace) to delete that first."
        )
    else:
        action, known = Action(existing), [0] * len(sections)
    if action is Action.REPLACE and not source_items:
        raise TransferError(
            f"The source is empty, and {target} is not: its {target_items} items are not deleted for that."
        )
    if isinstance(target.store, VectorStoreBackend):
        with own_errors(f"{target} failed"):
            await _check_dimension(source, target.store, replaces=action is Action.REPLACE)
        if action is Action.REPLACE:
            await _check_vectors(source, target.store, progress)
    return Plan(action, source_items, target_items, tuple(known))


async def _check_dimension(source: Contents, store: VectorStoreBackend, *, replaces: bool) -> None:
    (section,) = SECTIONS[store.backend_type]
    async with left_early(source.read(section)) as records:
        first = await anext(records, None)
    is_freed = replaces and store.config.get("dimension") is None  # by `clear`
    fixed = None if is_freed else await store.dimension()
    if first is not None and fixed is not None and fixed != len(first["vector"]):
        raise TransferError(
            f"{store} takes vectors of dimension {fixed}, and the source has vectors of dimension "
            f"{len(first['vector'])}. Set the option dimension of the one that is wrong, or name another store."
        )


async def _check_vectors(source: Contents, store: VectorStoreBackend, progress: Progress) -> None:
    """Raise where the target could not take a vector: what it holds is deleted before the vector arrives."""
    (section,) = SECTIONS[store.backend_type]
    metric = store.config.get("metric", "cosine")
    done = 0
    async with left_early(source.read(section)) as records:
        async for record in records:
            try:
                check_vector(record["vector"], None, metric)
            except InvalidValueError as error:
                raise TransferError(f"{store} cannot take {shown(section.key(record))}: {error}") from error
            done += 1
            if done % STEP == 0:
                progress(Stage.CHECK, done)


async def copy(source: Contents, target: StoreContents, plan: Plan, progress: Progress = silent) -> None:
    """Write what `plan` says; a failure leaves what can be continued.

    Raises `TransferError` that says between which records it failed.
    """
    if plan.action is not Action.REPLACE:
        await _write(source, target, plan, progress)
        return
    await target.clear()
    try:
        await _write(source, target, plan, progress)
    except RegistryError as error:
        raise TransferError(
            f"{error} What {target} held before is deleted. Mend this and run the same again: it continues."
        ) from error


async def _write(source: Contents, target: StoreContents, plan: Plan, progress: Progress) -> None:
    done = sum(plan.held)
    for section, held in zip(SECTIONS[source.backend_type], plan.held, strict=True):
        async with aclosing(_batches(section, source, held)) as batches:
            async for batch in batches:
                try:
                    await target.write(section, batch)
                except RegistryError as error:
                    ends = " to ".join(shown(section.key(batch[end])) for end in (0, -1))
                    raise TransferError(f"{target} did not take the {section.name} from {ends}: {error}") from error
                done += len(batch)
                progress(Stage.COPY, done)


async def _batches(section: Section[Any], source: Contents, skipped: int) -> AsyncGenerator[list[Record], None]:
    """Yield the records of a section after the first `skipped`, a few or a few megabytes at a time."""
    batch: list[Record] = []
    size = 0
    places = count()
    async with left_early(source.read(section)) as records:
        async for record in records:
            if next(places) < skipped:
                continue
            batch.append(record)
            size += len(section.canonical(record))
            if len(batch) == _RECORDS or size >= _BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
