"""What an engine behind a server holds while it is open."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from symphony_registry.backends.operations import OPERATIONS, Operation
from symphony_registry.backends.remote.connections import Connections, Work
from symphony_registry.backends.remote.driver import ConnectionT, Driver, PoolT
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendNotOpenError, BackendSetupError

T = TypeVar("T")

_READ = Operation("read", "read")


class RemoteResource(ABC, Generic[PoolT, ConnectionT]):
    """The way to the data of one backend: leased connections, and attempts by what an operation does."""

    def __init__(self, owner: StorageBackend, driver: Driver[PoolT, ConnectionT]) -> None:
        self.owner = owner
        self._driver = driver
        self._connections: Connections[PoolT, ConnectionT] | None = None

    async def prepare(self, connection: ConnectionT) -> None:
        """Make what the backend needs on the server, or check it; may be called again."""

    @abstractmethod
    async def probe(self, connection: ConnectionT) -> bool:
        """Say whether what the backend needs is there."""

    async def version(self) -> str | None:
        """Return the server's name and version; as defined here, the package is named instead."""
        return None

    async def exists(self) -> bool:
        """Say yes, since nobody asks the server before `open`."""
        return True

    async def open(self) -> None:
        """Lease connections, and prepare."""
        connections = await Connections.lease(self._driver, self.owner)
        try:
            await connections.run(self.prepare, self.owner, _READ)
        except BaseException:
            await connections.release()
            raise
        self._connections = connections

    async def close(self) -> None:
        """Give the connections back."""
        if self._connections is not None:
            connections, self._connections = self._connections, None
            await connections.release()

    async def survive_loop(self) -> bool:
        """Leave the connections of an event loop that has ended to the garbage collector."""
        self.abandon()
        return False

    def abandon(self) -> None:
        """Leave the connections to the garbage collector, which closes sockets without a word to the server."""
        if self._connections is not None:
            self._connections.abandon()
            self._connections = None

    async def ensure_healthy(self) -> None:
        """Raise an error where the server does not answer, or what the backend needs is not there."""
        if not await self._leased.once(self.probe, self.owner):
            raise BackendSetupError(
                f"{self.owner}: {self._driver.server}: what it needs there is missing, or of another version. "
                "Close the backend, and open it again.",
                options=self._driver.options,
            )

    async def read(self, work: Work[ConnectionT, T]) -> T:
        """Return `work(connection)`, which changes nothing."""
        return await self._run(work, _READ)

    async def run(self, operation: str, work: Work[ConnectionT, T], *, conditional: bool = False) -> T:
        """Return `work(connection)` of an operation, which is sent again if the table of operations allows it.

        One that is `conditional`, on what is stored, would be answered differently the second time.
        """
        row = OPERATIONS[self.owner.backend_type][operation]
        return await self._run(work, row._replace(effect="single write") if conditional else row)

    async def _run(self, work: Work[ConnectionT, T], operation: Operation) -> T:
        return await self._leased.run(work, self.owner, operation)

    @property
    def _leased(self) -> Connections[PoolT, ConnectionT]:
        if self._connections is None:
            raise BackendNotOpenError(f"{self.owner} was closed meanwhile.")
        return self._connections
