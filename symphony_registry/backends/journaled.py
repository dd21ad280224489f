"""Backends whose data lives in this process and in a journal on the disk."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field

from symphony_registry.backends.concurrency import LONG, computed, to_the_end
from symphony_registry.backends.embedded import Change, Decide, EmbeddedBackend, State, Touches, anything
from symphony_registry.backends.options import BackendOptions
from symphony_registry.errors import RegistryError, StorageCorruptedError, StorageError
from symphony_registry.journal import Journal, Record

T = TypeVar("T")
StateT = TypeVar("StateT", bound=State)

# Compaction is due when this many lines are superseded, and more than those that count.
_MANY_LINES = 1_000

logger = logging.getLogger(__name__)


class FileOptions(BackendOptions):
    """The options that every file provider has."""

    path: Path = Field(description="The directory, for this backend alone; made where it is missing.")


class _Waiting(NamedTuple):
    """A write that waits for its turn."""

    decide: Decide[Any]
    cost: float
    touches: Touches
    done: asyncio.Future[Any]


class JournaledBackend(EmbeddedBackend[StateT]):
    """An embedded backend that writes each change to a journal before it is seen.

    All writes that wait go to the disk together, as long as they touch different
    ids: each decides on what is stored, and none sees what another is about to do.
    """

    _journal: Journal | None = None
    _failed_at = 0  # lines when compaction failed last
    _path: Path

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None

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
        while self._committing is not None:
            await self._committing
        await super()._close()
        if self._journal is not None:
            journal, self._journal = self._journal, None
            await asyncio.to_thread(journal.close)

    async def _write(self, decide: Decide[T], cost: float = 0, touches: Touches = anything) -> T:
        self.ensure_open()
        loop = asyncio.get_running_loop()
        write = _Waiting(decide, cost, touches, loop.create_future())
        self._waiting.append(write)
        if self._committing is None:
            self._committing = loop.create_task(self._commit_all())
        result: T = await to_the_end(write.done)
        return result

    async def _commit_all(self) -> None:
        group: list[_Waiting] = []
        try:
            while self._waiting:
                group = self._next_group()
                await self._commit(group)
                await self._tidy()
        finally:
            self._committing = None
            for write in (*group, *self._waiting):  # none is left, unless the event loop is ending
                write.done.cancel()
            self._waiting.clear()

    def _next_group(self) -> list[_Waiting]:
        """Take the writes from the front that touch different ids; one that may touch any stands alone."""
        group = [self._waiting.popleft()]
        first = group[0].touches()
        touched = set(first or ())
        while first is not None and self._waiting:
            ids = self._waiting[0].touches()
            if ids is None or not touched.isdisjoint(ids):
                break
            touched.update(ids)
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        decided: list[tuple[_Waiting, Sequence[Change], Any]] = []
        for write in group:
            try:
                decided.append((write, *await computed(write.decide, write.cost)))
            except Exception as error:
                write.done.set_exception(error)
        changes = [changes for _, changes, _ in decided if changes]
        try:
            if changes:
                await asyncio.to_thread(self._append, changes)
                cost = sum(write.cost for write, _, _ in decided)
                await self._gate.change(lambda: self._apply(chain.from_iterable(changes)), on_thread=cost > LONG)
        except Exception as error:
            for write, _, _ in decided:
                write.done.set_exception(error)
        else:
            for write, _, result in decided:
                write.done.set_result(result)

    def _append(self, groups: Sequence[Sequence[Change]]) -> None:
        self._open().append([[self._encode(change) for change in changes] for changes in groups])

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
