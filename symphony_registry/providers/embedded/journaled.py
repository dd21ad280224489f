"""Backends whose data lives in this process and in a journal on the disk."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, field_validator

from symphony_registry.backends.concurrency import settled, start
from symphony_registry.backends.options import BackendOptions
from symphony_registry.errors import RegistryError, StorageCorruptedError
from symphony_registry.providers.embedded.backend import Change, EmbeddedBackend, State
from symphony_registry.providers.embedded.journal import Durability, Journal, Record

StateT = TypeVar("StateT", bound=State)

# Compaction is due when more lines are superseded than count, and they are many or large.
_FEW_LINES = 8
_MANY_LINES = 1_000
_MANY_BYTES = 1_000_000
# Records that are read together.
_BATCH = 1_000

logger = logging.getLogger(__name__)


class FileOptions(BackendOptions):
    """The options that every file provider has."""

    path: Path = Field(description="The directory, for this backend alone; made where it is missing.")
    durability: Durability = Field(
        default="full", description="What a write survives: full, power loss too; os, a crash of the process only."
    )

    @field_validator("path")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        if "\0" in str(path):
            raise ValueError("a path cannot hold U+0000")
        try:
            return path.expanduser()
        except RuntimeError as error:
            raise ValueError(str(error)) from error


class JournaledBackend(EmbeddedBackend[StateT]):
    """An embedded backend that writes each change to a journal before it is seen."""

    persists: ClassVar[bool] = True
    guarantees = replace(EmbeddedBackend.guarantees, survives="power loss")
    _records: ClassVar[Mapping[str, Mapping[str, type]]]  # by their `op`: what stands in them
    _file: FileOptions
    _journal: Journal | None = None
    _failed_at = 0  # lines when compaction failed last

    async def _load(self) -> StateT:
        opening = start(self._open_journal)
        try:
            self._journal, state = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_abandoned)  # a timeout does not wait for a disk
            raise
        return state

    def _open_journal(self) -> tuple[Journal, StateT]:
        journal = Journal(self._file.path, self.backend_type, self._file.durability)
        try:
            state = self._restored(journal)
            if state is None:
                state = self._empty_state()
                self._replay_all(state, journal, journal.replay())
        except BaseException:
            journal.close()
            raise
        return journal, state

    def _replay_all(self, state: StateT, journal: Journal, groups: Iterable[list[Record]]) -> None:
        waiting: list[Record] = []
        for records in groups:
            waiting += records
            if len(waiting) >= _BATCH:
                self._replay(state, waiting, journal)
                waiting = []
        self._replay(state, waiting, journal)

    def _replay(self, state: StateT, records: list[Record], journal: Journal) -> None:
        try:
            self._check(records)
            for change in self._decode(records):
                state.apply(change)
        except RegistryError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise StorageCorruptedError(
                f"{journal.path} holds a change that does not fit, before line {journal.lines + 1}: "
                f"{type(error).__name__}: {error}.",
                journal.path,
                journal.end,
            ) from error

    def _check(self, records: list[Record]) -> None:
        """Raise `TypeError`, `KeyError` or `ValueError` where a record is none of this backend's."""
        for record in records:
            for name, kind in self._records[record["op"]].items():
                if type(record[name]) is not kind:
                    raise TypeError(f"{record['op']}: {name} is not a {kind.__name__}")

    async def _close(self) -> None:
        state = self._state  # which is forgotten, but takes the writes that wait
        try:
            await super()._close()
            if self._journal is not None:
                await settled(start(partial(self._keep, state, self._journal)))
        finally:
            await self._close_journal()

    async def _close_journal(self) -> None:
        if self._journal is not None:
            journal, self._journal = self._journal, None
            await settled(start(journal.close))

    async def _recover(self) -> None:
        self._loop = None  # to be opened again, from what is on the disk
        await self._close_journal()

    def _persist(self, groups: Sequence[Sequence[Change]]) -> None:
        self._opened_journal().append(self._lines(chain.from_iterable(groups)))

    def _opened_journal(self) -> Journal:
        assert self._journal is not None
        return self._journal

    async def _tidy(self) -> None:
        """Compact the journal when most of it is superseded.

        The write that made it due is durable, so that a failure here is only
        logged; compaction is tried again when the journal has doubled.
        """
        journal = self._opened_journal()
        superseded = journal.lines - len(self._state)
        due = superseded > len(self._state) + _FEW_LINES and (superseded > _MANY_LINES or journal.end > _MANY_BYTES)
        if due and journal.lines > 2 * self._failed_at:
            try:
                await settled(start(lambda: journal.rewrite(self._lines(self._state.changes()))))
                self._failed_at = 0
            except Exception as error:
                self._failed_at = journal.lines
                logger.warning("%s could not be compacted: %r", journal.path, error)

    async def health_check(self) -> bool:  # noqa: D102
        return self._journal is not None and await asyncio.shield(start(self._journal.is_intact))

    def _restored(self, journal: Journal) -> StateT | None:  # noqa: ARG002
        """Return the state that a snapshot and the journal after it give, if there is one."""
        return None

    def _keep(self, state: StateT, journal: Journal) -> None:
        """Write what makes opening faster, before the journal is closed; on a thread."""

    def _lines(self, changes: Iterable[Change]) -> Iterable[Record]:
        return chain.from_iterable(map(self._encode, changes))

    def _encode(self, change: Change) -> Iterable[Record]:
        """Return a change as the journal keeps it."""
        return (change,)

    def _decode(self, records: list[Record]) -> Iterable[Change]:
        """Return the changes that records of the journal are."""
        return records


def _close_abandoned(opening: asyncio.Future[tuple[Journal, Any]]) -> None:
    """Close a journal that was opened after all, when nobody waits for it."""
    if not opening.cancelled() and opening.exception() is None:
        start(opening.result()[0].close)
