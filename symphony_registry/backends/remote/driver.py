"""What a product says of its driver: how to connect, and what errors mean."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Generic, TypeVar

from symphony_registry.errors import RegistryError

PoolT = TypeVar("PoolT")
ConnectionT = TypeVar("ConnectionT")


class Driver(ABC, Generic[PoolT, ConnectionT]):
    """The way to a server. Backends whose drivers have equal keys share a pool of connections."""

    errors: ClassVar[tuple[type[Exception], ...]]
    """What the driver raises; anything else is a bug, and is not caught."""

    key: Hashable
    server: str
    """The product, host and database, for messages; without a secret."""
    patience: float
    """How long to go on with attempts, in seconds."""

    @abstractmethod
    async def open(self) -> PoolT:
        """Return a pool that has reached the server once."""

    @abstractmethod
    async def close(self, pool: PoolT) -> None:
        """Close a pool in order."""

    @abstractmethod
    def abort(self, pool: PoolT) -> None:
        """Close a pool at once."""

    @abstractmethod
    def connection(self, pool: PoolT) -> AbstractAsyncContextManager[ConnectionT]:
        """Return a context in which a connection is lent."""

    @abstractmethod
    def drop(self, connection: ConnectionT) -> None:
        """Close a connection whose answer nobody waits for."""

    @abstractmethod
    def is_transient(self, error: BaseException) -> bool:
        """Say whether the same work may succeed in a while."""

    @abstractmethod
    def was_not_done(self, error: BaseException) -> bool:
        """Say whether work that ended in this error certainly changed nothing."""

    @abstractmethod
    def explained(self, error: BaseException, where: str, *, sent: bool = False) -> RegistryError:
        """Return the error that says what is wrong with the server, and what to do.

        `sent` says that work was sent, and that nobody knows what became of it.
        """
