"""The server: tables of rows in a dictionary.

python examples/toy_engine/server.py [PORT]

It prints its port, then answers lines. A line is a list of commands, [command, table,
argument, ...], which are carried out together; the answer has their results. A row is
any JSON value under a key. It forgets everything when it ends.
"""

import asyncio
import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

import orjson

LONGEST_LINE = 2**30


class RefusedError(Exception):
    """A condition does not hold; `args` say why."""


class Table:
    """Rows in the order in which they were put; its methods are the commands."""

    def __init__(self) -> None:
        self._rows: dict[str, Any] = {}

    def need(self, keys: list[tuple[str, list[Any]]]) -> None:
        """Refuse everything for the first key that is not there, with the reason that stands beside it."""
        for key, reason in keys:
            if key not in self._rows:
                raise RefusedError(*reason)

    def agree(self, key: str, row: Any) -> None:
        """Keep a row for good; where there is another, refuse everything with both."""
        if self._rows.setdefault(key, row) != row:
            raise RefusedError(self._rows[key], row)

    def put(self, rows: list[tuple[str, Any]]) -> None:
        """Store rows, each as the newest."""
        for key, row in rows:
            self._rows.pop(key, None)
            self._rows[key] = row

    def merge(self, key: str, values: dict[str, Any]) -> bool:
        """Merge an object into the last value of a row; say whether it is there."""
        if key in self._rows:
            self._rows[key][-1].update(values)
        return key in self._rows

    def delete(self, keys: list[str]) -> int:
        """Delete rows, and count those that were there."""
        return sum(self._rows.pop(key, self) is not self for key in keys)

    def keep(self, count: int) -> int:
        """Delete all but the newest rows, and count what was deleted."""
        return self.delete(list(self._rows)[: max(0, len(self._rows) - count)])

    def get(self, keys: list[str]) -> list[tuple[str, Any]]:
        """Return a row for each key, null where there is none."""
        return [(key, self._rows.get(key)) for key in keys]

    def newest(self, count: int) -> list[tuple[str, Any]]:
        """Return the newest rows, the oldest of them first."""
        return list(self._rows.items())[-count:]

    def heads(self) -> list[tuple[str, Any]]:
        """Return all rows, the oldest first, without their last values."""
        return [(key, row[:-1]) for key, row in self._rows.items()]

    def page(self, after: str, size: int) -> list[tuple[str, Any]]:
        """Return the rows that follow a key, by key."""
        return self.get(sorted(key for key in self._rows if key > after)[:size])

    def links(self, end: str, first: int = 0, last: int = 2) -> list[tuple[str, Any]]:
        """Return the rows in whose keys, parts between U+0000, some part is `end`, by key."""
        return self.get(sorted(key for key in self._rows if end in key.split("\0")[first:last]))

    def unlink(self, end: str) -> int:
        """Delete those rows."""
        return self.delete([key for key, _ in self.links(end)])


class Server:
    """Tables by name, made when they are first named."""

    def __init__(self) -> None:
        self._tables: defaultdict[str, Table] = defaultdict(Table)

    def answer(self, line: bytes) -> bytes:
        """Carry out the commands of a line; none after one that refuses, so conditions come first."""
        try:
            results = [getattr(self._tables[table], name)(*rest) for name, table, *rest in orjson.loads(line)]
        except RefusedError as refusal:
            return orjson.dumps({"refused": refusal.args}) + b"\n"
        return orjson.dumps({"results": results}) + b"\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a client until it leaves; a line that it has not sent to its end is none."""
        with suppress(ConnectionError):
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(self.answer(line))
                await writer.drain()
        writer.close()


async def main(port: str = "0") -> None:
    """Serve on a port, a free one by default."""
    server = await asyncio.start_server(Server().serve, "127.0.0.1", int(port), limit=LONGEST_LINE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
