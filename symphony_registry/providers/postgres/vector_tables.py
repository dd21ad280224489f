"""The table of a vector store in PostgreSQL: its dimension, its column and its index."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from typing_extensions import override

from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendSetupError, DimensionError, InvalidValueError
from symphony_registry.providers.postgres.connections import Connection
from symphony_registry.providers.postgres.database import Database, touched
from symphony_registry.providers.postgres.tables import TABLE_TURN
from symphony_registry.providers.postgres.vector_sql import (
    COLUMN,
    DIMENSION,
    HAS_INDEX,
    LAYOUT,
    OPERATOR_CLASSES,
    OPERATORS,
    PostgresVectorOptions,
)
from symphony_registry.providers.postgres.vectors import extension_schema

T = TypeVar("T")

_INDEX_TIMEOUT = 86_400.0  # seconds


class VectorDatabase(Database):
    """The way to a table of vectors, which are sent as bytes."""

    options: PostgresVectorOptions

    def __init__(self, owner: StorageBackend, options: PostgresVectorOptions) -> None:
        super().__init__(owner, options, LAYOUT)

    @override
    async def names(self, connection: Connection) -> dict[str, str]:
        options = self.options
        self._extension, schema = await extension_schema(connection, options)
        return {
            "vector": f"{schema}.vector",
            "kind": f"{schema}.{options.storage}",
            "sized": f"{schema}.{options.storage}({options.dimension})",
            "operator": f"OPERATOR({schema}.{OPERATORS[options.metric]})",
            "operators": f"{schema}.{options.storage}_{OPERATOR_CLASSES[options.metric]}",
        }

    @override
    async def prepare(self, connection: Connection) -> None:
        await super().prepare(connection)
        if self.options.dimension is not None:
            await self._keep_dimension(connection, self.options.dimension)
        ((stored, size),) = await connection.fetch(COLUMN, self.tables.sql("{vectors}"))
        if stored != self.options.storage:
            raise InvalidValueError(
                f"{self.owner}: the option storage is {self.options.storage}, but its table keeps a {stored}. Say so, "
                "or choose another table_prefix and copy the vectors.",
                options=("storage",),
            )
        if self.options.index == "hnsw":
            await self._make_index(connection, is_sized=size > 0)

    async def _make_index(self, connection: Connection, *, is_sized: bool) -> None:
        sql, options = self.tables.sql, self.options
        operators = f"{options.storage}_{OPERATOR_CLASSES[options.metric]}"
        if await connection.fetchval(HAS_INDEX, sql("{vectors}"), operators):
            return
        if not options.create:
            raise BackendSetupError(
                f"{self.owner}: {options.server}: the option index is hnsw, but {sql('{vectors}')} has none for the "
                f"metric {options.metric}, and create is false. Have its owner make it: the documentation's page "
                "on PostgreSQL says how.",
                options=("index",),
            )
        async with connection.transaction():
            # not everybody's turn: it may take long
            await connection.execute(TABLE_TURN, self.tables.key, timeout=_INDEX_TIMEOUT)
            if await connection.fetchval(HAS_INDEX, sql("{vectors}"), operators):
                return
            if not is_sized:
                resize = sql("ALTER TABLE {vectors} ALTER COLUMN embedding TYPE {sized}")
                await connection.execute(resize, timeout=_INDEX_TIMEOUT)
            await connection.execute(
                sql("CREATE INDEX ON {vectors} USING hnsw (embedding {operators}) ")
                + f"WITH (m = {options.m}, ef_construction = {options.ef_construction}) WHERE NOT outlier",
                timeout=_INDEX_TIMEOUT,
            )

    async def know_vectors(self, connection: Connection) -> None:
        """Send and receive vectors as bytes on this connection."""
        await connection.know_vectors(self._extension)

    async def read_vectors(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return `work(connection)`, which reads vectors."""

        async def prepared(connection: Connection) -> T:
            await self.know_vectors(connection)
            return await work(connection)

        return await self.read(prepared)

    async def _keep_dimension(self, connection: Connection, size: int) -> None:
        try:
            await self.fix_dimension(connection, size)
        except DimensionError as error:
            raise InvalidValueError(
                f"The option dimension is {size}, but what is stored has dimension {error.expected}. "
                "Set it to that, or choose another table_prefix.",
                options=("dimension",),
            ) from None

    async def fix_dimension(self, connection: Connection, size: int) -> None:
        """Fix the dimension of a store that has none, or raise `DimensionError` for another than it has."""
        sql, key = self.tables.sql, self.tables.key
        select = sql(DIMENSION)
        dimension = await connection.fetchval(select, key)
        if dimension is None:
            async with connection.transaction():
                # no vector is being added while nobody has fixed the dimension
                await connection.execute(sql("LOCK TABLE {vectors} IN SHARE ROW EXCLUSIVE MODE"))
                dimension = await connection.fetchval(select, key)
                if dimension is None:
                    dimension = size
                    update = sql("UPDATE {registry} SET dimension = $2 WHERE tables = $1")
                    if not touched(await connection.execute(update, key, size)):
                        raise BackendSetupError(
                            f"{self.owner}: {self.options.server}: the row of {key!r} in {sql('{registry}')} is gone. "
                            "Close the backend and open it again with create: true."
                        )
        if dimension != size:
            raise DimensionError(dimension, size)
