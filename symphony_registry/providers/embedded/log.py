"""The log of the `file` providers: the changes of a state as the records of a journal."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from pydantic import Field, field_validator
from typing_extensions import override

from symphony_registry.backends.engine import Engine
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.placeholders import checked_directory
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import RegistryError, StorageCorruptedError, StorageError
from symphony_registry.providers.embedded.journal import Directory, Durability, Journal, Record
from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME, RESCUE
from symphony_registry.providers.embedded.journal.replay import failing
from symphony_registry.providers.embedded.replica import IN_MEMORY, Change, State

StateT = TypeVar("StateT", bound=State)

# Compaction is due when more lines are superseded than count, and they are many or large.
_FEW_LINES = 8
_MANY_LINES = 1_000
_MANY_BYTES = 1_000_000
# Records that are read together.
_BATCH = 1_000

ON_DISK = replace(IN_MEMORY, survives="power loss", exclusive=True)

logger = logging.getLogger(__name__)


class FileOptions(BackendOptions):
    """The options that every file provider has."""

    path: Path = Field(description="The directory, for this backend alone; made where it is missing.")
    durability: Durability = Field(
        default="full", description="What a write survives: full, power loss too; os, a crash of the process only."
    )
    read_only: bool = Field(
        default=False,
        description="Read what is stored at the opening, without the lock, beside an application; refuse writes.",
    )

    @field_validator("path", mode="before")
    @classmethod
    def _check(cls, path: object) -> object:
        return checked_directory(path) if isinstance(path, str) else path

    @field_validator("path")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        if "\0" in str(path):
            raise ValueError("a path cannot hold U+0000")
        try:
            return path.expanduser().absolute()  # whatever the working directory is later
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        except OSError as error:
            raise ValueError("the path is relative, and the working directory is gone") from error

    @override
    def exclusive(self) -> dict[str, str]:
        return {} if self.read_only else {"path": os.path.realpath(self.path)}


class DirectoryBackend(Engine):
    """A backend in a directory, which may stand for all of its options: `FileVectorStore("data/vectors")`."""

    def __init__(self, config: Mapping[str, Any] | str | os.PathLike[str] | None = None) -> None:
        super().__init__({"path": config} if isinstance(config, str | os.PathLike) else config)

    @override
    async def initialize(self, config: Mapping[str, Any] | None = None) -> None:
        """Take other options; where they have no path, the directory stays."""
        await super().initialize(None if config is None else {"path": self.config["path"], **config})


class Codec:
    """How changes stand in a journal: here, as they are."""

    def __init__(self, fields: Mapping[str, Mapping[str, type]]) -> None:
        """Take what stands in a record, by its `op`."""
        self._fields = fields

    def encode(self, change: Change) -> Iterable[Record]:
        """Return a change as records."""
        return (change,)

    def decode(self, records: list[Record]) -> Iterable[Change]:
        """Return the changes that records are.

        Raises `TypeError`, `KeyError` or `ValueError` where one is none of this type.
        """
        for record in records:
            for name, kind in self._fields[record["op"]].items():
                if type(record[name]) is not kind:
                    raise TypeError(f"{record['op']}: {name} is not a {kind.__name__}")
        return self._changes(records)

    def _changes(self, records: list[Record]) -> Iterable[Change]:
        return records


class StateSnapshot(Protocol[StateT]):
    """A copy of the state beside the journal, from which opening is faster."""

    def read(self, directory: Directory, journal: BinaryIO) -> tuple[StateT, int, int] | None:
        """Return the state, and the bytes and lines of the journal that it covers, if there is a copy that fits."""
        ...

    def look(self, journal: Journal) -> None:
        """Raise `StorageError` where the copy that was read was changed since, and the state perhaps with it."""
        ...

    def write(self, state: StateT, journal: Journal) -> None:
        """Copy the state where that is worth it."""
        ...


class JournalLog(Generic[StateT]):
    """A log in a journal; opened again, it takes hold of the same directory."""

    def __init__(
        self,
        backend_type: BackendType,
        options: FileOptions,
        empty: Callable[[], StateT],
        codec: Codec,
        snapshot: StateSnapshot[StateT] | None = None,
    ) -> None:
        self._backend_type = backend_type
        self._directory = options.path
        self._durability: Durability = options.durability
        self._empty = empty
        self._codec = codec
        self._snapshot = snapshot
        self._journal: Journal | None = None
        self._covered = [0, 0]  # bytes and lines of the journal that the state has already
        self._failed_at = 0  # lines when compaction failed last

    @property
    def journal(self) -> Journal:
        """The journal; there is one while the log is open."""
        assert self._journal is not None
        return self._journal

    def exists(self) -> bool:
        """Say whether the directory has a journal."""
        return is_there(self._directory)

    def open(self) -> StateT:
        """Lock the directory, and return the state of the snapshot if there is one, else an empty one."""
        journal = Journal(self._directory, self._backend_type, self._durability)
        try:
            with journal.reading() as file:
                state, *covered = beginning(self._snapshot, self._empty, journal.directory, file)
        except BaseException:
            journal.close()
            raise
        self._journal, self._covered = journal, covered
        return state

    def replay(self, state: StateT) -> None:
        """Make the changes that the journal has after the snapshot."""
        journal = self.journal
        make_changes(state, journal.replay(*self._covered), self._codec, journal.path, journal)
        if journal.is_old:
            self._rewrite(state)

    def append(self, groups: Sequence[Sequence[Change]]) -> int:
        """Write the changes as one group of lines; return the number of the last."""
        self.journal.append(chain.from_iterable(map(self._codec.encode, chain.from_iterable(groups))))
        return self.journal.lines

    def is_due(self, state: StateT) -> bool:
        """Say whether most lines are superseded; after a failure, when there are twice as many."""
        lines = self.journal.lines
        superseded = lines - len(state)
        many = superseded > _MANY_LINES or self.journal.end > _MANY_BYTES
        return many and superseded > len(state) + _FEW_LINES and lines > 2 * self._failed_at

    def compact(self, state: StateT) -> None:
        """Rewrite the journal; what made it due is durable already, so that a failure is only logged."""
        try:
            self.look()
            self._rewrite(state)
            self._failed_at = 0
        except Exception as error:
            self._failed_at = self.journal.lines
            logger.warning("%s could not be compacted: %r", self.journal.path, error)

    def _rewrite(self, state: StateT) -> None:
        self.journal.rewrite(chain.from_iterable(map(self._codec.encode, state.changes())))

    def look(self) -> None:
        """Raise `StorageError` where the next opening would not find this journal, or the state is not what it says."""
        self.journal.look()
        if self._snapshot is not None:
            self._snapshot.look(self.journal)

    def abandon(self) -> None:
        """Forget the journal, which a forked child has let go of."""
        self._journal = None

    def close(self, state: StateT | None) -> None:
        """Write the snapshot if it is due, and let go of the directory."""
        if self._journal is None:
            return
        journal = self._journal
        try:
            self.look()
            if state is not None and self._snapshot is not None:
                self._snapshot.write(state, journal)
        except StorageError as error:
            logger.warning("%s", error)  # no write waits for it, so that nothing is lost
        finally:
            self._journal = None
            journal.close()


def beginning(
    snapshot: StateSnapshot[StateT] | None, empty: Callable[[], StateT], directory: Directory, journal: BinaryIO
) -> tuple[StateT, int, int]:
    """Return the state of the snapshot, where one fits, else an empty one, and the bytes and lines that it has."""
    found = None if snapshot is None else snapshot.read(directory, journal)
    return (empty(), 0, 0) if found is None else found


def promises(options: FileOptions) -> Guarantees:
    """Return what a file provider promises with these options."""
    survives = ON_DISK.survives if options.durability == "full" else "crash"
    return replace(ON_DISK, survives=survives, exclusive=not options.read_only)


def is_there(directory: Path) -> bool:
    """Say whether a directory has a journal."""
    path = directory / JOURNAL_NAME
    with failing("looked for", path):
        return path.exists()


class Position(Protocol):
    """How far a journal was read, in bytes and lines."""

    end: int
    lines: int


def make_changes(state: State, groups: Iterable[list[Record]], codec: Codec, path: Path, position: Position) -> None:
    """Make the changes that the groups of a journal are; raises `StorageCorruptedError` for those that do not fit."""
    for records in _batches(groups):
        try:
            for change in codec.decode(records):
                state.apply(change)
        except RegistryError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise StorageCorruptedError(
                f"{path} holds a change that does not fit, before line {position.lines + 1}: "
                f"{type(error).__name__}: {error}. {RESCUE}",
                path,
                position.end,
            ) from error


def _batches(groups: Iterable[list[Record]]) -> Iterator[list[Record]]:
    """Yield the records of groups some at a time: those of many small groups are decoded together."""
    waiting: list[Record] = []
    for records in groups:
        waiting += records
        if len(waiting) >= _BATCH:
            yield waiting
            waiting = []
    yield waiting
