"""A file whose data is followed by padding, which later data overwrites: see docs/design/journal.md."""

import os
from contextlib import suppress
from pathlib import Path

# White space to JSON, which never stands raw inside a JSON text: the file stays JSON lines.
PAD = b"\t"
# The bytes found where no data was written; a file that was only made longer reads as zeros.
BLANK = PAD + b"\0"
SECTOR = 512  # bytes that a disk writes whole or not at all

# Padding is added in the file's own length, but within these bounds.
_LEAST_PADDING, _MOST_PADDING = 1 << 16, 1 << 20
_CHUNK = 1 << 20


class Segment:
    """The data of an open file up to `end`, and the padding after it.

    Overwriting padding changes neither the size of the file nor where it lies on
    the disk, so that a sync costs one write instead of two. At least one byte of
    padding always follows the data: a file without it was truncated.
    """

    def __init__(self, descriptor: int, end: int, dirty: int, *, full: bool) -> None:
        """Take over `descriptor`. What stands from `end` to `dirty` does not count. `full` syncs every write."""
        self.end = end
        self._descriptor = descriptor
        self._dirty = max(end, dirty)
        self._size = os.fstat(descriptor).st_size
        self._full = full

    def append(self, data: bytes) -> None:
        """Write `data` at the end and make it durable. After an `OSError` it does not count."""
        self._extend(len(data))
        self._clean()
        self._dirty = self.end + len(data)
        try:
            self._write(data, self.end)
            if self._full:
                _sync_data(self._descriptor)
        except OSError:
            with suppress(OSError):  # else the next write or close tries again
                self._clean()
            raise
        self.end = self._dirty

    def is_at(self, path: Path) -> bool:
        """Say whether this is the file at `path`."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def close(self, closing: bytes | None) -> None:
        """Write `closing`, if any, at the end, cut off the padding, and close the file."""
        try:
            if closing is not None:
                self.append(closing)
                os.ftruncate(self._descriptor, self.end)
        finally:
            os.close(self._descriptor)

    def _extend(self, length: int) -> None:
        """Make the file longer if so many bytes and some padding do not fit."""
        needed = max(self._dirty, self.end + length) + 1
        if needed > self._size:
            large = length > _MOST_PADDING  # so large a write gains nothing from padding
            size = needed + (_LEAST_PADDING if large else min(max(needed, _LEAST_PADDING), _MOST_PADDING))
            os.ftruncate(self._descriptor, size)
            self._pad(needed, size)  # the bytes before that are about to be written
            self._sync()
            self._size = size

    def _clean(self) -> None:
        """Overwrite what does not count with padding."""
        if self._dirty > self.end:
            self._pad(self.end, self._dirty)
            self._sync()
            self._dirty = self.end

    def _pad(self, start: int, stop: int) -> None:
        for position in range(start, stop, _CHUNK):
            self._write(PAD * min(_CHUNK, stop - position), position)

    def _write(self, data: bytes, position: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view = view[written:]
            position += written

    def _sync(self) -> None:
        if self._full:
            os.fsync(self._descriptor)


def _sync_data(descriptor: int) -> None:
    """Sync the data, and only such metadata as reading them needs."""
    getattr(os, "fdatasync", os.fsync)(descriptor)
