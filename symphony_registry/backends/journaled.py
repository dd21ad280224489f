"""Backends whose data lives in this process and in a journal on the disk."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from symphony_registry.backends.embedded import Change, EmbeddedBackend, State
from symphony_registry.backends.options import BackendOptions
from symphony_registry.errors import StorageCorruptedError, StorageError
from symphony_registry.journal import Journal, Record

StateT = TypeVar("StateT", bound=State)

# Compaction is due when this many lines are superseded, and more than those that count.
_MANY_LINES = 1_000

logger = logging.getLogger(__name__)


class FileOptions(BackendOptions):
    """The options that every file provider has."""

    path: Path = Field(description="The directory, for this backend alone; made where it is missing.")


class JournaledBackend(EmbeddedBackend[StateT]):
    """An embedded backend that writes each change to a journal before it is seen."""

    _persists = True
    _journal: Journal | None = None
    _failed_at = 0  # lines when compaction failed last
    _path: Path

    async def _load(self) -> StateT:
        opening = asyncio.ensure_future(asyncio.to_thread(self._open_journal))
        try:
            self._journal, state = await asyncio.shield(opening)
        except asyncio.CancelledError:
            journal, _ = await opening
            journal.close()
            raise
        return state

    def _open_journal(self) -> tuple[Journal, StateT]:
        journal = Journal(self._path.expanduser(), self.backend_type)
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
        except (KeyError, TypeError, ValueError) as error:
            raise StorageCorruptedError(
                f"{journal.path} holds a change that does not fit, in line {journal.lines + 1} or after: "
                f"{type(error).__name__}: {error}. Restore the file from a backup.",
                journal.path,
                journal.end,
            ) from error

    async def _close(self) -> None:
        await super()._close()
        if self._journal is not None:
            journal, self._journal = self._journal, None
            await asyncio.to_thread(journal.close)

    async def _persist(self, changes: Sequence[Change]) -> None:
        journal = self._open()
        await asyncio.to_thread(lambda: journal.append([self._encode(change) for change in changes]))

    def _open(self) -> Journal:
        assert self._journal is not None
        return self._journal

    async def _tidy(self) -> None:
        """Compact the journal when most of its lines are superseded.

        The write that made it due is durable, so that a failure here is only
        logged; compaction is tried again when the journal has doubled.
        """
        journal = self._open()
        live = len(self._state)
        if journal.lines - live > max(live, _MANY_LINES) and journal.lines > 2 * self._failed_at:
            try:
                await asyncio.to_thread(journal.rewrite, map(self._encode, self._state.changes()))
                self._failed_at = 0
            except StorageError as error:
                self._failed_at = journal.lines
                logger.warning("%s could not be compacted: %s", journal.path, error)

    async def health_check(self) -> bool:  # noqa: D102
        return self._journal is not None and await asyncio.to_thread(self._journal.is_intact)

    def _encode(self, change: Change) -> Record:
        """Return a change as the journal keeps it."""
        return change

    def _decode(self, record: Record) -> Change:
        """Return the change that a record of the journal is."""
        return record
