"""What the tests of the Redis providers try on each of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.providers.redis.knowledge_graph import RedisKnowledgeGraph
from symphony_registry.providers.redis.vector_store import RedisVectorStore

KINDS = [RedisVectorStore, RedisKnowledgeGraph, RedisCheckpointStore]
each_type = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.backend_type))


class Line:
    """A line to a server, which can be cut when an answer comes."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self.swallows = 0
        self._server_port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Line"]:
        """Pass on what clients and the server say."""
        async with await asyncio.start_server(self._connect, "127.0.0.1", ssl=self._tls) as listening:
            self.port = listening.sockets[0].getsockname()[1]
            yield self
            for task in self._tasks:
                task.cancel()
            for writer in self._writers:
                writer.close()
            closing = (writer.wait_closed() for writer in self._writers)
            await asyncio.gather(*self._tasks, *closing, return_exceptions=True)

    @property
    def url(self) -> str:
        """The URL of the server at the other end."""
        return f"{'rediss' if self._tls else 'redis'}://127.0.0.1:{self.port}/0"

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers += [to_client, to_server]
        for task in (
            asyncio.ensure_future(self._ask(client, to_server)),
            asyncio.ensure_future(self._answer(server, to_client)),
        ):
            self._tasks.add(task)

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while said := await client.read(1 << 16):
            server.write(said)
        server.close()

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while said := await server.read(1 << 16):
            if self.swallows:
                self.swallows -= 1
                break
            client.write(said)
        client.close()
