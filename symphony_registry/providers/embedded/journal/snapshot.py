"""A copy of a state as arrays, beside the journal, from which it can always be rebuilt.

The file is a JSON line as in a journal, then the arrays, each on a page of its
own, so that they can be mapped instead of read. The line says how much of the
journal the copy covers, and the checksum of that part: with any other journal
the snapshot is not used.
"""

import logging
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from zlib_ng.zlib_ng import crc32

from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lines import DamagedLineError, Record, decode_line, encode_group
from symphony_registry.providers.embedded.journal.names import NEW, SNAPSHOT_NAME

Array = npt.NDArray[Any]

FORMAT = "symphony-registry-snapshot"
VERSION = 2

_PAGE = 4096
_PARTS = 2  # of the journal, which are summed up beside each other
_WINDOW = 1 << 18  # bytes of the journal that are read at a time, and summed while they are in the cache

logger = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """How much of the journal it covers, in bytes and lines, what it is about, and the arrays by name."""

    end: int
    lines: int
    about: Record
    arrays: Mapping[str, Array]


def write_snapshot(directory: Directory, journal: BinaryIO, snapshot: Snapshot) -> None:
    """Write a snapshot of the first part of `journal`, whole or not at all, for whoever may read that.

    It is not synced: if a power loss damages it, it is not used.
    """
    offsets = [_PAGE]
    for array in snapshot.arrays.values():
        offsets.append(offsets[-1] + -(-array.nbytes // _PAGE) * _PAGE)
    with ThreadPoolExecutor(_PARTS) as threads:
        checksums = list(_checksums(journal, snapshot.end, threads))
    header: Record = {
        "format": FORMAT,
        "version": VERSION,
        "end": snapshot.end,
        "lines": snapshot.lines,
        "journal": checksums,
        "about": snapshot.about,
        "arrays": [
            [name, array.dtype.str, array.shape, offset, checksum(array)]
            for (name, array), offset in zip(snapshot.arrays.items(), offsets, strict=False)
        ],
    }
    new = SNAPSHOT_NAME + NEW
    try:
        with directory.create(new, os.fstat(journal.fileno())) as file:
            file.writelines(next(encode_group([header], 0)))
            assert file.tell() <= _PAGE
            for array, offset in zip(snapshot.arrays.values(), offsets, strict=False):
                file.seek(offset)
                file.write(array.data)
            file.truncate(offsets[-1])
        directory.rename(new, SNAPSHOT_NAME)
    except BaseException:
        with suppress(OSError):
            directory.unlink(new)
        raise


def read_snapshot(directory: Directory, journal: BinaryIO) -> Snapshot | None:
    """Map a snapshot, or return `None` if there is none that is undamaged and fits the journal.

    The arrays may be written to, which does not change the file.
    """
    try:
        with directory.reading(SNAPSHOT_NAME) as file, ThreadPoolExecutor(_PARTS) as threads:
            header = decode_line(file.readline(_PAGE)).record
            end = header["end"]
            if (header["format"], header["version"]) != (FORMAT, VERSION) or end > os.fstat(journal.fileno()).st_size:
                return None
            checksums = _checksums(journal, end, threads)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            arrays = {
                name: _mapped(mapped, dtype, shape, offset, expected)
                for name, dtype, shape, offset, expected in header["arrays"]
            }
            if list(checksums) != header["journal"]:
                return None
    except FileNotFoundError:
        return None
    except (OSError, DamagedLineError, KeyError, TypeError, ValueError) as error:
        path = directory.path / SNAPSHOT_NAME
        logger.warning("%s cannot be used (%s); the journal is read instead", path, error)
        return None
    return Snapshot(end, header["lines"], header["about"], arrays)


def _mapped(mapped: mmap.mmap, dtype: str, shape: list[int], offset: int, expected: int) -> Array:
    array: Array = np.frombuffer(mapped, dtype, math.prod(shape), offset).reshape(shape)
    if checksum(array) != expected:
        raise DamagedLineError(f"the checksum of the array at byte {offset} does not match")
    return array


def checksum(array: Array) -> int:
    """Return the CRC-32 of an array's bytes."""
    return crc32(array.reshape(-1).view(np.uint8))


def _checksums(journal: BinaryIO, end: int, threads: Executor) -> Iterator[int]:
    """Begin to sum up the parts of the first `end` bytes, and return the CRC-32 of each."""
    size = -(-end // _PARTS)
    return threads.map(lambda part: _checksum_of_part(journal, part * size, min((part + 1) * size, end)), range(_PARTS))


def _checksum_of_part(file: BinaryIO, start: int, end: int) -> int:
    """Return the CRC-32 of a part that is read: a mapped page that the disk cannot give would end the process."""
    buffer = memoryview(bytearray(_WINDOW))
    value = 0
    for position in range(start, end, _WINDOW):
        window = buffer[: end - position]
        os.preadv(file.fileno(), [window], position)
        value = crc32(window, value)
    return value
