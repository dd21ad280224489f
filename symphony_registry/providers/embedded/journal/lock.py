"""An exclusive lock on a directory, held by the kernel until the process ends."""

import fcntl
import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Self

from symphony_registry.errors import StorageError, StorageLockedError
from symphony_registry.providers.embedded.journal.names import LOCK_NAME


class DirectoryLock:
    """A lock of a directory against other processes and other backends of this one.

    The file `LOCK` names the holder for people; what counts is the kernel's lock
    on it, which a dead process cannot leave behind. A forked child does not hold it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def acquire(cls, directory: Path) -> Self:
        """Lock `directory`, or raise `StorageLockedError` with the holder's pid."""
        path = directory / LOCK_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(f"The lock {path} cannot be opened: {error.strerror}.", path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).strip().decode("ascii", "replace")
            os.close(descriptor)
            holder = "another backend of this process" if pid == str(os.getpid()) else "another process"
            raise StorageLockedError(
                f"The directory {directory} is in use by {holder} (pid {pid or 'unknown'}). "
                "Close that one first, or choose another path.",
                directory,
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise StorageError(f"The directory {directory} cannot be locked: {error.strerror}.", path) from error
        with suppress(OSError):  # the pid is for people only, and the disk may be full
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return cls(descriptor)

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Give the directory free."""
        if self.is_held:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a child just forked may have the descriptor still
            self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):  # it is closed all the same
            os.close(descriptor)


_held: "weakref.WeakSet[DirectoryLock]" = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        if lock.is_held:
            lock._forget()


os.register_at_fork(after_in_child=_forget_all)  # the lock stays with the parent
