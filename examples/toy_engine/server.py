"""The toy's server: tables of rows in a dictionary, and a log of what changed them.

python examples/toy_engine/server.py LOG [PORT]

It prints its port, then answers lines: [table, command, argument, ...]. A row is a
key and further JSON values. A key of three parts, with U+0000 between them, links
the rows of the first two; it goes with them.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import orjson

Row: TypeAlias = list[Any]

LONGEST_LINE = 2**30
CHANGES = {"put", "save", "merge", "delete", "keep"}
SIDES = {"outgoing": [0], "incoming": [1], "both": [0, 1]}


class RefusedError(Exception):
    """A change that would break a rule; nothing was done."""


class Table:
    """Rows in the order in which they were put; its methods are the commands."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._kind: Any = None
        self._version = 0

    def put(self, rows: list[Row], kind: Any = None, only_absent: bool = False) -> int:
        """Store rows, each as the newest; refuse rows of another kind than the table has, and links to nothing."""
        if self._kind not in (None, kind):
            raise RefusedError(self._kind)
        for number, row in enumerate(rows):
            for end in ends(row[0]):
                if end not in self._rows:
                    raise RefusedError([number, end])
        self._kind = kind
        chosen = [row for row in rows[::-1] if row[0] not in self._rows] if only_absent else rows
        for row in chosen:
            self._rows.pop(row[0], None)
            self._rows[row[0]] = row
        return len({row[0] for row in chosen})

    def save(self, rows: list[Row], expected: int | None = None, only_absent: bool = False) -> list[int]:
        """Store rows with new versions as their second values, each as the newest; give their number and the last."""
        if expected is not None and expected != (found := self._version_of(rows[0][0])):
            raise RefusedError(found)
        count = 0
        for row in rows:
            if not (only_absent and row[0] in self._rows):
                count += 1
                self._version += 1
                self._rows.pop(row[0], None)
                self._rows[row[0]] = [row[0], self._version, *row[2:]]
        return [count, self._version]

    def _version_of(self, key: str) -> int:
        return self._rows[key][1] if key in self._rows else 0

    def merge(self, key: str, values: dict[str, Any]) -> bool:
        """Merge an object into the last value of a row, if it is there."""
        if key in self._rows:
            self._rows[key][-1].update(values)
        return key in self._rows

    def delete(self, keys: list[str], expected: int | None = None) -> int:
        """Delete rows and their links; count the rows that were there."""
        if expected is not None and expected != (found := self._version_of(keys[0])):
            raise RefusedError(found)
        gone = set(keys)
        count = len(gone & self._rows.keys())
        self._rows = {key: row for key, row in self._rows.items() if gone.isdisjoint([key, *ends(key)])}
        return count

    def keep(self, count: int) -> int:
        """Delete all but the newest rows; without a row, a table takes any kind again."""
        self._kind = self._kind if count else None
        return self.delete(list(self._rows)[: max(0, len(self._rows) - count)])

    def kind(self) -> Any:
        """Return the kind of the rows."""
        return self._kind

    def read(self, keys: list[str]) -> list[Row | None]:
        """Return some rows."""
        return [self._rows.get(key) for key in keys]

    def within(self, low: str, high: str | None, count: int | None, reverse: bool) -> list[Row]:
        """Return so many rows from a key to below another, in the order of keys or from the last back."""
        chosen = [key for key in self._rows if low <= key and (high is None or key < high)]
        return [self._rows[key] for key in sorted(chosen, reverse=reverse)[:count]]

    def page(self, after: str, size: int, parts: int) -> list[Row]:
        """Return so many rows that follow a key, in the order of keys, which have so many parts."""
        following = [key for key in self._rows if key > after and key.count("\0") == parts - 1]
        return [self._rows[key] for key in sorted(following)[:size]]

    def links(self, end: str, direction: str, kind: str | None) -> list[Row]:
        """Return the links of a row, in the order of keys."""
        keys = {key: key.split("\0") for key in self._rows if end in ends(key)}
        sides = SIDES[direction]
        return [
            self._rows[key]
            for key, parts in sorted(keys.items())
            if end in [parts[side] for side in sides] and kind in (None, parts[2])
        ]

    def all(self, values: int) -> list[Row]:
        """Return so many values of each row, in the order in which they were put."""
        return [row[:values] for row in self._rows.values()]


def ends(key: str) -> list[str]:
    """Return the keys that a key links."""
    return key.split("\0")[:-1]


class Database:
    """Tables by name, and their log."""

    def __init__(self, log: Path) -> None:
        self._tables: dict[str, Table] = {}
        for line in log.read_bytes().split(b"\n") if log.exists() else ():
            with suppress(orjson.JSONDecodeError):  # the server was killed while it wrote the line
                self._carry_out(*orjson.loads(line))
        self._log = log.open("ab")
        self._log.write(b"\n")

    def answer(self, line: bytes) -> bytes:
        """Carry out a line, and return the line that says what it gave."""
        request = orjson.loads(line)
        try:
            result = self._carry_out(*request)
        except RefusedError as refusal:
            return orjson.dumps({"refused": refusal.args[0]}) + b"\n"
        if request[1] in CHANGES:
            self._log.write(line)
            self._log.flush()
        return orjson.dumps({"result": result}) + b"\n"

    def _carry_out(self, table: str, command: str, *arguments: Any) -> Any:
        return getattr(self._tables.setdefault(table, Table()), command)(*arguments)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a client until it leaves; a line that it has not sent to its end is none."""
        with suppress(ConnectionError):
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(self.answer(line))
                await writer.drain()
        writer.close()


async def main(log: str, port: str = "0") -> None:
    """Serve on a port, a free one by default."""
    database = Database(Path(log))
    server = await asyncio.start_server(database.serve, "127.0.0.1", int(port), limit=LONGEST_LINE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
