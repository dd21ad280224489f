"""The tables of one backend in a PostgreSQL database, and statements over them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from typing_extensions import override

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.remote.resource import RemoteResource
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendSetupError
from symphony_registry.providers.postgres.connections import Connection, Pool, PostgresDriver, Record
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.tables import Layout, Tables, prepare

GUARANTEES = Guarantees(
    survives="power loss",
    atomic_bulk=True,
    lists_entities=True,
    restores_timestamps=True,
    saves_several=True,
    shared=True,
)
_VERSION = """
    SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)
    || coalesce((SELECT ', pgvector ' || extversion FROM pg_extension WHERE extname = 'vector'), '')
"""


class Database(RemoteResource[Pool, Connection]):
    """The way to a backend's tables. Every operation is one statement or one transaction."""

    tables: Tables

    def __init__(self, owner: StorageBackend, options: PostgresOptions, layout: Layout) -> None:
        super().__init__(owner, PostgresDriver(options))
        self.options = options
        self._layout = layout

    @override
    async def prepare(self, connection: Connection) -> None:
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise BackendSetupError(
                f"{self.options.server}: its encoding is {encoding}, which cannot hold every text. "
                "Create a database with ENCODING 'UTF8'.",
                options=("dsn",),
            )
        names = await self.names(connection)
        self.tables = await prepare(connection, self._layout, self.options, self.owner.name, names)

    async def names(self, connection: Connection) -> dict[str, str]:  # noqa: ARG002
        """Return further names for statements."""
        return {}

    @override
    async def probe(self, connection: Connection) -> bool:
        rows = "".join(
            f", (SELECT count(*) FROM (SELECT FROM {{{table}}} LIMIT 1) AS a)" for table in self._layout.tables
        )
        sql = self.tables.sql(f"SELECT version{rows} FROM {{registry}} WHERE tables = $1")
        return bool(await connection.fetchval(sql, self.tables.key) == self._layout.version)

    async def version(self) -> str:
        """Return the versions of the server and of pgvector."""
        found: str = await self.value(_VERSION)
        return found

    async def fetch(self, template: str, *arguments: Any, **names: str) -> list[Record]:
        """Return the rows of a query."""
        sql = self.tables.sql(template, **names)
        return await self.read(lambda connection: connection.fetch(sql, *arguments))

    async def value(self, template: str, *arguments: Any, **names: str) -> Any:
        """Return the first value of a query's first row."""
        sql = self.tables.sql(template, **names)
        return await self.read(lambda connection: connection.fetchval(sql, *arguments))

    async def execute(self, operation: str, template: str, *arguments: Any, **names: str) -> int:
        """Execute the statement of an operation and return the number of rows that it touched."""
        sql = self.tables.sql(template, **names)
        return touched(await self.run(operation, lambda connection: connection.execute(sql, *arguments)))

    async def change(self, operation: str, template: str, *arguments: Any, conditional: bool = False) -> Any:
        """Execute the statement of an operation and return the first value that it gives, if any."""
        sql = self.tables.sql(template)
        return await self.run(
            operation, lambda connection: connection.fetchval(sql, *arguments), conditional=conditional
        )

    async def execute_parts(
        self, operation: str, template: str, parts: Parts[Sequence[Any]], *, conditional: bool = False
    ) -> int:
        """Execute the statement of an operation with the arguments of each part, all or none."""
        sql = self.tables.sql(template)
        return await self.run(
            operation,
            lambda connection: send(connection, parts, executing(connection, sql)),
            conditional=conditional,
        )


def executing(connection: Connection, sql: str) -> Callable[[Sequence[Any]], Awaitable[int]]:
    """Return what executes a statement with some arguments."""

    async def execute(arguments: Sequence[Any]) -> int:
        return touched(await connection.execute(sql, *arguments))

    return execute


async def send(
    connection: Connection, parts: Parts[Sequence[Any]], work: Callable[[Sequence[Any]], Awaitable[int]]
) -> int:
    """Return the sum of what `work` gives for each part, all or none."""
    if len(parts) == 1:
        return await parts.send(work)
    async with connection.transaction():
        return await parts.send(work)


def touched(status: str) -> int:
    """Return the number of rows in what the server says of a statement: `INSERT 0 1`, `DELETE 3`, `TRUNCATE TABLE`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
