"""Connections to the Redis server that has a store, by redis-py.

All keys of a store have one hash tag, so that in a cluster one server has them.
Which server that is differs: the one of the URL, the master that Sentinels name,
the owner of a slot. It is found when connections are opened, and again where
the server was lost.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, TypeAlias

from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import Connection as PlainConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from typing_extensions import override

from symphony_registry.backends.remote.driver import Driver, Explanation
from symphony_registry.errors import BackendSetupError, BackendTimeoutError
from symphony_registry.providers.redis.address import Node
from symphony_registry.providers.redis.failures import (
    ERRORS,
    NotConfirmedError,
    NotTheMasterError,
    explained,
    may_go_through,
    names_another,
    was_not_done,
)
from symphony_registry.providers.redis.options import RedisOptions
from symphony_registry.providers.redis.scripts import Script

Argument: TypeAlias = "str | bytes | int | float"

_MOMENT = 5_000  # milliseconds
_MARGIN = 1.0  # seconds that an answer may take longer than the server may wait


class Connection:
    """A connection that is lent."""

    def __init__(self, raw: AbstractConnection, options: RedisOptions) -> None:
        self._raw = raw
        self._milliseconds = max(1, int(options.timeout * 1000))
        self._patience = options.timeout + _MARGIN
        self._replicas = options.replicas
        self._waits = options.durability != "none"

    async def ask(self, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands at once and return the reply to each, an error where there is one."""
        raw = self._raw
        replies: list[Any] = []
        try:
            async with asyncio.timeout(self._patience):  # the driver's own, in Python 3.11, can lose a cancellation
                await raw.send_packed_command(raw.pack_commands(commands), check_health=False)
                for _ in commands:
                    try:
                        replies.append(await raw.read_response())
                    except ResponseError as error:
                        replies.append(error)
        except BaseException:
            await raw.disconnect(nowait=True)  # whose next answer would be to somebody else's question
            raise
        return replies

    async def command(self, *arguments: Argument) -> Any:
        """Return the reply to a command."""
        (reply,) = await self.ask(arguments)
        return _unless_error(reply)

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument], *, writes: bool) -> Any:
        """Run a script, and wait until what it wrote is as durable as was asked."""
        waiting = [self._wait] if writes and self._waits else []
        call = (len(keys), *keys, *arguments)
        replies = await self.ask(("EVALSHA", script.digest, *call), *waiting)
        if isinstance(replies[0], NoScriptError):  # the server does not know it yet, or forgot it: nothing was done
            replies = await self.ask(("EVAL", script.text, *call), *waiting)
        _unless_error(replies[0])
        if waiting:
            self._check(_unless_error(replies[1]))
        return replies[0]

    async def settle(self) -> None:
        """Wait a moment until what this connection wrote is as durable as was asked."""
        if self._waits:
            self._check(await self.command("WAITAOF", 1, self._replicas, _MOMENT))

    @property
    def _wait(self) -> Sequence[Argument]:
        return "WAITAOF", 1, self._replicas, self._milliseconds

    def _check(self, confirmed: Sequence[int]) -> None:
        if confirmed[0] < 1 or confirmed[1] < self._replicas:
            raise NotConfirmedError(*confirmed)

    async def drop(self) -> None:
        """Close the connection."""
        await self._raw.disconnect(nowait=True)


class Pool:
    """Connections to the server that has the store, which may become another."""

    def __init__(self, driver: "RedisDriver", connections: BlockingConnectionPool) -> None:
        self._driver = driver
        self._connections: BlockingConnectionPool | None = connections
        self._lock = asyncio.Lock()

    async def current(self) -> BlockingConnectionPool:
        """Return the connections to the server that has the store now."""
        async with self._lock:
            if self._connections is None:
                self._connections = await self._driver.found()
            return self._connections

    async def lose(self, connections: BlockingConnectionPool) -> None:
        """Look for the server again the next time; those that are lent are closed when they come back."""
        if self._connections is connections:
            self._connections = None
            await connections.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close all connections."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.disconnect()


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
        return Pool(self, await self.found())

    async def found(self) -> BlockingConnectionPool:
        """Return connections to the server that has the store, which was asked once."""
        failure: Exception | None = None
        for node in self._options.address.nodes:
            try:
                async with asyncio.timeout(self.patience):
                    return await self._found_by(node)
            except ERRORS as error:
                failure = error
        assert failure is not None
        raise failure

    async def _found_by(self, node: Node) -> BlockingConnectionPool:
        """Return connections to the server that this one leads to."""
        options = self._options
        if options.sentinel_master is not None:
            node = await self._asked_sentinel(node, options.sentinel_master)
        connections = self._connections(node)
        try:
            async with self._lent(connections) as connection:
                role = await connection.command("INFO", "server", "replication")
                told = facts(role)
                if told.get("redis_mode") == "sentinel":
                    raise BackendSetupError(
                        f"{options.server} is a Sentinel. Say with sentinel_master which master's data are meant.",
                        options=("sentinel_master", "url"),
                    )
                if told.get("redis_mode") == "cluster":
                    owner = await self._owner(connection, node)
                    if owner != node:
                        await connections.disconnect()
                        return self._connections(owner)
                elif told.get("role") != "master":
                    raise NotTheMasterError(str(node))
        except BaseException:
            await connections.disconnect()
            raise
        return connections

    async def _asked_sentinel(self, node: Node, master: str) -> Node:
        password = self._options.sentinel_password
        connections = self._connections(node, user=None, password=password and password.get_secret_value(), database=0)
        try:
            async with self._lent(connections) as connection:
                reply = await connection.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
        finally:
            await connections.disconnect()
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
                return Node(host.decode() or asked.host, port)
        raise LostError(f"no server of the cluster has slot {self._slot}")

    def _connections(self, node: Node, **login: Any) -> BlockingConnectionPool:
        options, address = self._options, self._options.address
        arguments: dict[str, Any] = {
            "username": login.get("user", address.user),
            "password": login.get("password", address.password),
            "db": login.get("database", address.database),
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": options.connect_timeout,
            "retry": Retry(NoBackoff(), 0),  # what may be sent again is for the table of operations to say
            "driver_info": None,
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
        return BlockingConnectionPool(options.pool_max_size, options.timeout, kind, **arguments)

    @asynccontextmanager
    async def _lent(self, connections: BlockingConnectionPool) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(self._options.timeout + self.patience):
                raw = await connections.get_connection()  # type: ignore[no-untyped-call]
        except LostError as error:
            if isinstance(error.__cause__, TimeoutError) and "No connection available" in str(error):
                raise BackendTimeoutError(
                    f"{self.server}: there was no connection within {self._options.timeout:g} s. Raise "
                    "pool_max_size, or look for what keeps the server from answering.",
                    options=("pool_max_size", "url"),
                ) from error
            raise
        try:
            yield Connection(raw, self._options)
        finally:
            await connections.release(raw)

    @asynccontextmanager
    async def connection(self, pool: Pool) -> AsyncIterator[Connection]:
        """Lend a connection; raises `BackendTimeoutError` where none is free."""
        connections = await pool.current()
        try:
            async with self._lent(connections) as connection:
                yield connection
        except (RedisError, OSError) as error:
            if names_another(error):
                await pool.lose(connections)
            raise

    @override
    async def close(self, pool: Pool) -> None:
        with suppress(RedisError, OSError):
            await pool.close()

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


def _unless_error(reply: Any) -> Any:
    if isinstance(reply, RedisError):
        raise reply
    return reply
