"""What commands print: for people in a terminal, plain lines in a pipe, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from symphony_registry.errors import RegistryError, StorageError, public_text
from symphony_registry.settings.effective import printable

Cell = str | Text

# Wider than any line, so that nothing is wrapped or cut in a pipe.
_UNLIMITED = 100_000
_INDENT = (0, 0, 0, 4)

MISSING = "-"
GOOD, BAD, FAINT = "green", "bold red", "dim"


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else _UNLIMITED,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # bold and faint are left out, too
        markup=False,
        emoji=False,
        highlight=False,
    )


def print_lines(*texts: Cell, stderr: bool = False) -> None:
    """Print without spaces at the end of lines."""
    target = console(stderr=stderr)
    for line in _lines(target, *(_escaped(text, line_ends=True) for text in texts)):
        print(line, file=target.file)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    details: Iterable[Sequence[Text]] = (),
    *,
    one_line: bool = False,
) -> None:
    """Print rows under the names of their columns, each with its details under it.

    Columns of numbers are marked with `>` in front of their names. With details,
    or where it is asked for, a row is one line, whose widest column is cut in a
    narrow terminal; else its cells are wrapped there.
    """
    notes = [list(each) for each in details]
    one_line = one_line or bool(notes)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=one_line or number == 0,
            overflow="ellipsis" if one_line else "fold",
        )
    for row in rows:
        table.add_row(*map(_escaped, row))
    target = console()
    if _width(table, target) > target.width:
        table.padding = (0, 1, 0, 0)
    if one_line and (excess := _width(table, target) - target.width) > 0:
        widths = [max(cell_len(str(cell)) for cell in [column.header, *column.cells]) for column in table.columns]
        widest = table.columns[widths.index(max(widths))]
        widest.max_width = max(max(widths) - excess, cell_len(str(widest.header)))
    header, *lines = _lines(target, table)
    print(header, file=target.file)
    for number, line in enumerate(lines):
        texts = notes[number] if notes else []
        under = _lines(target, *(Padding(_escaped(text), _INDENT, expand=False) for text in texts))
        print(line, *under, sep="\n", file=target.file)


def _width(table: Table, target: Console) -> int:
    return target.measure(table, options=target.options.update(width=_UNLIMITED)).maximum


def _escaped(text: Cell, *, line_ends: bool = False) -> Text:
    """Return a text without control characters, and without line ends unless they are meant."""
    given = text if isinstance(text, Text) else Text(text)
    shown = "\n".join(map(printable, given.plain.split("\n"))) if line_ends else printable(given.plain)
    return given if shown == given.plain else Text(shown, given.style)


def _lines(target: Console, *renderables: RenderableType) -> list[str]:
    with target.capture() as captured:
        for renderable in renderables:
            target.print(renderable)
    return [line.rstrip() for line in captured.get().splitlines()]


def print_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not have becomes text."""
    plain = json.loads(json.dumps(value, default=str), parse_constant=str)  # not a number, an infinity
    is_unicode = sys.stdout.encoding.lower().startswith("utf")
    print(json.dumps(plain, indent=2, ensure_ascii=not is_unicode))  # noqa: T201


def parts_of(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, or the error."""
    if isinstance(error, BaseExceptionGroup):
        return [part for each in error.exceptions for part in parts_of(each)]
    return [error]


def print_error(error: RegistryError | str) -> None:
    """Print what went wrong, every part of a group, on stderr."""
    for each in [error] if isinstance(error, str) else map(public_text, parts_of(error)):
        print_lines(Text.assemble(("error: ", BAD), each), stderr=True)


def write_text(text: str, output: Path | None = None) -> None:
    """Write a text to a file, or print it."""
    if output is None:
        sys.stdout.write(text)
    else:
        with writing(output):
            output.write_text(text, "utf-8")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file where the block cannot write it."""
    try:
        yield
    except RegistryError:
        raise
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror}.", path) from error
