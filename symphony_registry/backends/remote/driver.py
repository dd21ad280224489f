"""What a product says of its driver: how to connect, and what errors mean."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Generic, TypeVar

from symphony_registry.errors import BackendSetupError, BackendTimeoutError, BackendUnavailableError, RegistryError

PoolT = TypeVar("PoolT")
ConnectionT = TypeVar("ConnectionT")


class Driver(ABC, Generic[PoolT, ConnectionT]):
    """The way to a server. Backends whose drivers have equal keys share a pool of connections.

    What is not abstract fits a plain socket whose `connection` closes it in any case.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)
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
    def connection(self, pool: PoolT) -> AbstractAsyncContextManager[ConnectionT]:
        """Return a context in which a connection is lent."""

    async def close(self, pool: PoolT) -> None:
        """Close a pool in order."""

    def abort(self, pool: PoolT) -> None:
        """Close a pool at once."""

    def drop(self, connection: ConnectionT) -> None:
        """Close a connection whose answer nobody waits for."""

    def is_transient(self, error: BaseException) -> bool:
        """Say whether the same work may succeed in a while."""
        return isinstance(error, self.errors) and not isinstance(error, TimeoutError | RegistryError)

    def was_not_done(self, error: BaseException) -> bool:  # noqa: ARG002
        """Say whether work that ended in this error certainly changed nothing."""
        return False

    def explained(self, error: BaseException, where: str, *, sent: bool = False) -> RegistryError:
        """Return the error that says what is wrong with the server, and what to do.

        `sent` says that work was sent, and that nobody knows what became of it.
        """
        unknown = "If this was a write, it may have been made. " if sent and not self.was_not_done(error) else ""
        if isinstance(error, TimeoutError):
            advice = "Look at its load, or raise the timeout."
            return BackendTimeoutError(f"{where}: it did not answer in time. {unknown}{advice}")
        said = f"{where}: the connection failed ({type(error).__name__}). {unknown}"
        if self.is_transient(error):
            return BackendUnavailableError(f"{said}Check that the server runs, then try again.")
        return BackendSetupError(f"{said}The cause has the details.")
