"""Connections to the server that has a store, and what is sent over them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.providers.redis.address import Node
from symphony_registry.providers.redis.failures import ERRORS, NotConfirmedError, RefusedToWaitError, names_another
from symphony_registry.providers.redis.options import RedisOptions
from symphony_registry.providers.redis.scripts import Script

Argument: TypeAlias = "str | bytes | int | float"

_MOMENT = 5_000  # milliseconds
_MARGIN = 1.0  # seconds that an answer may take longer than the server may wait


class Connection:
    """A connection, which one task at a time may use."""

    def __init__(self, raw: AbstractConnection, options: RedisOptions) -> None:
        self._raw = raw
        self._milliseconds = max(1, int(options.timeout * 1000))
        self._patience = options.timeout + _MARGIN
        self._replicas = options.replicas
        self._waits = options.durability != "none"

    async def ask(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send commands at once and return the reply to each, an error where there is one."""
        raw = self._raw
        replies: list[Any] = []
        try:
            async with asyncio.timeout(self._patience):  # the driver's own, in Python 3.11, can lose a cancellation
                packed = await here_or_in_thread(lambda: _packed(commands), sum(map(len, commands)))
                await raw.send_packed_command(packed, check_health=False)
                for _ in commands:
                    try:
                        replies.append(await raw.read_response())
                    except ResponseError as error:
                        replies.append(error)
        except BaseException:
            await self.drop()  # whose next answer would be to somebody else's question
            raise
        return replies

    async def command(self, *arguments: Argument) -> Any:
        """Return the reply to a command."""
        (reply,) = await self.ask(arguments)
        return _unless_error(reply)

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument], *, writes: bool) -> Any:
        """Run a script, and wait until what it wrote is as durable as was asked."""
        waiting = [("WAITAOF", 1, self._replicas, self._milliseconds)] if writes and self._waits else []
        call = (len(keys), *keys, *arguments)
        replies = await self.ask(("EVALSHA", script.digest, *call), *waiting)
        if isinstance(replies[0], NoScriptError):  # the server does not know it yet, or forgot it: nothing was done
            replies = await self.ask(("EVAL", script.text, *call), *waiting)
        _unless_error(replies[0])
        if waiting:
            if isinstance(replies[1], ResponseError):
                raise RefusedToWaitError(replies[1])
            self._check(replies[1])
        return replies[0]

    async def settle(self) -> None:
        """Wait a moment until what this connection wrote is as durable as was asked."""
        if self._waits:
            self._check(await self.command("WAITAOF", 1, self._replicas, _MOMENT))

    def _check(self, confirmed: Sequence[int]) -> None:
        if confirmed[0] < 1 or confirmed[1] < self._replicas:
            raise NotConfirmedError(*confirmed)

    @property
    def is_open(self) -> bool:
        """Whether it is connected, and the server has not closed it."""
        reader = self._raw._reader
        return reader is not None and not reader.at_eof()

    async def drop(self) -> None:
        """Close the connection."""
        await self._raw.disconnect(nowait=True)


class Pool:
    """Connections to the server that has the store, which may become another."""

    def __init__(
        self, find: Callable[[], Awaitable[Node]], connect: Callable[[Node], Awaitable[Connection]], limit: int
    ) -> None:
        """Take what finds the server, what connects to it, and how many connections there may be."""
        self.loop = asyncio.get_running_loop()
        self._find, self._connect = find, connect
        self._node: Node | None = None
        self._finding = asyncio.Lock()
        self._free = asyncio.Semaphore(limit)
        self._idle: list[Connection] = []

    async def find(self) -> Node:
        """Return where the server is that has the store."""
        async with self._finding:
            if self._node is None:
                self._node = await self._find()
            return self._node

    async def wait(self, seconds: float) -> None:
        """Wait for the right to a connection; raises `TimeoutError`."""
        if self._free.locked():
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        else:
            await self._free.acquire()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """Lend a connection to who has waited for it."""
        node = self._node
        try:
            node = node or await self.find()
            connection = await self._connected(node)
            try:
                yield connection
            finally:
                if connection.is_open and node is self._node:
                    self._idle.append(connection)
                else:
                    await connection.drop()
        except ERRORS as error:
            if node is self._node and names_another(error):
                await self.close()  # and look for the server again
            raise
        finally:
            self._free.release()

    async def _connected(self, node: Node) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            await connection.drop()
        return await self._connect(node)

    async def close(self) -> None:
        """Close the connections that nobody has; the others are closed when they come back."""
        self._node = None
        while self._idle:
            await self._idle.pop().drop()


def _packed(commands: Sequence[tuple[Argument, ...]]) -> list[bytes]:
    return [pack_command(each) for each in commands]  # type: ignore[arg-type] # of any length


def _unless_error(reply: Any) -> Any:
    if isinstance(reply, RedisError):
        raise reply
    return reply
