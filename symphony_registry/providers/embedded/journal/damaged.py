"""Reading what can be read of a damaged journal."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from symphony_registry.providers.embedded.journal.journal import check_header
from symphony_registry.providers.embedded.journal.lines import DamagedLineError, Line, Record, decode_line
from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME
from symphony_registry.providers.embedded.journal.segment import BLANK
from symphony_registry.providers.embedded.journal.tail import unfinished_write


class Loss(NamedTuple):
    """A place of a journal, in bytes from its beginning, that cannot be used, and why."""

    offset: int
    reason: str


def read_header(directory: Path) -> Record | None:
    """Return the record of a journal's first line, `None` where it is damaged."""
    path = directory / JOURNAL_NAME
    with path.open("rb") as file:
        try:
            record = decode_line(file.readline()).record
        except DamagedLineError:
            return None
    check_header(record, path)
    return record


def read_damaged(directory: Path) -> Iterator[tuple[int, Line] | Loss]:
    """Yield the lines of records that are whole, with their offsets, and what is lost between them.

    The lines of a write that was not finished are neither: nobody was told that
    they are stored.
    """
    waiting: list[tuple[int, Line] | Loss] = []  # since the last whole group
    end = known = offset = expected = 0
    closed = False
    with (directory / JOURNAL_NAME).open("rb") as file:
        for text in file:
            begin = offset + len(text) - len(text.lstrip(BLANK))
            if text.strip(BLANK + b"\n"):
                try:
                    line = decode_line(text.lstrip(BLANK))
                except DamagedLineError as error:
                    waiting.append(Loss(begin, str(error)))
                else:
                    if line.sequence != expected:
                        waiting.append(Loss(begin, f"this is line {line.sequence + 1} instead of {expected + 1}"))
                    expected = line.sequence + 1
                    closed = line.closes
                    if line.sequence and not closed:
                        waiting.append((begin, line))
                    if not line.more:
                        yield from waiting
                        waiting, end, known = [], offset + len(text), expected
            offset += len(text)
        if not known or unfinished_write(file, end, known) is None:
            yield from waiting
            if not closed:
                yield Loss(offset, "what followed is not there")
