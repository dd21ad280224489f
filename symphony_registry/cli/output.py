"""What commands print: for people in a terminal, plain lines in a pipe, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

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
        stderr=stderr, width=None if stream.isatty() else _UNLIMITED, markup=False, emoji=False, highlight=False
    )


def print_lines(*renderables: RenderableType, stderr: bool = False) -> None:
    """Print without spaces at the end of lines."""
    target = console(stderr=stderr)
    for line in _lines(target, *renderables):
        print(line, file=target.file)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], details: Iterable[Sequence[Text]] = ()) -> None:
    """Print rows under the names of their columns, each with its details under it.

    Columns of numbers are marked with `>` in front of their names. With details
    a row is one line, cut in a narrow terminal; else its cells are wrapped there.
    """
    notes = [list(each) for each in details]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=bool(notes) or number == 0,
            overflow="ellipsis" if notes else "fold",
        )
    for row in rows:
        table.add_row(*map(_in_one_line, row))
    target = console()
    if target.measure(table, options=target.options.update(width=_UNLIMITED)).maximum > target.width:
        table.padding = (0, 1, 0, 0)
    header, *lines = _lines(target, table)
    print(header, file=target.file)
    for number, line in enumerate(lines):
        texts = notes[number] if notes else []
        under = _lines(target, *(Padding(text, _INDENT, expand=False) for text in texts))
        print(line, *under, sep="\n", file=target.file)


def _in_one_line(cell: Cell) -> Text:
    """Return a cell without line ends and control characters, which would break the table or the terminal."""
    text = cell if isinstance(cell, Text) else Text(cell)
    return Text("".join(each if each.isprintable() else repr(each)[1:-1] for each in text.plain), text.style)


def _lines(target: Console, *renderables: RenderableType) -> list[str]:
    with target.capture() as captured:
        for renderable in renderables:
            target.print(renderable)
    return [line.rstrip() for line in captured.get().splitlines()]


def print_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not have becomes text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))  # noqa: T201


def print_error(error: BaseException) -> None:
    """Print what went wrong, every part of a group, on stderr."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            print_error(each)
        return
    print_lines(Text.assemble(("error: ", BAD), str(error)), stderr=True)


def write_text(text: str, output: Path | None = None) -> None:
    """Write a text to a file, or print it."""
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, "utf-8")
