"""A file whose data is followed by padding, which later data overwrites: see docs/design/journal.md."""

import errno
import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from symphony_registry.errors import StorageError
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.identity import id_and_size, id_and_size_at
from symphony_registry.providers.embedded.journal.lock import lock_file, unlock_file

# White space to JSON, which never stands raw inside a JSON text: the file stays JSON lines.
PAD = b"\t"
# The bytes found where no data was written; a file that was only made longer reads as zeros.
BLANK = PAD + b"\0"
SECTOR = 512  # bytes that a disk writes whole or not at all

# Padding is added in the file's own length, but within these bounds.
_LEAST_PADDING, _MOST_PADDING = 1 << 16, 1 << 20
# A large write makes room for some like it, which is left unwritten, up to this.
_MOST_ROOM = 1 << 24
_CHUNK = 1 << 20
# The size of a file that could not be made longer or shorter: the next write tries again.
_UNCERTAIN = 0
_FULL = {errno.ENOSPC, errno.EDQUOT}
# So many bytes before the end are compared with what was written: more than a line's checksum.
_TAIL = 64

logger = logging.getLogger(__name__)


def was_closed(size: int) -> bool:
    """Say whether a file of this size was closed in order: while it is open, it is made of whole sectors."""
    return size % SECTOR != 0


def _is_large(length: int) -> bool:
    """Say whether padding for such writes would cost more than it saves."""
    return 4 * length > _MOST_PADDING


def _whole(size: int) -> int:
    return size + -size % SECTOR


