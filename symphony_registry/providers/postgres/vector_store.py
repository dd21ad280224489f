"""Vectors in PostgreSQL, by pgvector: exact search, or approximate by an HNSW index."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

import asyncpg
import numpy as np
import orjson
from typing_extensions import override

from symphony_registry.backends.concurrency import Turns, here_or_in_thread
from symphony_registry.backends.cost import ITEM, VECTOR_BYTES
from symphony_registry.backends.filters import ANYTHING, Condition
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Float32s, FoundVector, SearchResult
from symphony_registry.backends.vector_store.block import Block, uncopied_documents
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.backends.vector_store.ranking import Candidate, Ranking, farthest
from symphony_registry.backends.vector_store.scoring import Query, lengths_of, outliers
from symphony_registry.errors import BackendSetupError, DimensionError, InvalidValueError
from symphony_registry.providers.postgres.connections import Connection, Record
from symphony_registry.providers.postgres.database import GUARANTEES, touched
from symphony_registry.providers.postgres.documents import texts
from symphony_registry.providers.postgres.filters import where
from symphony_registry.providers.postgres.selection import selected
from symphony_registry.providers.postgres.vector_sql import (
    BY_INDEX,
    CLEAR,
    DIMENSION,
    DOT_SLACK,
    EXACT,
    HIDDEN,
    ITEMS,
    LARGEST,
    LARGEST_EF,
    MANY_ITEMS,
    NEAR,
    ONE_ITEM,
    PUT,
    UNKNOWN_ROWS,
    UPDATE,
    PostgresVectorOptions,
)
from symphony_registry.providers.postgres.vector_tables import VectorDatabase
from symphony_registry.providers.postgres.vectors import decoded, encoded

# The server orders by float32 sums: so many more than the limit are fetched, and ordered exactly.
_SPARE = 1
_ATTEMPTS = 10


_Ranked: TypeAlias = tuple[list[Record], Ranking]


class _Columns(NamedTuple):
    """What is sent of some items: a list for each column, and the dimension of the vectors."""

    values: list[list[Any]]
    dimension: int


class PostgresVectorStore(VectorStoreEngine):
    """A vector store in a PostgreSQL table."""

    Options: ClassVar[type[BackendOptions]] = PostgresVectorOptions
    guarantees = GUARANTEES
    _options: PostgresVectorOptions
    _part = PartLimit(2_000)
    _check_documents = staticmethod(uncopied_documents)

    @override
    def _configure(self) -> None:
        super()._configure()
        self.guarantees = replace(
            GUARANTEES,
            exact_search=self._options.index == "none",
            precision="float16" if self._options.storage == "halfvec" else "float32",
            free_dimension=self._options.index == "none",
        )
        self._data = self._hold(VectorDatabase(self, self._options))

    @override
    def _check_rows(self, rows: Float32s, what: str = "vector") -> None:
        if rows.shape[1] > LARGEST:
            raise InvalidValueError(f"pgvector takes at most {LARGEST} dimensions, not {rows.shape[1]}.")
        if self._options.storage == "halfvec":
            with np.errstate(over="ignore"):
                halves = rows.astype(np.float16)
            if not np.isfinite(halves).all():
                raise InvalidValueError(f"The {what} holds a number too large for float16, which storage: halfvec is.")
            if self._options.metric == "cosine" and not halves.any(axis=1).all():
                raise InvalidValueError(f"The {what} has length zero as float16, which has no cosine.")

    @override
    async def _put(self, parts: Parts[Block]) -> None:
        columns = parts.map(_columns)

        async def work(connection: Connection) -> bool:
            """Store everything, all or nothing; say whether it was stored."""
            await self._data.know_vectors(connection)
            if len(columns) == 1 and await columns.send(partial(self._put_part, connection)) == 0:
                return True  # the store has the dimension

            async def put(part: _Columns) -> int:
                await self._data.fix_dimension(connection, part.dimension)
                return await self._put_part(connection, part)

            async with connection.transaction():
                return await columns.send(put) == 0

        for _ in range(_ATTEMPTS):  # somebody may clear the store in between
            if await self._data.run("add_many", work):
                return
        raise BackendSetupError(
            f"{self}: {self._options.server} takes the rows and does not store them. Look for triggers and row "
            f"security on {self._data.tables.sql('{vectors}')}."
        )

    async def _put_part(self, connection: Connection, part: _Columns) -> int:
        """Send some items, and return how many were not stored."""
        sql, count = self._data.tables.sql, len(part.values[0])
        values = part.values if count > 1 else [value for (value,) in part.values]
        put = sql(PUT, items=sql(ONE_ITEM if count == 1 else MANY_ITEMS))
        return count - touched(await connection.execute(put, *values, self._data.tables.key, part.dimension))

    @override
    async def _get(self, ids: list[str], *, include_vectors: bool) -> list[FoundVector | None]:
        found = await self._records("WHERE id = ANY($1::text[])", ids, include_vectors=include_vectors)
        records = {record[0]: record for record in found}
        items = iter(await _items([records[id] for id in ids if id in records], include_vectors=include_vectors))
        return [next(items) if id in records else None for id in ids]

    async def _records(self, which: str, *arguments: Any, include_vectors: bool, **names: str) -> list[Record]:
        """Return the id, the vector if wanted, and the metadata of some items."""
        if not include_vectors:
            return await self._data.fetch(f"SELECT id, metadata FROM {{vectors}} {which}", *arguments, **names)
        sql = self._data.tables.sql(f"{ITEMS} {which}", **names)
        return await self._data.read_vectors(lambda connection: connection.fetch(sql, *arguments))

    @override
    async def _find(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[FoundVector]:
        arguments: list[Any] = [page.limit]
        where = selected(selection, "comparable", arguments)
        order = f"WHERE {{where}} ORDER BY id {'DESC' if page.reverse else 'ASC'} LIMIT $1"
        records = await self._records(order, *arguments, include_vectors=include_vectors, where=where)
        return await _items(records, include_vectors=include_vectors)

    @override
    async def _update(self, id: str, changes: JSONObject) -> bool:
        select = self._data.tables.sql("SELECT metadata FROM {vectors} WHERE id = $1 FOR NO KEY UPDATE")
        update = self._data.tables.sql(UPDATE)

        async def work(connection: Connection) -> bool:
            async with connection.transaction():
                metadata = await connection.fetchval(select, id)
                if metadata is not None:
                    await connection.execute(update, id, *texts(orjson.loads(metadata) | changes))
                return metadata is not None

        return await self._data.run("update", work)

    @override
    async def _delete(self, chosen: list[str] | Selection) -> int:
        if isinstance(chosen, list):
            delete = "DELETE FROM {vectors} WHERE id = ANY($1::text[])"
            return await self._data.execute("delete_many", delete, chosen)
        arguments: list[Any] = []
        where = selected(chosen, "comparable", arguments)
        return await self._data.execute("delete_many", "DELETE FROM {vectors} WHERE {where}", *arguments, where=where)

    @override
    async def _clear(self) -> None:
        empty = self._data.tables.sql("TRUNCATE {vectors}")
        free, table = self._data.tables.sql(CLEAR), self._data.tables.sql("{vectors}")

        async def work(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(empty)
                await connection.execute(free, self._data.tables.key, self._options.dimension, table)

        await self._data.run("clear", work)

    @override
    async def _search(
        self,
        queries: list[Float32s],
        limit: int,
        condition: Condition,
        *,
        min_similarity: float,
        include_vectors: bool,
    ) -> list[list[SearchResult]]:
        turns = Turns()
        found: list[list[SearchResult]] = []
        for vector in queries:
            await turns.give()
            if vector.size > LARGEST:  # of which no statement can be made
                if (dimension := await self._dimension()) is not None:
                    raise DimensionError(dimension, vector.size, "query vector")
                found.append([])
                continue
            query = Query(vector, self._options.metric)
            records, ranking = await self._ranked(query, limit, condition, min_similarity)
            results = partial(ranking.results, limit, min_similarity, include_vectors=include_vectors)
            found.append(await here_or_in_thread(results, _cost(records[:limit])))
        return found

    async def _ranked(self, query: Query, limit: int, condition: Condition, min_similarity: float) -> _Ranked:
        found = await self._by_index(query, limit, condition) if self._options.index == "hnsw" else None
        return found or await self._exactly(query, limit, condition, min_similarity)

    async def _by_index(self, query: Query, limit: int, condition: Condition) -> _Ranked | None:
        """Return what the index finds, or `None` if that is less than the limit: it may not be all that matches."""
        vector = query.vector
        is_half = self._options.storage == "halfvec"
        if self._options.metric != "euclidean" and (is_half or not query.is_safe):
            vector = query.direction()
        elif is_half:
            self._check_rows(vector[np.newaxis], "query vector")
        candidates = str(min(max(self._options.ef_search, limit), LARGEST_EF))
        arguments: list[Any] = [encoded(vector[np.newaxis])[0], limit, candidates, self._options.iterative_scan]
        names = {"rows": "", "hidden": ""}
        if condition is not ANYTHING:
            names = {"rows": UNKNOWN_ROWS, "hidden": HIDDEN}
            arguments.append(1)
        records = await self._nearest(BY_INDEX, vector.size, condition, arguments, **names)
        if sum(record[3] is not None for record in records) < limit:
            return None
        return records, await _ranking(query, records)

    async def _exactly(self, query: Query, limit: int, condition: Condition, min_similarity: float) -> _Ranked:
        metric, wanted = self._options.metric, limit + _SPARE
        vector = query.vector if query.is_safe or metric == "euclidean" else query.direction()
        slack = [query.tolerance * (query.length if query.is_safe else 1.0)] if metric == "dot" else []
        names = {"slack": DOT_SLACK if slack else "", "near": ""}
        distance = farthest(query, min_similarity)
        bound = [distance] if query.is_safe and math.isfinite(distance) else []
        if bound:
            names["near"] = self._data.tables.sql(NEAR, slack=names["slack"], bound=f"${3 + len(slack)}")
        while True:
            arguments = [encoded(vector[np.newaxis])[0], wanted, *slack, *bound]
            records = await self._nearest(EXACT, vector.size, condition, arguments, **names)
            ranking = await _ranking(query, records)
            if ranking.is_final(limit, wanted):
                return records, ranking
            wanted *= 4

    async def _nearest(
        self, template: str, size: int, condition: Condition, arguments: list[Any], **names: str
    ) -> list[Record]:
        """Return the records that a statement finds by a query of some size."""
        sql = self._data.tables.sql(template, where=where(condition, "comparable", arguments), **names)

        async def work(connection: Connection) -> list[Record]:
            try:
                records: list[Record] = await connection.fetch(sql, *arguments)
            except asyncpg.DataError:  # vectors of different dimensions
                await self._refuse_other_dimension(connection, size)
                raise
            if not records or len(records[0][1]) != len(arguments[0]):
                await self._refuse_other_dimension(connection, size)
            return records

        return await self._data.read_vectors(work)

    async def _refuse_other_dimension(self, connection: Connection, size: int) -> None:
        dimension = await connection.fetchval(self._data.tables.sql(DIMENSION), self._data.tables.key)
        if dimension not in (None, size):
            raise DimensionError(dimension, size, "query vector")

    @override
    async def _count(self, selection: Selection) -> int:
        arguments: list[Any] = []
        where = selected(selection, "comparable", arguments)
        found: int = await self._data.value("SELECT count(*) FROM {vectors} WHERE {where}", *arguments, where=where)
        return found

    @override
    async def _dimension(self) -> int | None:
        dimension: int | None = await self._data.value(DIMENSION, self._data.tables.key)
        return dimension


def _columns(block: Block) -> _Columns:
    ids, vectors, documents = block
    metadata, comparable = map(list, zip(*map(texts, documents), strict=True))
    lengths = lengths_of(vectors)
    values = [ids, encoded(vectors), lengths.tolist(), outliers(lengths).tolist(), metadata, comparable]
    return _Columns(values, vectors.shape[1])


async def _ranking(query: Query, records: list[Record]) -> Ranking:
    def ranking() -> Ranking:
        candidates = [Candidate(record[0], record[2], record[3]) for record in records]
        rows = decoded(record[1] for record in records).reshape(len(records), query.vector.size)
        return Ranking(query, candidates, rows)

    return await here_or_in_thread(ranking, _cost(records))


async def _items(records: list[Record], *, include_vectors: bool) -> list[FoundVector]:
    def items() -> list[FoundVector]:
        if not include_vectors:
            return [{"id": id, "metadata": orjson.loads(metadata)} for id, metadata in records]
        vectors = decoded(record[1] for record in records).tolist()
        return [
            {"id": record[0], "vector": vector, "metadata": orjson.loads(record[2])}
            for record, vector in zip(records, vectors, strict=True)
        ]

    return await here_or_in_thread(items, _cost(records))


def _cost(records: Sequence[Record]) -> float:
    """Return what converting records costs."""
    return len(records) * (ITEM + len(records[0][1]) / VECTOR_BYTES) if records else 0
