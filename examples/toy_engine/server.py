"""The server: tables of rows in a dictionary, and a log of what changed them.

python examples/toy_engine/server.py LOG [PORT]

It prints its port, then answers lines: [table, command, argument, ...]. A row is a
list of JSON values under a key. A key of three parts, with U+0000 between them, is
a link between the rows of the first two.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import orjson

Row: TypeAlias = tuple[str, list[Any]]

LONGEST_LINE = 2**30


class RefusedError(Exception):
    """A change that would break a rule; nothing was done."""


class Table:
    """Rows in the order in which they were put; its public methods are the commands."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {}
        self._kind: Any = None

    def put(self, rows: list[Row], kind: Any = None) -> None:
        """Store rows, each as the newest; refuse another kind than the table has, and links to nothing."""
        if self._kind not in (None, kind):
            raise RefusedError(self._kind)
        for number, (key, _) in enumerate(rows):
            for end in key.split("\0")[:-1][:2]:
                if end not in self._rows:
                    raise RefusedError([number, end])
        self._kind = kind
        for key, row in rows:
            self._rows.pop(key, None)
            self._rows[key] = row

    def merge(self, key: str, values: dict[str, Any]) -> bool:
        """Merge an object into the last value of a row, if it is there."""
        if key in self._rows:
            self._rows[key][-1].update(values)
        return key in self._rows

    def delete(self, keys: list[str]) -> int:
        """Delete rows with their links, and count the rows that were there."""
        there = [key for key in keys if key in self._rows]
        for key in there:
            for link, _ in [(key, None), *self.links(key)]:
                self._rows.pop(link, None)
        return len(there)

    def keep(self, count: int) -> int:
        """Delete all but the newest rows; a table that keeps none takes any kind again."""
        self._kind = self._kind if count else None
        return self.delete(list(self._rows)[: max(0, len(self._rows) - count)])

    def kind(self) -> Any:
        """Return the kind of the rows."""
        return self._kind

    def read(self, keys: list[str]) -> list[list[Any] | None]:
        """Return rows."""
        return [self._rows.get(key) for key in keys]

    def links(self, key: str) -> list[Row]:
        """Return the links from and to a row, in the order of keys."""
        return sorted(row for row in self._rows.items() if key in row[0].split("\0")[:-1][:2])

    def page(self, after: str, size: int, parts: int = 1) -> list[Row]:
        """Return so many rows that follow a key, in the order of keys."""
        return sorted(row for row in self._rows.items() if row[0] > after and row[0].count("\0") == parts - 1)[:size]

    def newest(self, count: int) -> list[Row]:
        """Return the newest rows, the newest first."""
        return list(self._rows.items())[: -count - 1 : -1]

    def heads(self) -> list[Row]:
        """Return all rows in the order in which they were put, without their last value."""
        return [(key, row[:-1]) for key, row in self._rows.items()]


CHANGES = {"put", "merge", "delete", "keep"}


class Database:
    """Tables by name, and their log."""

    def __init__(self, log: Path) -> None:
        self._tables: dict[str, Table] = {}
        for line in log.read_bytes().split(b"\n") if log.exists() else ():
            with suppress(orjson.JSONDecodeError):  # the server was killed while it wrote this
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
    server = await asyncio.start_server(Database(Path(log)).serve, "127.0.0.1", int(port), limit=LONGEST_LINE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
