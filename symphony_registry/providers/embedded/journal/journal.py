"""An append-only journal that survives a crash at any moment, and its compaction."""

import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal

from symphony_registry.backends.forking import abandon_in_children, no_fork
from symphony_registry.errors import StorageFormatError
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lines import (
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
    SNAPSHOT_NAME,
    SYMPHONY_ADVICE,
    SYMPHONY_FOLDERS,
)
from symphony_registry.providers.embedded.journal.replay import Replay, check_header, corrupted, failing
from symphony_registry.providers.embedded.journal.segment import PAD, SECTOR, Segment

# What a crash leaves behind before there is a journal, or a link to where it is to be.
_BEFORE_FIRST = {JOURNAL_NAME, JOURNAL_NAME + NEW, LOCK_NAME}

Durability = Literal["full", "os"]


class Journal:
    """The records of one backend, in one directory, locked while open.

    Everything here blocks: call it on a thread. `append` returns when the records
    are on the disk, or with the durability "os" in the hands of the operating
    system, which a crash of the process cannot take from it. The directory is held
    open, so that nothing is done to another one that has come to its path; where
    the next opening would not find this journal, nothing is acknowledged.
    """

    def __init__(self, directory: Path, kind: str, durability: Durability = "full") -> None:
        """Lock `directory`, making it and an empty journal where there is none.

        Raises `StorageLockedError`, `StorageFormatError` where the directory holds
        something else, and `StorageError` where it cannot be used.
        """
        self.path = directory / JOURNAL_NAME
        self.lines = 0
        self.end = 0  # of the data, in bytes
        self.is_old = False  # of a version that has to be rewritten before anything is appended
        self._kind = kind
        self._full = durability == "full"
        self._segment: Segment | None = None
        self._replayed = False
        self._closed = False  # the closing line stands at the end
        self._renamed = False  # and the directory not synced yet, as far as is known
        self._busy = threading.Lock()  # an event loop may end and leave a thread at work
        with failing("opened", self.path):
            self.directory = Directory.make(directory)
        self._home, self._name, self._new = self.directory, JOURNAL_NAME, JOURNAL_NAME + NEW
        self._lock: DirectoryLock | None = None
        try:
            with failing("opened", self.path):
                self._check_directory()
            with failing("locked", self.path):
                self._lock = DirectoryLock.acquire(self.directory)
            abandon_in_children(self)
            with failing("opened", self.path):
                self._open()
            self._lock.sign()
        except BaseException:
            self.close()
            raise

    def _check_directory(self) -> None:
        """Refuse another format before anything is touched."""
        if self.directory.stat(JOURNAL_NAME) is not None:
            with self.directory.reading(JOURNAL_NAME) as file:
                self._check_first_line(file)
            return
        names = self.directory.names() - _BEFORE_FIRST
        if names:
            raise StorageFormatError(
                f"The directory {self.directory.path} holds other files ({', '.join(sorted(names)[:3])}) and no "
                f"{JOURNAL_NAME}. Name an empty or a new directory."
                + (SYMPHONY_ADVICE.format(self._kind, self.directory.path) if names & SYMPHONY_FOLDERS else ""),
                self.directory.path,
            )

    def _check_first_line(self, file: BinaryIO) -> None:
        try:
            record = decode_line(file.readline()).record
        except DamagedLineError as error:
            raise corrupted(self.path, str(error)) from error
        check_header(record, self.path, self._kind)
        self.is_old = record["version"] != VERSION

    def _open(self) -> None:
        """Take hold of the journal, or make one: beside the file, where it is a symbolic link."""
        if self.path.is_symlink():
            target = self.path.resolve()
            self._home, self._name = Directory(target.parent), target.name
            self._new = f"{target.name}.{JOURNAL_NAME}{NEW}"  # a name that nobody else uses there
        self.directory.unlink(SNAPSHOT_NAME + NEW)
        self._home.unlink(self._new)
        if self._home.stat(self._name) is None:
            self.rewrite(())
        else:
            with no_fork:
                self._segment = self._hold(self._name)
            self._renamed = True  # perhaps by a process that was killed then

    def reading(self) -> BinaryIO:
        """Return the journal's file, for reading."""
        assert self._segment is not None
        with failing("read", self.path):
            return self._segment.reading()

    def replay(self, end: int = 0, lines: int = 0) -> Iterator[list[Record]]:
        """Yield the records of each group, from the first; to be read to the end before `append`.

        `end` and `lines` say what is known already: a whole number of groups. What
        a crash in the middle of a write leaves behind is left out, and overwritten
        later. Raises `StorageCorruptedError` for damage.
        """
        self._replayed = False
        with failing("read", self.path), self.reading() as file:
            replay = Replay(file, self.path, self._kind, end, lines)
            for group in replay.groups():
                yield group
                self.end, self.lines = replay.end, replay.lines
            assert self._segment is not None
            self._segment.resume(replay.end, replay.dirty)
        self.end, self.lines = replay.end, replay.lines
        self._closed, self._replayed = replay.closed, True

    def append(self, group: Iterable[Record]) -> None:
        """Write a group of records, all or none, and wait until they are on the disk.

        After an error nothing of them counts, and the next call tries again.
        """
        with self._busy, failing("written", self.path):
            assert self._segment is not None
            assert self._replayed
            assert not self.is_old
            lines = list(encode_group(group, self.lines))
            parts = lines[0] if len(lines) == 1 else (b"".join(chain.from_iterable(lines)),)  # one may be large
            if self._renamed:
                self._sync_rename()
            self._closed = False
            self._segment.append(parts)
            self.end = self._segment.end
            self.lines += len(lines)

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace the journal by one that holds `records`, at once.

        After an error the old journal is still there and still used.
        """
        with self._busy, failing("rewritten", self.path):
            old = self._segment
            try:
                end, lines = self._write_new(records)
                with no_fork:  # opened again: what is locked has no descriptor that a child may have got before
                    segment = self._hold(self._new, end)
                    try:
                        if old is None:
                            self._home.rename_new(self._new, self._name)
                        else:
                            old.look()  # what has come to its path is not ours to replace
                            self._home.rename(self._new, self._name)
                    except BaseException:
                        segment.abandon()
                        raise
                    self._segment = segment
            except BaseException:
                with suppress(OSError):
                    self._home.unlink(self._new)
                raise
            self.end, self.lines = end, lines
            self._replayed, self._closed, self._renamed, self.is_old = True, False, True, False
            with suppress(OSError):  # nothing in the old one counts any more
                if old is not None:
                    old.close(None)
            with suppress(OSError):  # it does not fit any more, which is seen too where it stays
                self.directory.unlink(SNAPSHOT_NAME)
            self._sync_rename()

    def _write_new(self, records: Iterable[Record]) -> tuple[int, int]:
        """Write a whole journal, with the mode and the owners of the old; return the end of its data and its lines."""
        lines = 0
        with self._home.create(self._new, self._home.stat(self._name)) as file:
            for line in encode_group(chain([header(self._kind)], records), 0):
                file.writelines(line)
                lines += 1
            end = file.tell()
            file.write(PAD * (SECTOR - end % SECTOR))
            file.flush()
            os.fsync(file.fileno())
        return end, lines

    def _hold(self, name: str, end: int = 0) -> Segment:
        """Open and lock a file that is the journal, or about to be."""
        segment = Segment(self._home.open(name, os.O_RDWR), self.path, full=self._full)
        try:
            segment.lock(self.directory)
            segment.resume(end, end)
        except BaseException:
            segment.abandon()
            raise
        return segment

    def _sync_rename(self) -> None:
        """Make a rename durable: before that, nothing more may be acknowledged."""
        self._home.sync()
        self._renamed = False

    def look(self) -> None:
        """Raise `StorageError` unless the next opening finds this journal."""
        segment = self._segment  # which another thread may close
        if segment is not None:
            with failing("found", self.path):
                segment.look()

    def close(self) -> None:
        """Let go of the files and of the lock."""
        try:
            with self._busy, failing("closed", self.path):
                if self._segment is not None:
                    self._segment.close(closing_line(self.lines) if self._replayed and not self._closed else None)
        finally:
            self._segment = None
            if self._lock is not None:
                self._lock.release()
            self._close_directories()

    def abandon(self) -> None:
        """Let go of the files in a forked child: its parent goes on using them."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()
        if self._lock is not None:
            self._lock.abandon()
        self._close_directories()

    def _close_directories(self) -> None:
        for directory in {self.directory, self._home}:
            directory.close()

    def __del__(self) -> None:
        lock: DirectoryLock | None = getattr(self, "_lock", None)
        if lock is not None and lock.is_held:
            warnings.warn(f"{self.directory.path} was not closed: await disconnect()", ResourceWarning, stacklevel=2)
            self.close()
