"""The log of a file provider: a journal that is locked, or what another process has committed to it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NoReturn

from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import StorageError, UnsupportedOperationError
from symphony_registry.providers.embedded.journal import Directory, Replay
from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME
from symphony_registry.providers.embedded.journal.replay import failing
from symphony_registry.providers.embedded.log import (
    Codec,
    FileOptions,
    JournalLog,
    StateSnapshot,
    beginning,
    is_there,
    make_changes,
)
from symphony_registry.providers.embedded.replica import Change, Log, StateT


def file_log(
    backend_type: BackendType,
    options: FileOptions,
    empty: Callable[[], StateT],
    codec: Codec,
    snapshot: StateSnapshot[StateT] | None = None,
) -> Log[StateT]:
    """Return the log that the options of a file provider ask for."""
    if options.read_only:
        return CommittedLog(backend_type, options.path, empty, codec, snapshot)
    return JournalLog(backend_type, options, empty, codec, snapshot)


class CommittedLog(Generic[StateT]):
    """A log that takes no lock and no change: what stands in the journal when it is opened."""

    def __init__(
        self,
        backend_type: BackendType,
        directory: Path,
        empty: Callable[[], StateT],
        codec: Codec,
        snapshot: StateSnapshot[StateT] | None = None,
    ) -> None:
        self._backend_type = backend_type
        self._directory = directory
        self._empty = empty
        self._codec = codec
        self._snapshot = snapshot

    def exists(self) -> bool:
        """Say whether the directory has a journal."""
        return is_there(self._directory)

    def open(self) -> StateT:
        """Make all changes that are on the disk now; raises `StorageError` where there is nothing to read."""
        if not self.exists():
            raise StorageError(
                f"There is no {self._backend_type} in {self._directory}: nothing was ever stored in it, and with "
                "read_only it is not made. Check the path, or open it without that option.",
                self._directory,
            )
        path = self._directory / JOURNAL_NAME
        with failing("read", path), Directory(self._directory) as directory, directory.reading(path.name) as file:
            state, end, lines = beginning(self._snapshot, self._empty, directory, file)
            journal = Replay(file, path, self._backend_type, end, lines, shared=True)
            make_changes(state, journal.groups(), self._codec, path, journal)
        return state

    def replay(self, state: StateT) -> None:
        """Do nothing: a journal that is read later may be another."""

    def append(self, groups: Sequence[Sequence[Change]]) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise UnsupportedOperationError(
            f"The {self._backend_type} in {self._directory} was opened with read_only: nothing was written. "
            "Open it without that option to write."
        )

    def is_due(self, state: StateT) -> bool:  # noqa: ARG002
        """Say no: nothing is kept here."""
        return False

    def compact(self, state: StateT) -> None:
        """Do nothing."""

    def look(self) -> None:
        """Do nothing: nothing will be appended."""

    def abandon(self) -> None:
        """Do nothing: nothing is open."""

    def close(self, state: StateT | None) -> None:
        """Do nothing: nothing is open."""
