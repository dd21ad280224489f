"""Exclusive locks on a store's files, held by the kernel until the process ends."""

import fcntl
import os
import re
from contextlib import suppress
from typing import Self

from symphony_registry.backends.forking import abandon_in_children, no_fork
from symphony_registry.errors import StorageLockedError
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.names import LOCK_NAME

_SIGNATURE = re.compile(rb"(\d*)\n?")
_LONG = 20  # longer than any signature


class DirectoryLock:
    """A lock of a directory against other processes and other backends of this one.

    The file `LOCK` names the holder for people; what counts is the kernel's lock
    on it, which a dead process cannot leave behind. A forked child does not hold it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        abandon_in_children(self)

    @classmethod
    def acquire(cls, directory: Directory) -> Self:
        """Lock `directory`, or raise `StorageLockedError`."""
        with no_fork:
            descriptor = directory.open(LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                lock_file(descriptor, directory)
            except BaseException:
                os.close(descriptor)
                raise
            return cls(descriptor)

    def sign(self) -> None:
        """Say in the file who holds the lock: for people only, and the disk may be full.

        A file with anything else in it is a link to somebody's, and is left as it is.
        """
        with suppress(OSError):
            if _SIGNATURE.fullmatch(os.pread(self._descriptor, _LONG, 0)):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Give the directory free."""
        if self.is_held:
            unlock_file(self._descriptor)
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file without unlocking it for the process that forked this one."""
        if self.is_held:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):  # it is closed all the same
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(descriptor: int, directory: Directory) -> None:
    """Lock an open file of `directory`, or raise `StorageLockedError` with the holder's pid."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = _holder(directory)
        holder = "another backend of this process" if pid == str(os.getpid()) else "another process"
        raise StorageLockedError(
            f"The directory {directory.path} is in use by {holder} (pid {pid or 'unknown'}).",
            directory.path,
            "To write, stop or close that one, or choose another path; to read beside it, set the option read_only.",
        ) from error


def unlock_file(descriptor: int) -> None:
    """Unlock a file that is about to be closed, which is enough unless a child just forked still has it open."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _holder(directory: Directory) -> str:
    try:
        with directory.reading(LOCK_NAME) as file:
            signature = _SIGNATURE.fullmatch(file.read(_LONG))
    except OSError:
        return ""
    return signature[1].decode() if signature else ""
