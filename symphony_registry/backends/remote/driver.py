"""What a product says of its driver: how to connect, and what errors mean."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Generic, NamedTuple, TypeVar

from symphony_registry.errors import BackendTimeoutError, BackendUnavailableError, RegistryError

PoolT = TypeVar("PoolT")
ConnectionT = TypeVar("ConnectionT")


class Explanation(NamedTuple):
    """What an error of a driver means: the class of ours, what happened, and what to do; without a secret."""

    kind: type[RegistryError]
    said: str
    advice: str


class Driver(ABC, Generic[PoolT, ConnectionT]):
    """The way to a server. Backends whose drivers have equal keys share a pool of connections.

    What is not abstract fits a plain socket, which `connection` opens and closes.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)
    """What the driver raises; anything else is a bug, and is not caught."""
    options: ClassVar[tuple[str, ...]]
    """The options that lead to the server, which errors name."""

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

    def abandon(self, pool: PoolT) -> None:
        """Leave a pool to the garbage collector: its event loop has ended, or is that of the parent of a fork."""

    def drop(self, connection: ConnectionT) -> None:
        """Close a connection whose answer nobody waits for, where leaving `connection` with an error does not."""

    def is_worth_retrying(self, error: Exception) -> bool:
        """Say of one of `errors` whether the same work may succeed within the `patience`; a timeout has used it up."""
        return not isinstance(error, TimeoutError)

    def was_not_done(self, error: Exception) -> bool:  # noqa: ARG002
        """Say of one of `errors` whether work that ended in it certainly changed nothing; if not, nobody knows."""
        return False

    def explain(self, error: Exception) -> Explanation:
        """Return what one of `errors` means. As defined here, that the server does not answer, or cannot be reached."""
        if isinstance(error, TimeoutError):
            return Explanation(BackendTimeoutError, "it did not answer in time", "Look at its load, then try again.")
        said = f"it cannot be reached ({type(error).__name__})"
        return Explanation(BackendUnavailableError, said, "Check that the server runs, then try again.")
