"""Reading a journal from its beginning, or from where a snapshot ends."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from symphony_registry.errors import StorageCorruptedError, StorageError, StorageFormatError
from symphony_registry.providers.embedded.journal.lines import (
    FORMAT,
    OLD_VERSIONS,
    VERSION,
    DamagedLineError,
    Record,
    decode_line,
)
from symphony_registry.providers.embedded.journal.names import RESCUE
from symphony_registry.providers.embedded.journal.segment import BLANK
from symphony_registry.providers.embedded.journal.tail import unfinished_write

# How often a journal is read again at a place that does not become whole, while somebody else may write there.
_LOOKS = 5

logger = logging.getLogger(__name__)


class Replay:
    """The groups of a journal's file: up to `end`, in bytes, which are `lines`, they were read.

    One that is `shared` may be written to by somebody else, so that parts of a write
    may be read, the later ones first: what looks like damage is looked at again. What is
    appended meanwhile is read or not; a compaction leaves the file as it was.
    """

    def __init__(
        self, file: BinaryIO, path: Path, kind: str, end: int = 0, lines: int = 0, *, shared: bool = False
    ) -> None:
        """Begin after a whole number of groups."""
        self.end, self.lines = end, lines
        self.dirty = end  # where nothing follows any more
        self.closed = False  # the closing line stands there
        self._file, self._path, self._kind = file, path, kind
        self._looks = _LOOKS if shared else 0
        self._base = not end  # was synced before the file got its name, so that it cannot be unfinished

    def groups(self) -> Iterator[list[Record]]:
        """Yield the records of each group; what a crash in the middle of a write leaves behind is left out.

        Raises `StorageCorruptedError` for damage.
        """
        left, reached = self._looks, self.end
        while True:
            try:
                yield from self._groups()
            except StorageCorruptedError:
                left, reached = self._looks if self.end > reached else left - 1, self.end
                if left < 0:
                    raise
            else:
                return

    def _groups(self) -> Iterator[list[Record]]:
        self._file.seek(self.end)
        group: list[Record] = []
        offset, reason = self.end, "its end is missing"
        for text in self._file:
            if not text.endswith(b"\n"):  # the padding
                break
            try:
                line = decode_line(text)
            except DamagedLineError as error:
                reason = str(error)
                break
            number = self.lines + len(group)
            if (line.sequence, line.part) != (number, number if self._base else len(group)):
                reason = "it has another number, so that lines before it are missing or repeated"
                break
            offset += len(text)
            if line.closes:
                self.closed = True
                break
            group.append(line.record)
            if self._base or not line.more:
                if self.lines:
                    yield group
                else:
                    check_header(line.record, self._path, self._kind)
                self.end, self.lines, group = offset, self.lines + len(group), []
                self._base = self._base and line.more
        begun = self._begun()
        if begun is None:
            raise corrupted(self._path, reason, offset, self.lines + len(group))
        if begun:
            logger.warning("%s: left out %d bytes of a write that was not finished", self._path, begun)
        self.dirty = max(offset, self.end + begun)

    def _begun(self) -> int | None:
        """Return the size of the unfinished write at the end, `None` if what is there is damage."""
        if self._base:
            return None
        if self.closed:
            return None if self._file.read().strip(BLANK) else 0
        return unfinished_write(self._file, self.end, self.lines)


def check_header(record: Record, path: Path, kind: str | None = None) -> None:
    """Raise `StorageFormatError` unless a journal of this version, and of a kind, begins with `record`."""
    if record.get("format") != FORMAT or type(record.get("kind")) is not str:
        raise StorageFormatError(f"{path} is not a journal of this package.", path)
    if record.get("version") not in (VERSION, *OLD_VERSIONS):
        raise StorageFormatError(
            f"{path} has the format version {record.get('version')}; this package reads versions up to {VERSION}. "
            "Use the version of the package that wrote it.",
            path,
        )
    if kind not in (None, record["kind"]):
        raise StorageFormatError(
            f"{path.parent} holds a {record['kind']}, not a {kind}. Name another directory.", path.parent
        )


def corrupted(path: Path, reason: str, offset: int = 0, lines: int = 0) -> StorageCorruptedError:
    """Return the error that says where a journal is damaged."""
    return StorageCorruptedError(
        f"{path} is damaged at byte {offset} (line {lines + 1}): {reason}. Nothing was changed. {RESCUE}", path, offset
    )


@contextmanager
def failing(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that says which file could not be `what`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if isinstance(error.filename, str) and not os.path.isabs(error.filename):  # noqa: PTH117 - a name, no path
            path = path.parent / error.filename
        raise StorageError(f"{path} could not be {what}: {error.strerror}.", path) from error
