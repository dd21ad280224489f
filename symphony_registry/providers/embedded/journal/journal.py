"""An append-only journal that survives a crash at any moment, and its compaction."""

import logging
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Literal

from symphony_registry.errors import StorageCorruptedError, StorageError, StorageFormatError
from symphony_registry.providers.embedded.journal.lines import (
    FORMAT,
    VERSION,
    DamagedLineError,
    Record,
    closing_line,
    decode_line,
    encode_group,
    header,
)
from symphony_registry.providers.embedded.journal.lock import DirectoryLock
from symphony_registry.providers.embedded.journal.names import (
    JOURNAL_NAME,
    LOCK_NAME,
    NEW,
    RESCUE,
    SNAPSHOT_NAME,
    SYMPHONY_ADVICE,
    SYMPHONY_FOLDERS,
)
from symphony_registry.providers.embedded.journal.segment import BLANK, PAD, SECTOR, Segment
from symphony_registry.providers.embedded.journal.tail import unfinished_write

_UNFINISHED_NAMES = (JOURNAL_NAME + NEW, SNAPSHOT_NAME + NEW)
_OWN_NAMES = {LOCK_NAME, SNAPSHOT_NAME, *_UNFINISHED_NAMES}

Durability = Literal["full", "os"]

logger = logging.getLogger(__name__)


