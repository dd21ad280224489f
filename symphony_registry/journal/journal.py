"""An append-only journal that survives a crash at any moment, and its compaction."""

import logging
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from symphony_registry.errors import StorageCorruptedError, StorageError, StorageFormatError
from symphony_registry.journal.lines import (
    FORMAT,
    VERSION,
    DamagedLineError,
    Record,
    decode_line,
    encode_group,
    header,
)
from symphony_registry.journal.lock import LOCK_NAME, DirectoryLock

JOURNAL_NAME = "journal.jsonl"
_NEW_NAME = "journal.jsonl.new"

logger = logging.getLogger(__name__)

_sync_data = getattr(os, "fdatasync", os.fsync)


class Journal:
    """The records of one backend, in one directory, locked while open.

    Everything here blocks: call it on a thread. `append` returns when the records
    are on the disk.
    """

    def __init__(self, directory: Path, kind: str) -> None:
        """Lock `directory`, making it and an empty journal where there is none.

        Raises `StorageLockedError`, `StorageFormatError` where the directory holds
        something else, and `StorageError` where it cannot be used.
        """
        self.directory = directory
        self.path = directory / JOURNAL_NAME
        self.lines = 0
        self._kind = kind
        self.end = 0
        self._renamed = False  # and the directory not synced yet
        self._torn = False  # bytes of a failed write may stand after the end
        self._busy = threading.Lock()  # an event loop may end and leave a thread at work
        with _failing("opened", self.path):
            self._prepare_directory()
        self._lock = DirectoryLock.acquire(directory)
        self._descriptor = -1
        try:
            with _failing("opened", self.path):
                (directory / _NEW_NAME).unlink(missing_ok=True)
                if not self.path.exists():
                    self.rewrite(())
                else:
                    self._descriptor = os.open(self.path, os.O_RDWR)
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
            names = {entry.name for entry in self.directory.iterdir()} - {LOCK_NAME, _NEW_NAME}
            if names:
                raise StorageFormatError(
                    f"The directory {self.directory} holds other files ({', '.join(sorted(names)[:3])}) and no "
                    f"{JOURNAL_NAME}. Name an empty or a new directory.",
                    self.directory,
                )

    def _check_first_line(self) -> None:
        """Refuse another format before anything is touched."""
        with self.path.open("rb") as file:
            try:
                record, _ = decode_line(file.readline(), 0)
            except DamagedLineError as error:
                raise self._corrupted(0, str(error)) from error
        self._check_header(record)

    def replay(self) -> Iterator[Record]:
        """Yield every record, from the first; to be read to the end before `append`.

        An unfinished group at the end, which a crash in the middle of a write
        leaves behind, is cut off. Raises `StorageCorruptedError` for damage.
        """
        group: list[Record] = []
        self.lines = self.end = offset = 0
        ended = True
        with _failing("read", self.path), self.path.open("rb") as file:
            for line in file:
                try:
                    record, more = decode_line(line, self.lines + len(group))
                except DamagedLineError as error:
                    if line.endswith(b"\n"):
                        raise self._corrupted(offset, str(error)) from error
                    break
                offset += len(line)
                ended = line.endswith(b"\n")
                if self.end == 0:  # the header, which was checked
                    self.end, self.lines = offset, 1
                    continue
                group.append(record)
                if not more:
                    yield from group
                    self.end = offset
                    self.lines += len(group)
                    group = []
            size = file.seek(0, os.SEEK_END)
        if size != self.end:
            logger.warning("%s: cut off %d bytes of a write that was not finished", self.path, size - self.end)
            self._cut()
        elif not ended:
            self._write(b"\n")

    def _check_header(self, record: Record) -> None:
        if record.get("format") != FORMAT:
            raise StorageFormatError(f"{self.path} is not a journal of this package.", self.path)
        if record.get("version") != VERSION:
            raise StorageFormatError(
                f"{self.path} has the format version {record.get('version')}; this package reads {VERSION}. "
                "Use a newer version of the package.",
                self.path,
            )
        if record.get("kind") != self._kind:
            raise StorageFormatError(
                f"{self.directory} holds a {record.get('kind')}, not a {self._kind}. Name another directory.",
                self.directory,
            )

    def _corrupted(self, offset: int, reason: str) -> StorageCorruptedError:
        return StorageCorruptedError(
            f"{self.path} is damaged at byte {offset} (line {self.lines + 1}): {reason}. Nothing was changed. "
            "Restore the file from a backup.",
            self.path,
            offset,
        )

    def append(self, groups: Sequence[Sequence[Record]]) -> None:
        """Write groups of records and wait until they are on the disk.

        After an error nothing of them counts, and the next call tries again.
        """
        with self._busy, _failing("written", self.path):
            lines = self.lines
            data = bytearray()
            for records in groups:
                data += encode_group(records, lines)
                lines += len(records)
            if self._renamed:
                self._sync_rename()
            if self._torn:
                self._cut()
            try:
                self._write(data)
            except OSError:
                with suppress(OSError):  # the next write or close tries again
                    self._cut()
                raise
        self.lines = lines

    def _write(self, data: bytes | bytearray) -> None:
        self._torn = True
        view = memoryview(data)
        written = 0
        while written < len(data):
            written += os.pwrite(self._descriptor, view[written:], self.end + written)
        _sync_data(self._descriptor)
        self._torn = False
        self.end += len(data)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self.end)
        os.fsync(self._descriptor)
        self._torn = False

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace the journal by one that holds `records`, at once.

        After an error the old journal is still there and still used.
        """
        new = self.directory / _NEW_NAME
        with self._busy, _failing("rewritten", self.path):
            try:
                descriptor, end, lines = self._write_new(new, records)
                try:
                    new.rename(self.path)
                except BaseException:
                    os.close(descriptor)
                    raise
            except BaseException:
                with suppress(OSError):
                    new.unlink(missing_ok=True)
                raise
            old, self._descriptor = self._descriptor, descriptor
            self.end, self.lines = end, lines
            self._torn, self._renamed = False, True
            if old >= 0:
                with suppress(OSError):  # nothing in it counts any more
                    os.close(old)
            self._sync_rename()

    def _write_new(self, path: Path, records: Iterable[Record]) -> tuple[int, int, int]:
        """Write a whole journal; return its open descriptor, its size and its lines."""
        lines = 0
        with path.open("w+b") as file:
            for record in chain([header(self._kind)], records):
                file.write(encode_group([record], lines))
                lines += 1
            end = file.tell()
            file.flush()
            os.fsync(file.fileno())
            return os.dup(file.fileno()), end, lines

    def _sync_rename(self) -> None:
        """Make a rename durable: before that, nothing more may be acknowledged."""
        _sync_directory(self.directory)
        self._renamed = False

    def is_intact(self) -> bool:
        """Say whether the journal still is the file at its path."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the files and of the lock."""
        try:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                with self._busy, _failing("closed", self.path):
                    try:
                        if self._torn and self._lock.is_held:
                            os.ftruncate(descriptor, self.end)
                    finally:
                        os.close(descriptor)
        finally:
            self._lock.release()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            warnings.warn(f"{self.directory} was not closed: await disconnect()", ResourceWarning, stacklevel=2)
            self.close()


@contextmanager
def _failing(what: str, path: Path) -> Iterator[None]:
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
