"""Reading what is left of a damaged journal."""

from collections.abc import Iterator
from typing import NamedTuple

from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lines import DamagedLineError, Line, Record, decode_line
from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME
from symphony_registry.providers.embedded.journal.replay import check_header
from symphony_registry.providers.embedded.journal.segment import BLANK
from symphony_registry.providers.embedded.journal.tail import unfinished_write


class Loss(NamedTuple):
    """A place in a journal that cannot be used, in bytes from its beginning, and why."""

    offset: int
    reason: str


def read_header(directory: Directory) -> Record | None:
    """Return the record of a journal's first line, or `None` if that is damaged."""
    with directory.reading(JOURNAL_NAME) as file:
        try:
            record = decode_line(file.readline()).record
        except DamagedLineError:
            return None
    check_header(record, directory.path / JOURNAL_NAME)
    return record


def read_damaged(directory: Directory) -> Iterator[tuple[int, Line] | Loss]:
    """Yield the undamaged lines of records, with their offsets, and what was lost between them.

    The lines of an interrupted write are neither: nobody was told that they were stored.
    """
    pending: list[tuple[int, Line] | Loss] = []  # what came after the last whole group
    whole_end = whole_lines = 0  # up to the last whole group
    offset = expected = 0
    closed = False
    with directory.reading(JOURNAL_NAME) as file:
        for text in file:
            start = offset + len(text) - len(text.lstrip(BLANK))
            if text.strip(BLANK + b"\n"):
                try:
                    line = decode_line(text.lstrip(BLANK))
                except DamagedLineError as error:
                    pending.append(Loss(start, str(error)))
                else:
                    if line.sequence != expected:
                        pending.append(Loss(start, f"this is line {line.sequence + 1} instead of {expected + 1}"))
                    expected = line.sequence + 1
                    closed = line.closes
                    if line.sequence and not closed:
                        pending.append((start, line))
                    if not line.more:
                        yield from pending
                        pending, whole_end, whole_lines = [], offset + len(text), expected
            offset += len(text)
        if not whole_lines or unfinished_write(file, whole_end, whole_lines) is None:
            yield from pending
            if not closed:
                yield Loss(offset, "what followed is missing")
