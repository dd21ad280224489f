"""A pool of connections that backends share: opened for the first of them, closed after the last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from symphony_registry.backends.operations import Operation
from symphony_registry.backends.remote.attempts import persistently
from symphony_registry.backends.remote.driver import ConnectionT, Driver, PoolT
from symphony_registry.errors import BackendNotOpenError, RegistryError

T = TypeVar("T")
Work: TypeAlias = Callable[[ConnectionT], Awaitable[T]]

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT = 5.0  # seconds


class Connections(Generic[PoolT, ConnectionT]):
    """The pool of one driver on one event loop, leased by backends."""

    _all: ClassVar[dict[Any, Any]] = {}

    def __init__(self, key: Any, driver: Driver[PoolT, ConnectionT]) -> None:
        self._key = key
        self._driver = driver
        self._users = 0
        self._closing = False
        opening = persistently(driver.open, self._is_worth_retrying, driver.patience, f"{driver.server}: connecting")
        self._opening = asyncio.ensure_future(opening)

    @classmethod
    async def lease(cls, driver: Driver[PoolT, ConnectionT], who: object) -> Self:
        """Return the connections of a driver, which `release` gives back; opens them for the first who asks."""
        key = asyncio.get_running_loop(), type(driver), driver.key
        shared = cls._all.get(key)
        if shared is None:
            shared = cls._all[key] = cls(key, driver)
        shared._users += 1
        try:
            await asyncio.shield(shared._opening)
        except BaseException as error:
            await shared.release()
            if isinstance(error, driver.errors) and not isinstance(error, RegistryError):
                raise shared._explained(error, who) from error
            raise
        return shared

    async def release(self) -> None:
        """Give the connections back; the last user closes them."""
        if not self._leave():
            return
        self._opening.cancel()
        await asyncio.wait([self._opening])
        if (pool := self._opened) is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._driver.close(pool)
            except TimeoutError:
                self._driver.abort(pool)

    def abandon(self) -> None:
        """Give them back after their event loop has ended, without which they cannot be closed in order."""
        if self._leave() and (pool := self._opened) is not None:
            self._driver.abandon(pool)

    @property
    def _opened(self) -> PoolT | None:
        opening = self._opening
        failed = not opening.done() or opening.cancelled() or opening.exception()
        return None if failed else opening.result()

    def _leave(self) -> bool:
        self._users -= 1
        if not self._users:
            self._closing = True
            del self._all[self._key]
        return not self._users

    async def run(self, work: Work[ConnectionT, T], who: object, operation: Operation) -> T:
        """Return `work(connection)`; where the connection is lost, from another attempt.

        Work that was not done is always tried again, other work if the operation is
        repeatable. All attempts together take the driver's patience from the first
        failure. Raises what the driver says of the last error.
        """
        driver = self._driver
        begun = may_be_made = False

        def tracked(connection: ConnectionT) -> Awaitable[T]:
            nonlocal begun
            begun = True
            return work(connection)

        async def attempt() -> T:
            nonlocal begun
            begun = False
            return await self._attempt(tracked)

        def is_worth_it(error: BaseException) -> bool:
            nonlocal may_be_made
            if not isinstance(error, driver.errors):
                return False
            unknown = begun and not driver.was_not_done(error)
            may_be_made = may_be_made or (unknown and operation.effect != "read")
            return self._is_worth_retrying(error) and (operation.repeatable or not unknown)

        try:
            try:
                return await attempt()
            except driver.errors as error:
                if not is_worth_it(error):
                    raise
                what = f"{who}: {driver.server}: {operation.name}"
                logger.debug("%s: %s, trying again for %g s", what, type(error).__name__, driver.patience)
            return await persistently(attempt, is_worth_it, driver.patience, what)
        except RegistryError:
            raise
        except driver.errors as error:
            raise self._explained(error, who, may_be_made=may_be_made) from error

    async def once(self, work: Work[ConnectionT, T], who: object) -> T:
        """Return `work(connection)` from a single attempt within the driver's patience."""

        async def hurried(connection: ConnectionT) -> T:
            try:
                return await work(connection)
            except BaseException:
                self._driver.drop(connection)
                raise

        errors: tuple[type[Exception], ...] = (TimeoutError, *self._driver.errors)
        try:
            async with asyncio.timeout(self._driver.patience):
                return await self._attempt(hurried)
        except RegistryError:
            raise
        except errors as error:
            raise self._explained(error, who) from error

    def _is_worth_retrying(self, error: BaseException) -> bool:
        driver = self._driver
        ours = isinstance(error, RegistryError)  # some of which are a driver's errors, too
        return isinstance(error, driver.errors) and not ours and driver.is_worth_retrying(error)

    def _explained(self, error: Exception, who: object, *, may_be_made: bool = False) -> RegistryError:
        """Return the error that says what is wrong with the server, and what to do."""
        driver = self._driver
        kind, said, advice = driver.explain(error)
        unknown = "The write may have been made. " if may_be_made else ""
        return kind(f"{who}: {driver.server}: {said}. {unknown}{advice}", options=driver.options)

    async def _attempt(self, work: Work[ConnectionT, T]) -> T:
        if self._closing:
            raise BackendNotOpenError(f"{self._driver.server}: the backend was closed meanwhile.")
        async with self._driver.connection(self._opening.result()) as connection:
            return await work(connection)
