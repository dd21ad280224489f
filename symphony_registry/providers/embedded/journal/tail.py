"""Telling a write that a crash interrupted from damage: see docs/design/journal.md.

In an interrupted write each sector is either right or still blank, and no later
write follows: that begins only when this one is on the disk. Anything else is damage.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import BinaryIO

from symphony_registry.providers.embedded.journal.lines import DamagedLineError, Line, closing_line, decode_line
from symphony_registry.providers.embedded.journal.segment import BLANK, SECTOR, was_closed

_HOLE = b"\xff"  # a byte that UTF-8 never uses


def unfinished_write(file: BinaryIO, offset: int, sequence: int) -> int | None:
    """Return the size of the interrupted write that follows the last whole group, or `None` for damage.

    The group ended at `offset`; the next line has the number `sequence`. If only
    padding follows, the size is 0.
    """
    file.seek(offset)
    if any(line.group > sequence for line in _lines(file)):
        return None
    file.seek(offset)
    rest = file.read()
    tail = rest.rstrip(BLANK)
    if len(tail) == len(rest) or was_closed(offset + len(rest)):
        return None  # the end of the file is missing, or nobody was writing
    being_removed = closing_line(sequence).endswith(tail.lstrip(BLANK))
    return len(tail) if being_removed or _is_part_of_group(tail, offset, sequence) else None


def _lines(texts: Iterable[bytes]) -> Iterable[Line]:
    """Yield those of `texts` that are undamaged lines of a journal."""
    for text in texts:
        try:
            yield decode_line(text.lstrip(BLANK))
        except DamagedLineError:
            continue


def _is_part_of_group(tail: bytes, offset: int, sequence: int) -> bool:
    """Say whether nothing is wrong but that sectors, or the end of the group, are missing."""
    marked = _with_holes_marked(tail, offset)
    *texts, last = marked.split(b"\n")
    whole = [text for text in texts if _HOLE not in text]
    lines = list(_lines(whole))
    if len(lines) < len(whole) or any(line.group != sequence for line in lines):
        return False
    if last and _HOLE not in last:
        return not any(_lines([last[:-1]]))  # a line that was cut short, not one whose newline was changed
    return _HOLE in marked or lines[-1].more


def _with_holes_marked(tail: bytes, offset: int) -> bytes:
    """Return the tail with blank sectors marked as holes. It may begin and end in the middle of a sector."""
    bounds = [0, *range(SECTOR - offset % SECTOR, len(tail), SECTOR), len(tail)]
    sectors = (tail[start:stop] for start, stop in pairwise(bounds))
    return b"".join(sector if sector.strip(BLANK) else _HOLE * len(sector) for sector in sectors)
