"""Telling a write that a crash interrupted from damage.

A write that was not finished leaves a sector or the end of a line as it was,
blank, and nothing behind it. Damage leaves whole lines that are wrong, or stands
before later writes, which begin only when the earlier ones are on the disk.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import BinaryIO

from symphony_registry.journal.lines import DamagedLineError, Line, closing_line, decode_line
from symphony_registry.journal.segment import BLANK, SECTOR


def unfinished_write(file: BinaryIO, offset: int, sequence: int) -> int | None:
    """Return the size of the unfinished write that follows the last whole group, `None` for damage.

    The group ended at `offset`; the next line would have the number `sequence`.
    Without anything but padding the size is 0.
    """
    file.seek(offset)
    if any(line.group > sequence for line in _lines(file)):
        return None
    file.seek(offset)
    rest = file.read()
    tail = rest.rstrip(BLANK)
    if len(tail) == len(rest):
        return None  # without padding, the end of the file is missing
    explained = (
        not tail
        or _is_cut_line(tail)
        or _has_blank_sector(tail, offset)
        or _is_begun_group(tail, sequence)
        or closing_line(sequence).endswith(tail.lstrip(BLANK))  # it was being removed
    )
    return len(tail) if explained else None


def _lines(texts: Iterable[bytes]) -> Iterable[Line]:
    """Yield those of `texts` that are lines of a journal."""
    for text in texts:
        try:
            yield decode_line(text)
        except DamagedLineError:
            continue


def _is_cut_line(tail: bytes) -> bool:
    """Say whether the tail ends within a line; one whose end was changed is whole."""
    last = tail[tail.rfind(b"\n") + 1 :]
    return bool(last) and not any(_lines([last[:-1]]))


def _has_blank_sector(tail: bytes, offset: int) -> bool:
    """Say whether a sector, or the part of it that is in the tail, is blank."""
    bounds = [0, *range(SECTOR - offset % SECTOR, len(tail), SECTOR), len(tail)]
    return any(not tail[start:stop].strip(BLANK) for start, stop in pairwise(bounds))


def _is_begun_group(tail: bytes, sequence: int) -> bool:
    """Say whether the tail is the first lines of a group, and no more."""
    *texts, rest = tail.split(b"\n")
    lines = list(_lines(texts))
    begun = all(line[:3] == (sequence + part, part, True) for part, line in enumerate(lines))
    return begun and len(lines) == len(texts) and not rest
