"""The way to the Redis server that has a store, by redis-py.

All keys of a store have one hash tag, so that in a cluster one server has them.
Which server that is differs: the one of the URL, the master that Sentinels name,
the owner of a slot. It is found when connections are opened, and again where
the server was lost.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

from redis.asyncio.connection import Connection as PlainConnection
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import RedisError, ResponseError
from typing_extensions import override

from symphony_registry.backends.remote.driver import Driver, Explanation
from symphony_registry.errors import BackendSetupError, BackendTimeoutError
from symphony_registry.providers.redis.address import Node
from symphony_registry.providers.redis.connections import Connection, Pool
from symphony_registry.providers.redis.failures import (
    ERRORS,
    NotTheMasterError,
    explained,
    may_go_through,
    was_not_done,
)
from symphony_registry.providers.redis.options import RedisOptions

_ABANDONED: list[Pool] = []  # which are never finalized


class RedisDriver(Driver[Pool, Connection]):
    """redis-py; backends share a pool that have the same slot of the same server, and options of the connection."""

    errors: ClassVar = ERRORS
    options: ClassVar = ("url",)

    def __init__(self, options: RedisOptions, tag: str) -> None:
        self._options = options
        self._slot = key_slot(tag.encode())
        self.key = self._slot, options.model_copy(update={"prefix": "", "create": True})
        self.server = options.server
        self.patience = options.connect_timeout

    @override
    async def open(self) -> Pool:
        pool = Pool(self._find, self._connect, self._options.pool_max_size)
        await pool.find()
        return pool

    async def _find(self) -> Node:
        """Return where the server is that has the store, which was asked once."""
        failure: Exception | None = None
        for node in self._options.address.nodes:
            try:
                async with asyncio.timeout(self.patience):
                    return await self._found_by(node)
            except ERRORS as error:
                failure = error
        assert failure is not None
        raise failure

    async def _found_by(self, node: Node) -> Node:
        """Return the server that this one leads to."""
        options = self._options
        if options.sentinel_master is not None:
            node = await self._asked_sentinel(node, options.sentinel_master)
        async with self._asking(node) as connection:
            told = facts(await connection.command("INFO", "server", "replication"))
            mode = told.get("redis_mode") or told.get("server_mode")  # as Valkey calls it
            if mode == "sentinel":
                raise BackendSetupError(
                    f"{options.server} is a Sentinel. Say with sentinel_master which master's data are meant.",
                    options=("sentinel_master", "url"),
                )
            if mode == "cluster":
                return await self._owner(connection, node)
            if told.get("role") != "master":
                raise NotTheMasterError(str(node))
            return node

    async def _asked_sentinel(self, node: Node, master: str) -> Node:
        password = self._options.sentinel_password
        login = {"username": None, "password": password and password.get_secret_value(), "db": 0}
        async with self._asking(node, **login) as connection:
            (reply,) = await connection.ask(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master))
        if isinstance(reply, ResponseError):
            raise BackendSetupError(
                f"{self._options.server}: {node} is no Sentinel. Give the addresses of Sentinels in the url, or leave "
                "sentinel_master out.",
                options=("sentinel_master", "url"),
            ) from reply
        if reply is None:
            raise BackendSetupError(
                f"{self._options.server}: the Sentinel knows no master {master!r}. "
                "Ask it with SENTINEL MASTERS, and correct sentinel_master.",
                options=("sentinel_master",),
            )
        return Node(reply[0].decode(), int(reply[1]))

    async def _owner(self, connection: Connection, asked: Node) -> Node:
        """Return the master that has the slot of the store's keys."""
        for first, last, (host, port, *_), *_ in await connection.command("CLUSTER", "SLOTS"):
            if first <= self._slot <= last:
                return Node((host or b"").decode() or asked.host, port)
        raise LostError(f"no server of the cluster has slot {self._slot}")

    @asynccontextmanager
    async def _asking(self, node: Node, **login: Any) -> AsyncIterator[Connection]:
        connection = await self._connect(node, **login)
        try:
            yield connection
        finally:
            await connection.drop()

    async def _connect(self, node: Node, **login: Any) -> Connection:
        """Return a new connection to a server."""
        options, address = self._options, self._options.address
        arguments: dict[str, Any] = {
            "username": address.user,
            "password": address.password,
            "db": address.database,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": options.connect_timeout,
            "retry": Retry(NoBackoff(), 0),  # what may be sent again is for the table of operations to say
            "driver_info": None,
            **login,
        }
        kind: type[PlainConnection | UnixDomainSocketConnection] = PlainConnection
        if node.port is None:
            kind = UnixDomainSocketConnection
            arguments["path"] = node.host
        else:
            arguments.update(host=node.host, port=node.port)
        if address.tls:
            kind = SSLConnection
            arguments.update(
                ssl_ca_certs=options.tls_ca_file and str(options.tls_ca_file),
                ssl_certfile=options.tls_cert_file and str(options.tls_cert_file),
                ssl_keyfile=options.tls_key_file and str(options.tls_key_file),
            )
        raw = kind(**arguments)
        async with asyncio.timeout(self.patience):
            await raw.connect()  # type: ignore[no-untyped-call]
        return Connection(raw, options)

    @asynccontextmanager
    async def connection(self, pool: Pool) -> AsyncIterator[Connection]:
        """Lend a connection; raises `BackendTimeoutError` where none is free."""
        seconds = self._options.timeout
        try:
            await pool.wait(seconds)
        except TimeoutError as error:
            raise BackendTimeoutError(
                f"{self.server}: there was no connection within {seconds:g} s. Raise pool_max_size, or look for what "
                "keeps the server from answering.",
                options=("pool_max_size", "url"),
            ) from error
        async with pool.lend() as connection:
            yield connection

    @override
    async def close(self, pool: Pool) -> None:
        with suppress(RedisError, OSError):
            await pool.close()

    @override
    def abandon(self, pool: Pool) -> None:
        if not pool.loop.is_closed():  # which a forked child shares with its parent: finalizers would disturb it
            _ABANDONED.append(pool)

    @override
    def is_worth_retrying(self, error: Exception) -> bool:
        return may_go_through(error)

    @override
    def was_not_done(self, error: Exception) -> bool:
        return was_not_done(error)

    @override
    def explain(self, error: Exception) -> Explanation:
        return explained(error)


def facts(info: bytes) -> dict[str, str]:
    r"""Return what the reply to INFO says.

    >>> facts(b"# Server\r\nredis_mode:standalone\r\n")
    {'redis_mode': 'standalone'}
    """
    lines = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
