"""A directory that is held open: its files are its own, whatever its path leads to meanwhile."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

# Regular files do not know it; a pipe, which would wait for its other end, opens at once and is refused.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)


class Directory:
    """An open directory, and what is done to the names in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    @classmethod
    def make(cls, path: Path) -> Self:
        """Open a directory that is there, or was made with its parents, durably."""
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            with Directory(each.parent) as parent:
                parent.sync()
        return cls(path)

    def open(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open a regular file and return its descriptor; anything else is an `OSError`."""
        descriptor = os.open(name, flags | _AT_ONCE, mode, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(None, "Not a regular file", name)
        return descriptor

    def reading(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return open(name, "rb", opener=self.open)

    def create(self, name: str, like: os.stat_result | None) -> BinaryIO:
        """Make a file for writing, with the mode and the owners of another; a store's first has the process's own."""
        self.unlink(name)
        mode = 0o666 if like is None else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        file = open(name, "wb", opener=lambda name, _: self.open(name, flags, mode))  # noqa: SIM115
        if like is not None:
            for owner, group in (-1, like.st_gid), (like.st_uid, -1):
                with suppress(PermissionError):  # only a privileged process may give a file to somebody else
                    os.fchown(file.fileno(), owner, group)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        return file

    def stat(self, name: str) -> os.stat_result | None:
        """Return what is known of a file, `None` where there is none."""
        try:
            return os.stat(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return None

    def names(self) -> set[str]:
        """Return what is in it."""
        return set(os.listdir(self._descriptor))  # noqa: PTH208 - of a descriptor

    def rename(self, name: str, to: str) -> None:
        """Give a file the name of another, which is gone then."""
        os.rename(name, to, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def rename_new(self, name: str, to: str) -> None:
        """Give a file a name that no other has; raises `FileExistsError`."""
        try:
            os.link(name, to, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except FileExistsError as error:
            raise FileExistsError(error.errno, "another came to be meanwhile", to) from error
        except OSError:  # a file system without links
            if self.stat(to) is not None:
                raise
            self.rename(name, to)
        else:
            self.unlink(name)

    def unlink(self, name: str) -> None:
        """Remove a file, if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def sync(self) -> None:
        """Wait until the names are on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):  # it is closed all the same
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
