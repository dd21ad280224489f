"""Connections to a server: one pool for all backends of a process that say the same about it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from symphony_registry.errors import BackendNotOpenError, BackendTimeoutError, InvalidValueError, RegistryError
from symphony_registry.providers.postgres.failures import ERRORS, may_go_through, unavailable, was_not_done
from symphony_registry.providers.postgres.options import PostgresOptions

# asyncpg rather than psycopg 3: in one run over the 19,611 packages of the benchmarks, get took 113 µs against 156,
# COPY 0.39 s against 0.53, a checkpoint of 1 MB 6.3 ms against 6.7; one upsert and the search took the same.

T = TypeVar("T")
Record: TypeAlias = asyncpg.Record

# Seconds between attempts: at first, and at the most.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 0.5
_RELEASE_TIMEOUT = 5.0


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


Work: TypeAlias = Callable[[Connection], Awaitable[T]]


class Connections:
    """A pool that backends share: opened for the first of them, closed after the last."""

    _all: ClassVar[dict[Any, Self]] = {}

    def __init__(self, key: Any, options: PostgresOptions) -> None:
        self._key = key
        self._options = options
        self._users = 0
        self._opening = asyncio.ensure_future(self._persistently(self._open))

    @classmethod
    async def lease(cls, options: PostgresOptions, who: object) -> Self:
        """Return the pool for these options, which `release` gives back; opens it for the first who asks.

        Backends share it that have the same dsn, pool sizes and timeouts.
        """
        about_server = options.model_dump(
            include={"dsn", "pool_min_size", "pool_max_size", "connect_timeout", "statement_timeout"}
        )
        key = (asyncio.get_running_loop(), *about_server.values())
        shared = cls._all.get(key)
        if shared is None:
            shared = cls._all[key] = cls(key, options)
        shared._users += 1
        try:
            await asyncio.shield(shared._opening)
        except BaseException as error:
            await shared.release()
            if isinstance(error, ERRORS) and not isinstance(error, RegistryError):
                raise unavailable(error, f"{who}: {options.server}") from error
            raise
        return shared

    async def release(self) -> None:
        """Give the pool back; the last user closes it."""
        if self._leave():
            self._opening.cancel()
            await asyncio.wait([self._opening])
            if (pool := self._pool) is not None:
                try:
                    async with asyncio.timeout(_RELEASE_TIMEOUT):
                        await pool.close()
                except TimeoutError:
                    pool.terminate()

    def abandon(self) -> None:
        """Give the pool back after its event loop has ended, without which connections cannot be closed in order."""
        self._leave()

    def _leave(self) -> bool:
        self._users -= 1
        if not self._users:
            del self._all[self._key]
        return not self._users

    @property
    def _pool(self) -> "asyncpg.Pool[Record] | None":
        """The pool, if it was opened."""
        opening = self._opening
        return opening.result() if opening.done() and not opening.cancelled() and not opening.exception() else None

    async def _open(self) -> "asyncpg.Pool[Record]":
        options = self._options
        try:
            pool = await asyncpg.create_pool(
                options.dsn.get_secret_value(),
                min_size=options.pool_min_size,
                max_size=options.pool_max_size,
                timeout=options.connect_timeout,
                command_timeout=options.statement_timeout,
                connection_class=Connection,
            )
            try:
                async with pool.acquire():
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
                "certificates, and write special characters as %40 and the like."
            ) from None

    async def run(self, work: Work[T], who: object, *, again: bool) -> T:
        """Return `work(connection)`; where the connection is lost, and `again` says so, from another attempt.

        Work that nothing became of is always tried again. All attempts together
        take `connect_timeout` from the first failure. Raises `BackendUnavailableError`.
        """
        begun = sent = False

        def tracked(connection: Connection) -> Awaitable[T]:
            nonlocal begun, sent
            begun = sent = True
            return work(connection)

        async def attempt() -> T:
            nonlocal begun
            begun = False
            return await self._attempt(tracked)

        def is_worth_it(error: BaseException) -> bool:
            return may_go_through(error) and (again or not begun or was_not_done(error))

        try:
            try:
                return await attempt()
            except ERRORS as error:
                if not is_worth_it(error):
                    raise
            return await self._persistently(attempt, is_worth_it)
        except RegistryError:
            raise
        except ERRORS as error:
            raise unavailable(error, f"{who}: {self._options.server}", sent=sent) from error

    async def once(self, work: Work[T]) -> T:
        """Return `work(connection)` from a single attempt; raises the driver's errors, and waits for nothing."""

        async def hurried(connection: Connection) -> T:
            try:
                return await work(connection)
            except BaseException:
                connection.terminate()
                raise

        return await self._attempt(hurried)

    async def _persistently(
        self,
        attempt: Callable[[], Coroutine[Any, Any, T]],
        is_worth_it: Callable[[BaseException], bool] = may_go_through,
    ) -> T:
        attempts = AsyncRetrying(
            retry=retry_if_exception(is_worth_it),
            wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
            stop=stop_after_delay(self._options.connect_timeout),
            reraise=True,
        )
        return await attempts(attempt)  # which has to be known as a coroutine function: no lambda

    async def _attempt(self, work: Work[T]) -> T:
        pool = self._opening.result()
        if pool.is_closing():
            raise BackendNotOpenError(f"{self._options.server}: the backend was closed meanwhile.")
        try:
            connection = await pool.acquire(timeout=self._options.statement_timeout)
        except TimeoutError as error:
            raise BackendTimeoutError(
                f"{self._options.server}: there was no connection within {self._options.statement_timeout:g} s. Raise "
                "pool_max_size, look for what keeps the others busy, or for what keeps the server from answering."
            ) from error
        try:
            return await work(connection)  # type: ignore[arg-type]
        finally:
            await pool.release(connection, timeout=_RELEASE_TIMEOUT)
