"""What the PostgreSQL providers have in common: the way to the server."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from symphony_registry.backends.concurrency import here_or_in_thread, in_thread
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.options import read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendNotOpenError, BackendUnavailableError
from symphony_registry.providers.postgres.connections import Connection, Connections, Record, Work
from symphony_registry.providers.postgres.failures import ERRORS
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.tables import Plan, Tables, prepare

T = TypeVar("T")
OptionsT = TypeVar("OptionsT", bound=PostgresOptions)
# Gives the arguments of a statement.
Arguments: TypeAlias = Callable[[], Sequence[Any]]
_LARGEST_INTEGER = 2**31 - 1


class PostgresBackend(StorageBackend, Generic[OptionsT]):
    """A backend whose data lives in tables of a PostgreSQL server.

    Every operation is one statement or one transaction. Where the connection is
    lost, reads and writes that may be made twice are tried again.
    """

    guarantees = Guarantees(
        survives="power loss", atomic_bulk=True, lists_entities=True, restores_timestamps=True, shared=True
    )
    _options_model: type[OptionsT]
    _plan: ClassVar[Plan]
    _options: OptionsT
    _connections: Connections | None = None
    _tables: Tables

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._connecting = asyncio.Lock()
        self._configure()

    async def initialize(self, config: Mapping[str, Any] | None = None) -> None:  # noqa: D102
        if config is not None and dict(config) != self.config:
            await super().initialize(config)
            self._configure()

    def _configure(self) -> None:
        self._options = read_options(self._options_model, self.config, type(self).__name__)

    async def connect(self) -> None:  # noqa: D102
        self._leave_ended_loop()
        async with self._connecting:
            if self.is_open:
                return
            connections = await Connections.lease(self._options, self)
            try:
                await connections.run(self._prepare, self, again=True)
            except BaseException:
                await connections.release()
                raise
            self._connections = connections
            await super().connect()

    async def disconnect(self) -> None:  # noqa: D102
        self._leave_ended_loop()
        async with self._connecting:
            await super().disconnect()
            if self._connections is not None:
                connections, self._connections = self._connections, None
                await connections.release()

    def _leave_ended_loop(self) -> None:
        """Forget an event loop that has ended, and the connections that ended with it."""
        self.ensure_no_other_loop()
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            self._connecting, self._loop = asyncio.Lock(), None
            if self._connections is not None:
                self._connections.abandon()
                self._connections = None

    async def _prepare(self, connection: Connection) -> None:
        """Make the tables ready."""
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise BackendUnavailableError(
                f"{self._options.server}: its encoding is {encoding}, which cannot hold every text. "
                "Create a database with ENCODING 'UTF8'."
            )
        self._tables = await prepare(connection, self._plan, self._options, self.name, await self._names(connection))

    async def _names(self, connection: Connection) -> dict[str, str]:  # noqa: ARG002
        """Return further names for statements."""
        return {}

    async def health_check(self) -> bool:  # noqa: D102
        if self._connections is None or not self.is_open:
            return False
        self.ensure_open()
        rows = "".join(
            f", (SELECT count(*) FROM (SELECT FROM {{{table}}} LIMIT 1) AS a)" for table in self._plan.tables
        )
        sql = self._tables.sql(f"SELECT version{rows} FROM {{registry}} WHERE tables = $1")
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                version = await self._connections.once(lambda connection: connection.fetchval(sql, self._tables.key))
        except (*ERRORS, BackendNotOpenError):
            return False
        return bool(version == self._plan.version)

    async def version(self) -> str:  # noqa: D102
        self.ensure_open()
        found: str = await self._value(
            "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) "
            "|| coalesce((SELECT ', pgvector ' || extversion FROM pg_extension WHERE extname = 'vector'), '')"
        )
        return found

    async def _run(self, work: Work[T], *, again: bool) -> T:
        """Return `work(connection)`; `again` says that it may be done twice."""
        self.ensure_open()
        assert self._connections is not None
        return await self._connections.run(work, self, again=again)

    async def _fetch(self, template: str, *arguments: Any, **names: str) -> list[Record]:
        """Return the rows of a query."""
        sql = self._tables.sql(template, **names)
        return await self._run(lambda connection: connection.fetch(sql, *arguments), again=True)

    async def _value(self, template: str, *arguments: Any, **names: str) -> Any:
        """Return the first value of a query's first row."""
        sql = self._tables.sql(template, **names)
        return await self._run(lambda connection: connection.fetchval(sql, *arguments), again=True)

    async def _execute(self, template: str, *arguments: Any, again: bool) -> int:
        """Execute a statement and return the number of rows that it touched."""
        sql = self._tables.sql(template)
        return touched(await self._run(lambda connection: connection.execute(sql, *arguments), again=again))


async def execute_parts(connection: Connection, sql: str, parts: Sequence[Arguments], cost: float) -> int:
    """Execute a statement with the arguments of each part, all or none, and return the number of rows touched.

    While the server works on a part, the next one is made ready on a thread; `cost`
    is what making all ready takes, in the steps of `LONG`.
    """
    if len(parts) == 1:
        return touched(await connection.execute(sql, *await here_or_in_thread(parts[0], cost)))
    rows = 0
    async with connection.transaction():
        ready = in_thread(parts[0])
        try:
            for following in [*parts[1:], None]:
                arguments = await ready
                if following is not None:
                    ready = in_thread(following)
                rows += touched(await connection.execute(sql, *arguments))
        finally:
            await asyncio.wait([ready])  # nobody reads the caller's items when this has returned
            ready.exception()
    return rows


def bounded(number: int) -> int:
    """Return a limit or a depth that the server can take."""
    return min(number, _LARGEST_INTEGER)


def touched(status: str) -> int:
    """Return the number of rows in what the server says of a statement: `INSERT 0 1`, `DELETE 3`, `TRUNCATE TABLE`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
