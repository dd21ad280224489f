"""Connections to a PostgreSQL server, by asyncpg."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, TypeAlias

import asyncpg
from typing_extensions import override

from symphony_registry.backends.remote.driver import Driver, Explanation
from symphony_registry.errors import BackendTimeoutError, InvalidValueError
from symphony_registry.providers.postgres.dsn import about_ignored
from symphony_registry.providers.postgres.failures import ERRORS, explained, may_go_through, was_not_done
from symphony_registry.providers.postgres.options import PostgresOptions

# asyncpg rather than psycopg 3: in one run over the 19,611 packages of the benchmarks, get took 113 µs against 156,
# COPY 0.39 s against 0.53, a checkpoint of 1 MB 6.3 ms against 6.7; one upsert and the search took the same.

Record: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[Record]"

_RELEASE_TIMEOUT = 5.0

logger = logging.getLogger(__name__)


class Connection(asyncpg.Connection):
    """A connection whose session is never changed, so that nothing has to be reset."""

    _knows_vectors = False

    def get_reset_query(self) -> str:
        """Return no query: a round trip less for each operation."""
        return ""

    async def know_vectors(self, schema: str) -> None:
        """Send and receive pgvector's vectors as bytes, in its binary form."""
        if not self._knows_vectors:
            await self.set_type_codec("vector", schema=schema, encoder=bytes, decoder=bytes, format="binary")
            self._knows_vectors = True


class PostgresDriver(Driver[Pool, Connection]):
    """asyncpg; backends share a pool that have the same dsn, pool sizes and timeouts."""

    errors: ClassVar = ERRORS
    options: ClassVar = ("dsn",)

    def __init__(self, options: PostgresOptions) -> None:
        self._options = options
        about_server = {"dsn", "pool_min_size", "pool_max_size", "connect_timeout", "statement_timeout"}
        self.key = tuple(options.model_dump(include=about_server).values())
        self.server = options.server
        self.patience = options.patience

    @override
    async def open(self) -> Pool:
        options = self._options
        address = options.address
        try:
            pool = await asyncpg.create_pool(
                address.url,
                min_size=options.pool_min_size,
                max_size=options.pool_max_size,
                timeout=options.patience,
                command_timeout=options.statement_timeout,
                connection_class=Connection,
            )
            try:
                async with pool.acquire():
                    if address.ignored:  # said once, not with each attempt
                        logger.warning("%s: ignored in its dsn: %s.", options.server, about_ignored(address.ignored))
                    return pool
            except BaseException:
                pool.terminate()
                raise
        except ValueError as error:
            if isinstance(error, OSError):  # a certificate that does not fit is both
                raise
            # without the cause, whose text may hold a part of the password
            raise InvalidValueError(
                f"{options.server}: the driver cannot use the dsn. Check its host, its port, sslmode and the "
                "certificates, and write special characters as %40 and the like.",
                options=("dsn",),
            ) from None

    @override
    async def close(self, pool: Pool) -> None:
        await pool.close()

    @override
    def abort(self, pool: Pool) -> None:
        pool.terminate()

    @asynccontextmanager
    async def connection(self, pool: Pool) -> AsyncIterator[Connection]:
        """Lend a connection; raises `BackendTimeoutError` where none is free."""
        try:
            connection = await pool.acquire(timeout=self._options.statement_timeout)
        except TimeoutError as error:
            raise BackendTimeoutError(
                f"{self._options.server}: there was no connection within {self._options.statement_timeout:g} s. Raise "
                "pool_max_size, look for what keeps the others busy, or for what keeps the server from answering.",
                options=("pool_max_size", "dsn"),
            ) from error
        try:
            yield connection  # type: ignore[misc] # the pool makes them of this class
        finally:
            await pool.release(connection, timeout=_RELEASE_TIMEOUT)

    @override
    def drop(self, connection: Connection) -> None:
        connection.terminate()

    @override
    def is_worth_retrying(self, error: Exception) -> bool:
        return may_go_through(error)

    @override
    def was_not_done(self, error: Exception) -> bool:
        return was_not_done(error)

    @override
    def explain(self, error: Exception) -> Explanation:
        return explained(error)