class Journal:
    """The records of one backend, in one directory, locked while open.

    Everything here blocks: call it on a thread. `append` returns when the records
    are on the disk, or with the durability "os" in the hands of the operating
    system, which a crash of the process cannot take from it.
    """

    def __init__(self, directory: Path, kind: str, durability: Durability = "full") -> None:
        """Lock `directory`, making it and an empty journal where there is none.

        Raises `StorageLockedError`, `StorageFormatError` where the directory holds
        something else, and `StorageError` where it cannot be used.
        """
        self.directory = directory
        self.path = directory / JOURNAL_NAME
        self.snapshot_path = directory / SNAPSHOT_NAME
        self.lines = 0
        self.end = 0  # of the data, in bytes
        self._kind = kind
        self._full = durability == "full"
        self._segment: Segment | None = None
        self._closed = False  # the closing line stands at the end
        self._renamed = False  # and the directory not synced yet
        self._busy = threading.Lock()  # an event loop may end and leave a thread at work
        with failing("opened", self.path):
            self._prepare_directory()
        self._lock = DirectoryLock.acquire(directory)
        try:
            with failing("opened", self.path):
                for name in _UNFINISHED_NAMES:
                    (directory / name).unlink(missing_ok=True)
                if not self.path.exists():
                    self.rewrite(())
                    self._leave_segment()
        except BaseException:
            self.close()
            raise

    def _prepare_directory(self) -> None:
        missing = [path for path in (self.directory, *self.directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            _sync_directory(path.parent)
        if self.path.exists():
            self._check_first_line()
        else:
            names = {entry.name for entry in self.directory.iterdir()} - _OWN_NAMES
            if names:
                raise StorageFormatError(
                    f"The directory {self.directory} holds other files ({', '.join(sorted(names)[:3])}) and no "
                    f"{JOURNAL_NAME}. Name an empty or a new directory."
                    + (SYMPHONY_ADVICE.format(self._kind, self.directory) if names & SYMPHONY_FOLDERS else ""),
                    self.directory,
                )

    def _check_first_line(self) -> None:
        """Refuse another format before anything is touched."""
        with self.path.open("rb") as file:
            try:
                record = decode_line(file.readline()).record
            except DamagedLineError as error:
                raise self._corrupted(str(error)) from error
        self._check_header(record)

    def _check_header(self, record: Record) -> None:
        check_header(record, self.path)
        if record["kind"] != self._kind:
            raise StorageFormatError(
                f"{self.directory} holds a {record['kind']}, not a {self._kind}. Name another directory.",
                self.directory,
            )

    def replay(self, end: int = 0, lines: int = 0) -> Iterator[list[Record]]:
        """Yield the records of each group, from the first; to be read to the end before `append`.

        `end` and `lines` say what is known already: a whole number of groups. What
        a crash in the middle of a write leaves behind is left out, and overwritten
        later. Raises `StorageCorruptedError` for damage.
        """
        self.end, self.lines = end, lines
        with failing("read", self.path), self.path.open("rb") as file:
            file.seek(end)
            base = not end  # was synced before the file got its name, so that it cannot be unfinished
            group: list[Record] = []
            offset, reason = end, "its end is missing"
            for text in file:
                if not text.endswith(b"\n"):  # the padding
                    break
                try:
                    line = decode_line(text)
                except DamagedLineError as error:
                    reason = str(error)
                    break
                number = self.lines + len(group)
                if (line.sequence, line.part) != (number, number if base else len(group)):
                    reason = "it has another number, so that lines before it are missing or repeated"
                    break
                offset += len(text)
                if line.closes:
                    self._closed = True
                    break
                group.append(line.record)
                if base or not line.more:
                    if self.lines:
                        yield group
                    else:
                        self._check_header(line.record)  # again: now nobody else can change it
                    self.end, self.lines, group = offset, self.lines + len(group), []
                    base = base and line.more
            if base:
                begun = None
            elif self._closed:
                begun = 0 if not file.read().strip(BLANK) else None
            else:
                begun = unfinished_write(file, self.end, self.lines)
        if begun is None:
            raise self._corrupted(reason, offset, self.lines + len(group))
        if begun:
            logger.warning("%s: left out %d bytes of a write that was not finished", self.path, begun)
        with failing("opened", self.path):
            self._segment = Segment(
                os.open(self.path, os.O_RDWR), self.end, max(offset, self.end + begun), full=self._full
            )

    def _leave_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close(None)

    def _corrupted(self, reason: str, offset: int = 0, lines: int = 0) -> StorageCorruptedError:
        return StorageCorruptedError(
            f"{self.path} is damaged at byte {offset} (line {lines + 1}): {reason}. Nothing was changed. {RESCUE}",
            self.path,
            offset,
        )

    def append(self, group: Iterable[Record]) -> None:
        """Write a group of records, all or none, and wait until they are on the disk.

        After an error nothing of them counts, and the next call tries again.
        """
        assert self._segment is not None
        with self._busy, failing("written", self.path):
            lines = list(encode_group(group, self.lines))
            data = lines[0] if len(lines) == 1 else b"".join(lines)  # one may be large
            if self._renamed:
                self._sync_rename()
            self._closed = False
            self._segment.append(data)
            self.end = self._segment.end
            self.lines += len(lines)

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace the journal by one that holds `records`, at once.

        After an error the old journal is still there and still used.
        """
        new = self.directory / (JOURNAL_NAME + NEW)
        with self._busy, failing("rewritten", self.path):
            try:
                descriptor, end, lines = self._write_new(new, records)
                try:
                    segment = Segment(descriptor, end, end, full=self._full)
                    new.rename(self.path)
                except BaseException:
                    os.close(descriptor)
                    raise
            except BaseException:
                with suppress(OSError):
                    new.unlink(missing_ok=True)
                raise
            with suppress(OSError):  # nothing in the old one counts any more
                self._leave_segment()
            self._segment = segment
            self.end, self.lines = end, lines
            self._closed, self._renamed = False, True
            with suppress(OSError):  # it does not fit any more, which is seen too where it stays
                self.snapshot_path.unlink(missing_ok=True)
            self._sync_rename()

    def _write_new(self, path: Path, records: Iterable[Record]) -> tuple[int, int, int]:
        """Write a whole journal; return its open descriptor, the end of its data and its lines."""
        lines = 0
        with path.open("w+b") as file:
            for line in encode_group(chain([header(self._kind)], records), 0):
                file.write(line)
                lines += 1
            end = file.tell()
            file.write(PAD * SECTOR)
            file.flush()
            os.fsync(file.fileno())
            return os.dup(file.fileno()), end, lines

    def _sync_rename(self) -> None:
        """Make a rename durable: before that, nothing more may be acknowledged."""
        _sync_directory(self.directory)
        self._renamed = False

    def is_intact(self) -> bool:
        """Say whether the journal still is the file at its path."""
        segment = self._segment  # which another thread may close
        return segment is not None and segment.is_at(self.path)

    def close(self) -> None:
        """Let go of the files and of the lock."""
        try:
            with self._busy, failing("closed", self.path):
                segment, self._segment = self._segment, None
                if segment is not None:
                    finished = self._closed or not self._lock.is_held  # a forked child does not hold it
                    segment.close(None if finished else closing_line(self.lines))
        finally:
            self._lock.release()

    def __del__(self) -> None:
        if hasattr(self, "_lock") and self._lock.is_held:
            warnings.warn(f"{self.directory} was not closed: await disconnect()", ResourceWarning, stacklevel=2)
            self.close()


def check_header(record: Record, path: Path) -> None:
    """Raise `StorageFormatError` unless a journal of this version begins with `record`."""
    if record.get("format") != FORMAT or type(record.get("kind")) is not str:
        raise StorageFormatError(f"{path} is not a journal of this package.", path)
    if record.get("version") != VERSION:
        raise StorageFormatError(
            f"{path} has the format version {record.get('version')}; this package reads {VERSION}. "
            "Use the version of the package that wrote it.",
            path,
        )


@contextmanager
def failing(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that says which file could not be `what`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path} could not be {what}: {error.strerror}.", path) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
