"""Backends whose data lives in this process and in a journal on the disk."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, field_validator

from symphony_registry.backends.concurrency import settled, start
from symphony_registry.backends.embedded import Change, EmbeddedBackend, State
from symphony_registry.backends.options import BackendOptions
from symphony_registry.errors import RegistryError, StorageCorruptedError
from symphony_registry.journal import Journal, Record

StateT = TypeVar("StateT", bound=State)

# Compaction is due when more lines are superseded than count, and they are many or large.
_FEW_LINES = 8
_MANY_LINES = 1_000
_MANY_BYTES = 1_000_000

logger = logging.getLogger(__name__)


class FileOptions(BackendOptions):
    """The options that every file provider has."""

    path: Path = Field(description="The directory, for this backend alone; made where it is missing.")

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

    _persists = True
    _path: Path
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
        journal = Journal(self._path, self.backend_type)
        try:
            state = self._empty_state()
            for record in journal.replay():
                self._replay(state, record, journal)
        except BaseException:
            journal.close()
            raise
        return journal, state

    def _replay(self, state: StateT, record: Record, journal: Journal) -> None:
        try:
            state.apply(self._decode(record))
        except RegistryError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise StorageCorruptedError(
                f"{journal.path} holds a change that does not fit, in line {journal.lines + 1} or after: "
                f"{type(error).__name__}: {error}. Restore the file from a backup.",
                journal.path,
                journal.end,
            ) from error

    async def _close(self) -> None:
        try:
            await super()._close()
        finally:
            await self._close_journal()

    async def _close_journal(self) -> None:
        if self._journal is not None:
            journal, self._journal = self._journal, None
            await settled(start(journal.close))

    async def _recover(self) -> None:
        await self._close_journal()
        self._state = await self._load()

    def _persist(self, groups: Sequence[Sequence[Change]]) -> None:
        self._opened_journal().append([[self._encode(change) for change in changes] for changes in groups])

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
                await settled(start(lambda: journal.rewrite(map(self._encode, self._state.changes()))))
                self._failed_at = 0
            except Exception as error:
                self._failed_at = journal.lines
                logger.warning("%s could not be compacted: %r", journal.path, error)

    async def health_check(self) -> bool:  # noqa: D102
        return self._journal is not None and await start(self._journal.is_intact)

    def _encode(self, change: Change) -> Record:
        """Return a change as the journal keeps it."""
        return change

    def _decode(self, record: Record) -> Change:
        """Return the change that a record of the journal is."""
        return record


def _close_abandoned(opening: asyncio.Future[tuple[Journal, Any]]) -> None:
    """Close a journal that was opened after all, when nobody waits for it."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()
