"""Vectors in PostgreSQL, by pgvector: exact search, or approximate by an HNSW index."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import asyncpg
import numpy as np
import orjson

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import Condition, parse_filter
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject, check_id, check_limit, collected
from symphony_registry.backends.vector_store.base import (
    Item,
    SearchResult,
    Vector,
    VectorItem,
    VectorStoreBackend,
    check_vector,
)
from symphony_registry.backends.vector_store.ranking import Candidate, Ranking
from symphony_registry.backends.vector_store.scoring import Query
from symphony_registry.errors import BackendUnavailableError, DimensionError, InvalidTypeError, InvalidValueError
from symphony_registry.providers.postgres.backend import PostgresBackend, bounded, execute_parts, touched
from symphony_registry.providers.postgres.connections import Connection, Record
from symphony_registry.providers.postgres.filters import where
from symphony_registry.providers.postgres.incoming import Incoming, check_half, columns
from symphony_registry.providers.postgres.tables import TABLE_TURN
from symphony_registry.providers.postgres.vector_sql import (
    BY_INDEX,
    CLEAR,
    COLUMN,
    DIMENSION,
    DOT_SLACK,
    EXACT,
    HAS_INDEX,
    LARGEST_EF,
    MANY_ITEMS,
    ONE_ITEM,
    OPERATOR_CLASSES,
    OPERATORS,
    PLAN,
    PUT,
    UNKNOWN_LIMIT,
    UNKNOWN_ROWS,
    PostgresVectorOptions,
)
from symphony_registry.providers.postgres.vectors import decoded, encoded, extension_schema

# Bytes of vectors, and items, that are sent in one statement.
_PART_BYTES, _PART_ITEMS = 2_000_000, 2_000
# The server orders by float32 sums: so many more than the limit are fetched, and ordered exactly.
_SPARE = 1
_ATTEMPTS = 10
_ANYTHING = parse_filter(None)
# Seconds.
_INDEX_TIMEOUT = 86_400.0
# Bytes of vectors that are converted in a step of `LONG`.
_BYTES_A_STEP = 32


class PostgresVectorStore(PostgresBackend[PostgresVectorOptions], VectorStoreBackend):
    """A vector store in a PostgreSQL table."""

    _options_model = PostgresVectorOptions
    _plan = PLAN

    class Provider:
        """Makes vector stores in PostgreSQL."""

        Options: ClassVar[type[BackendOptions]] = PostgresVectorOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a store that is not connected yet."""
            return PostgresVectorStore(config)

    def _configure(self) -> None:
        super()._configure()
        self._incoming = Incoming(self._options)
        self.guarantees = replace(
            self.guarantees,
            exact_search=self._options.index != "hnsw",
            precision="float16" if self._options.storage == "halfvec" else "float32",
        )

    async def _prepare(self, connection: Connection) -> None:
        await super()._prepare(connection)
        if self._options.dimension is not None:
            await self._keep_dimension(connection, self._options.dimension)
        ((stored, size),) = await connection.fetch(COLUMN, self._tables.sql("{vectors}"))
        if stored != self._options.storage:
            raise InvalidValueError(
                f"{self}: the option storage is {self._options.storage}, but its table keeps a {stored}. Say so, or "
                "choose another table_prefix and copy the vectors."
            )
        if self._options.index == "hnsw":
            await self._make_index(connection, is_sized=size > 0)

    async def _names(self, connection: Connection) -> dict[str, str]:
        options = self._options
        self._extension, schema = await extension_schema(connection, options)
        return {
            "vector": f"{schema}.vector",
            "kind": f"{schema}.{options.storage}",
            "sized": f"{schema}.{options.storage}({options.dimension})",
            "operator": f"OPERATOR({schema}.{OPERATORS[options.metric]})",
            "operators": f"{schema}.{options.storage}_{OPERATOR_CLASSES[options.metric]}",
        }

    async def _make_index(self, connection: Connection, *, is_sized: bool) -> None:
        sql, options = self._tables.sql, self._options
        operators = f"{options.storage}_{OPERATOR_CLASSES[options.metric]}"
        if not await connection.fetchval(HAS_INDEX, sql("{vectors}"), operators):
            if not options.create:
                raise BackendUnavailableError(
                    f"{self}: {options.server}: the option index is hnsw, but {sql('{vectors}')} has none for the "
                    f"metric {options.metric}, and create is false. Have its owner make it: the documentation's page "
                    "on PostgreSQL says how."
                )
            async with connection.transaction():
                # not everybody's turn: it may take long
                await connection.execute(TABLE_TURN, self._tables.key, timeout=_INDEX_TIMEOUT)
                if not await connection.fetchval(HAS_INDEX, sql("{vectors}"), operators):
                    if not is_sized:
                        resize = sql("ALTER TABLE {vectors} ALTER COLUMN embedding TYPE {sized}")
                        await connection.execute(resize, timeout=_INDEX_TIMEOUT)
                    await connection.execute(
                        sql("CREATE INDEX ON {vectors} USING hnsw (embedding {operators}) ")
                        + f"WITH (m = {options.m}, ef_construction = {options.ef_construction}) WHERE NOT outlier",
                        timeout=_INDEX_TIMEOUT,
                    )

    async def _with_vectors(self, work: Callable[[Connection], Awaitable[Any]]) -> Any:
        """Return `work(connection)`, on a connection that sends vectors as bytes."""

        async def prepared(connection: Connection) -> Any:
            await connection.know_vectors(self._extension)
            return await work(connection)

        return await self._run(prepared, again=True)

    async def _keep_dimension(self, connection: Connection, size: int) -> None:
        try:
            await self._fix_dimension(connection, size)
        except DimensionError as error:
            raise InvalidValueError(
                f"The option dimension is {size}, but what is stored has dimension {error.expected}. "
                "Set it to that, or choose another table_prefix."
            ) from None

    async def _fix_dimension(self, connection: Connection, size: int) -> None:
        """Fix the dimension of a store that has none, or raise `DimensionError` for another than it has."""
        sql = self._tables.sql
        select = sql(DIMENSION)
        dimension = await connection.fetchval(select, self._tables.key)
        if dimension is None:
            async with connection.transaction():
                # no vector is being added while nobody has fixed the dimension
                await connection.execute(sql("LOCK TABLE {vectors} IN SHARE ROW EXCLUSIVE MODE"))
                dimension = await connection.fetchval(select, self._tables.key)
                if dimension is None:
                    dimension = size
                    update = sql("UPDATE {registry} SET dimension = $2 WHERE tables = $1")
                    if not touched(await connection.execute(update, self._tables.key, size)):
                        raise BackendUnavailableError(
                            f"{self}: {self._options.server}: the row of {self._tables.key!r} in {sql('{registry}')} "
                            "is gone. Close the backend and open it again with create: true."
                        )
        if dimension != size:
            raise DimensionError(dimension, size)

    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:  # noqa: D102
        self.ensure_open()
        id, checked, document = self._incoming.checked(self._options.dimension, id, vector, metadata)
        await self._put([partial(columns, ([id], checked[np.newaxis], [document]))], 1, checked.size)

    async def add_many(self, items: Iterable[Item]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)
        if not given:
            return
        cost = len(given) * ITEM
        try:
            ordered, size = await here_or_in_thread(lambda: self._incoming.ordered(given), cost)
            step = max(1, min(_PART_ITEMS, _PART_BYTES // (4 * size)))

            def part(start: int) -> list[Any]:
                return columns(self._incoming.block(ordered[start : start + step], size))

            parts = [partial(part, start) for start in range(0, len(ordered), step)]
            await self._put(parts, len(ordered), size)
        except (InvalidValueError, InvalidTypeError):
            await here_or_in_thread(lambda: self._incoming.check_in_order(given), cost)
            raise

    async def _put(self, parts: Sequence[Callable[[], list[Any]]], count: int, size: int) -> None:
        """Store what the parts give, `count` items of a dimension."""
        sql = self._tables.sql
        put = sql(PUT, items=sql(ONE_ITEM if count == 1 else MANY_ITEMS))

        def arguments(part: Callable[[], list[Any]]) -> list[Any]:
            columns = part()  # of one item, its values
            return [*(columns if count > 1 else (value for (value,) in columns)), self._tables.key, size]

        ready = [partial(arguments, part) for part in parts]

        async def store_all(connection: Connection) -> bool:
            if len(parts) == 1 and await execute_parts(connection, put, ready, count * ITEM) == count:
                return True
            async with connection.transaction():
                await self._fix_dimension(connection, size)
                return await execute_parts(connection, put, ready, count * ITEM) == count

        for _ in range(_ATTEMPTS):  # somebody may clear the store in between
            if await self._with_vectors(store_all):
                return
        raise BackendUnavailableError(
            f"{self}: {self._options.server} takes the rows and does not store them. Look for triggers and row "
            f"security on {sql('{vectors}')}."
        )

    async def get(self, id: str) -> VectorItem | None:  # noqa: D102
        return (await self.get_many([id]))[0]

    async def get_many(self, ids: Iterable[str]) -> list[VectorItem | None]:  # noqa: D102
        self.ensure_open()
        checked = [check_id(id) for id in collected(ids)]
        if not checked:
            return []
        records = {record[0]: record for record in await self._records("WHERE id = ANY($1::text[])", checked)}
        items = iter(await _items([records[id] for id in checked if id in records]))
        return [next(items) if id in records else None for id in checked]

    async def _records(self, condition: str, *arguments: Any) -> list[Record]:
        sql = self._tables.sql(f"SELECT id, embedding::{{vector}}, metadata FROM {{vectors}} {condition}")
        found: list[Record] = await self._with_vectors(lambda connection: connection.fetch(sql, *arguments))
        return found

    async def delete(self, id: str) -> bool:  # noqa: D102
        return bool(await self.delete_many([id]))

    async def delete_many(self, ids: Iterable[str]) -> int:  # noqa: D102
        self.ensure_open()
        checked = [check_id(id) for id in collected(ids)]
        return await self._execute("DELETE FROM {vectors} WHERE id = ANY($1::text[])", checked, again=False)

    async def clear(self) -> None:  # noqa: D102
        self.ensure_open()
        empty = self._tables.sql("TRUNCATE {vectors}")
        free, table = self._tables.sql(CLEAR), self._tables.sql("{vectors}")

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(empty)
                await connection.execute(free, self._tables.key, self._options.dimension, table)

        await self._run(work, again=True)

    async def search(  # noqa: D102
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        self.ensure_open()
        check_limit(limit)
        vector = check_vector(query_vector, self._options.dimension, self._options.metric, "query vector")
        condition = parse_filter(metadata_filter)
        query = Query(vector, self._options.metric)
        by_index = self._options.index == "hnsw"
        wanted = bounded(limit if by_index else limit + _SPARE)
        while True:
            records = await self._nearest(query, wanted, condition)
            if not records:
                return []
            ranked = await here_or_in_thread(lambda: _ranked(query, records), _cost(records))  # noqa: B023
            if by_index or ranked.is_final(limit, wanted):
                break
            wanted = bounded(wanted * 4)
        return await here_or_in_thread(
            lambda: ranked.results(limit, include_vectors=include_vectors), _cost(records[:limit])
        )

    async def _nearest(self, query: Query, count: int, condition: Condition) -> list[Record]:
        metric, by_index = self._options.metric, self._options.index == "hnsw"
        is_half = by_index and self._options.storage == "halfvec"
        vector = query.vector
        if metric != "euclidean" and (is_half or not query.is_safe) and query.length:
            vector = (vector.astype(np.float64) / query.length).astype(np.float32)  # which does not change the order
        elif is_half:
            check_half(vector, metric, "query vector")
        arguments: list[Any] = [encoded(vector[np.newaxis])[0], count]
        template, names = EXACT, {"slack": ""}
        if by_index:
            template, names = BY_INDEX, {"rows": "", "limit": "$2"}
            arguments += [str(min(max(self._options.ef_search, count), LARGEST_EF)), self._options.iterative_scan]
            if condition != _ANYTHING:
                names = {"rows": UNKNOWN_ROWS, "limit": UNKNOWN_LIMIT}
                arguments.append(1)
        elif metric == "dot":
            names = {"slack": DOT_SLACK}
            arguments.append(query.tolerance * (query.length if query.is_safe else 1.0))
        sql = self._tables.sql(template, where=where(condition, "comparable", arguments), **names)

        async def work(connection: Connection) -> list[Record]:
            try:
                records = await connection.fetch(sql, *arguments)
            except asyncpg.DataError:  # vectors of different dimensions
                await self._refuse_other_dimension(connection, vector.size)
                raise
            if not records or len(records[0][1]) != len(arguments[0]):
                await self._refuse_other_dimension(connection, vector.size)
            return records

        found: list[Record] = await self._with_vectors(work)
        return found

    async def _refuse_other_dimension(self, connection: Connection, size: int) -> None:
        dimension = await connection.fetchval(self._tables.sql(DIMENSION), self._tables.key)
        if dimension not in (None, size):
            raise DimensionError(dimension, size, "query vector")

    async def count(self, metadata_filter: JSONObject | None = None) -> int:  # noqa: D102
        self.ensure_open()
        arguments: list[Any] = []
        condition = where(parse_filter(metadata_filter), "comparable", arguments)
        found: int = await self._value("SELECT count(*) FROM {vectors} WHERE {where}", *arguments, where=condition)
        return found

    async def dimension(self) -> int | None:  # noqa: D102
        self.ensure_open()
        dimension: int | None = await self._value(DIMENSION, self._tables.key)
        return dimension

    async def scan(self, batch_size: int = 1000) -> AsyncIterator[VectorItem]:  # noqa: D102
        self.ensure_open()
        check_limit(batch_size, "batch_size")
        last = ""
        while True:
            items = await _items(await self._records("WHERE id > $1 ORDER BY id LIMIT $2", last, bounded(batch_size)))
            for item in items:
                yield item
            if len(items) < batch_size:
                return
            last = items[-1]["id"]


def _ranked(query: Query, records: list[Record]) -> Ranking:
    candidates = [Candidate(record[0], record[2], record[3]) for record in records]
    return Ranking(query, candidates, decoded(record[1] for record in records))


async def _items(records: list[Record]) -> list[VectorItem]:
    def items() -> list[VectorItem]:
        vectors = decoded(record[1] for record in records).tolist()
        return [
            {"id": record[0], "vector": vector, "metadata": orjson.loads(record[2])}
            for record, vector in zip(records, vectors, strict=True)
        ]

    return await here_or_in_thread(items, _cost(records))


def _cost(records: Sequence[Record]) -> float:
    """Return what converting records takes, in the steps of `LONG`."""
    return len(records) * (ITEM + len(records[0][1]) / _BYTES_A_STEP) if records else 0