class Segment:
    """The data of an open file up to `end`, and the padding after it.

    Overwriting padding changes neither the size of the file nor where it lies on
    the disk, so that a sync costs one write instead of two. For large writes the
    file is only made longer, by the sync of the one before. At least one blank
    byte always follows the data: a file without it was truncated.
    """

    def __init__(self, descriptor: int, path: Path, *, full: bool) -> None:
        """Take over `descriptor`, of the file that the next opening is to find at `path`; `full` syncs every write."""
        self._descriptor = descriptor
        self._path = path
        self._encoded_path = os.fsencode(path)
        self._id, self._size = id_and_size(descriptor)
        self._full = full
        self.end = self._dirty = 0
        self._padded = self._room = 0  # up to where there is padding, or at least room, on the disk
        self._tail = b""  # what stands before the end

    def lock(self, directory: Directory) -> None:
        """Keep other openings out, that of `directory` and of any other that leads to this file."""
        lock_file(self._descriptor, directory)

    def resume(self, end: int, dirty: int) -> None:
        """Take the data for what stands up to `end`, and nothing up to `dirty` for data."""
        self.end = end
        # what a killed process left may not be on the disk: the first write has to sync it
        self._dirty = self._padded = self._room = max(end, dirty)
        self._tail = os.pread(self._descriptor, min(end, _TAIL), max(end - _TAIL, 0))

    def reading(self) -> BinaryIO:
        """Return the file for reading; it stays open when that is closed."""
        return open(self._descriptor, "rb", closefd=False)

    def append(self, parts: Sequence[bytes]) -> None:
        """Write `parts` at the end and make them durable, where the next opening finds them.

        After an `OSError` it does not count.
        """
        if not self._is_intact():
            raise self._lost()
        length = sum(map(len, parts))
        self._extend(length)
        self._clean()
        self._extend(length)  # again, where cleaning had to make it shorter
        self._dirty = self.end + length
        try:
            self._write(parts, self.end)
            self._sync_write(length)
            if not self._is_at_its_path():
                raise self._lost()
        except OSError:
            with suppress(OSError):  # else the next write or close tries again
                self._clean()
            raise
        self.end = self._dirty
        self._tail = b"".join((self._tail, *(part[-_TAIL:] for part in parts)))[-_TAIL:]

    def is_found(self) -> bool:
        """Say whether the next opening finds this file, as it was written."""
        return self._is_intact() and self._is_at_its_path()

    def _is_intact(self) -> bool:
        """Say whether nobody else wrote over it, as restoring a backup does."""
        if self._size not in (os.lseek(self._descriptor, 0, os.SEEK_END), _UNCERTAIN):
            return False
        found = os.pread(self._descriptor, len(self._tail) + 1, self.end - len(self._tail))
        ends = self._dirty > self.end or not found[len(self._tail) :].strip(BLANK)  # else it goes on with more
        return ends and found.startswith(self._tail)

    def _is_at_its_path(self) -> bool:
        """Say whether its path leads to it, and nobody else made it longer or shorter."""
        try:
            found, size = id_and_size_at(self._encoded_path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return found == self._id and self._size in (size, _UNCERTAIN)

    def look(self) -> None:
        """Raise an `OSError` unless the next opening finds this file."""
        if not self.is_found():
            raise self._lost()

    def _lost(self) -> StorageError:
        return StorageError(
            f"{self._path} is not the file any more that this store opened: it was moved, removed, replaced "
            "or overwritten. What is written now would be lost. Put it back, or close the store and open it again "
            "to go on with what is there.",
            self._path,
        )

    def close(self, closing: bytes | None) -> None:
        """Write `closing`, if any, at the end, cut off the padding, and unlock and close the file.

        One that was moved or replaced is left as it is; so is one on a full disk, as a crash would leave it.
        """
        try:
            if closing is not None and self.is_found():
                self._finish(closing)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            logger.warning("%s was closed without its last line, since the disk is full; nothing is lost", self._path)
        finally:
            unlock_file(self._descriptor)
            self.abandon()

    def _finish(self, closing: bytes) -> None:
        self.append([closing])
        if not self._full:
            _sync_data(self._descriptor)  # what was closed is never taken for a crash, so it must not look so
        os.ftruncate(self._descriptor, self.end if was_closed(self.end) else self.end + 1)

    def abandon(self) -> None:
        """Close the file for this process alone."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _extend(self, length: int) -> None:
        """Make the file longer if so many bytes do not fit, and pad it for a small write."""
        needed = padded = max(self._dirty, self.end + length) + 1
        if not _is_large(length):
            padded = _whole(needed + min(max(needed, _LEAST_PADDING), _MOST_PADDING))
        if needed <= min(self._size, self._room if _is_large(length) else self._padded):
            return
        try:
            self._resize(needed, padded, max(padded, self._size))
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._resize(needed, needed, needed)  # the write itself may still fit

    def _resize(self, needed: int, padded: int, size: int) -> None:
        """Make the file `size` bytes long, in whole sectors, with padding from `needed`, where a write will end, on."""
        size = _whole(size)
        self._size = _UNCERTAIN
        os.ftruncate(self._descriptor, size)
        self._pad(needed, padded)
        self._sync()
        self._size, self._padded, self._room = size, padded, size

    def _sync_write(self, length: int) -> None:
        """Make what was written durable, and by the same sync, if it is large, room for the next."""
        if not _is_large(length) or self._dirty + length < self._room:
            if self._full:
                _sync_data(self._descriptor)
            return
        size = max(_whole(self._dirty + min(4 * length, _MOST_ROOM) + 1), self._size)
        self._size = _UNCERTAIN
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:  # what was written fits without it
            size = _UNCERTAIN
        self._sync()
        self._size = self._room = size

    def _clean(self) -> None:
        """Overwrite what does not count with padding."""
        if self._dirty > self.end:
            try:
                self._pad(self.end, self._dirty)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._resize(self.end, _whole(self.end + 1), self.end + 1)  # cut off what the disk has no room for
            self._sync()
            self._dirty = self.end

    def _pad(self, start: int, stop: int) -> None:
        for position in range(start, stop, _CHUNK):
            self._write([PAD * min(_CHUNK, stop - position)], position)

    def _write(self, parts: Sequence[bytes], position: int) -> None:
        """Write `parts` one behind the other; none ends in a sector that is written without the next."""
        left = deque([memoryview(part) for part in parts])
        while left:
            # much at once, from the middle of a page, takes Linux several times as long
            room, taken = _CHUNK - position % _CHUNK, list[memoryview]()
            for part in left:
                taken.append(part[:room])
                room -= len(taken[-1])
                if not room:
                    break
            written = os.pwritev(self._descriptor, taken, position)
            position += written
            while left and written >= len(left[0]):
                written -= len(left.popleft())
            if written:
                left[0] = left[0][written:]

    def _sync(self) -> None:
        if self._full:
            os.fsync(self._descriptor)


def _sync_data(descriptor: int) -> None:
    """Sync the data, and only such metadata as reading them needs."""
    getattr(os, "fdatasync", os.fsync)(descriptor)
