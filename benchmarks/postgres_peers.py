"""What one would write by hand for PostgreSQL: plain SQL on the same driver.

It leaves out what the contract promises beyond the plain case: checks of what is given, an exact order of vectors that
are equally similar, JSON that jsonb cannot hold, a lost connection, a dimension that is fixed by the first vector.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Self

import asyncpg
import numpy as np
import orjson

from benchmarks.data import Float32s
from benchmarks.postgres_data import ALL, Filter, Packages

_TABLES = """
    CREATE TABLE packages (id text PRIMARY KEY, embedding vector(384) NOT NULL, metadata jsonb NOT NULL);
    CREATE INDEX ON packages USING gin (metadata jsonb_path_ops);
    CREATE TABLE entities (id text PRIMARY KEY, type text NOT NULL, properties jsonb NOT NULL);
    CREATE TABLE relations (
        from_id text NOT NULL REFERENCES entities ON DELETE CASCADE,
        type text NOT NULL,
        to_id text NOT NULL REFERENCES entities ON DELETE CASCADE,
        properties jsonb NOT NULL DEFAULT '{}',
        PRIMARY KEY (from_id, type, to_id)
    );
    CREATE INDEX ON relations (to_id, type, from_id);
    CREATE TABLE json_checkpoints (id text PRIMARY KEY, saved timestamptz NOT NULL DEFAULT now(), data jsonb NOT NULL);
    CREATE TABLE byte_checkpoints (id text PRIMARY KEY, saved timestamptz NOT NULL DEFAULT now(), data bytea NOT NULL);
"""
_ADD = """
    INSERT INTO packages VALUES ($1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata
"""
_ADD_STAGED = """
    INSERT INTO packages SELECT * FROM staging
    ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata
"""
_SEARCH = """
    SELECT id, 1 - (embedding <=> $1) AS similarity, metadata{embedding} FROM packages WHERE {where}
    ORDER BY embedding <=> $1 LIMIT $2
"""
_SAVE = """
    INSERT INTO {} (id, data) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET saved = excluded.saved, data = excluded.data
"""
_LOAD = "SELECT id, saved, data FROM {} WHERE id = $1"
# The ends of a path of three steps: joined, or each step a set.
JOINS = """
    SELECT DISTINCT e.id, e.type, e.properties FROM relations a
    JOIN relations b ON b.from_id = a.to_id AND b.type = $3
    JOIN relations c ON c.from_id = b.to_id AND c.type = $4
    JOIN entities e ON e.id = c.to_id
    WHERE a.from_id = $1 AND a.type = $2 ORDER BY e.id LIMIT $5
"""
SETS = """
    SELECT id, type, properties FROM entities WHERE id IN (
        SELECT to_id FROM relations WHERE type = $4 AND from_id IN (
            SELECT to_id FROM relations WHERE type = $3 AND from_id IN (
                SELECT to_id FROM relations WHERE from_id = $1 AND type = $2)))
    ORDER BY id LIMIT $5
"""


class ByHand:
    """The statements for each piece of work, on a connection from a pool or on always the same."""

    def __init__(self, acquire: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._acquire = acquire

    @classmethod
    @asynccontextmanager
    async def opened(cls, dsn: str, schema: str, **settings: str) -> AsyncIterator[tuple[Self, Self]]:
        """Open a pool, and one of its connections to keep."""
        settings["search_path"] = f"{schema},public"
        async with (
            asyncpg.create_pool(dsn, min_size=2, init=_initialize, server_settings=settings) as pool,
            pool.acquire() as connection,
        ):
            yield cls(pool.acquire), cls(lambda: nullcontext(connection))

    async def make_tables(self) -> None:
        """Make all tables."""
        async with self._acquire() as connection:
            await connection.execute(_TABLES)

    async def add(self, id: str, vector: Float32s, document: Any) -> None:
        """Add or replace a vector."""
        async with self._acquire() as connection:
            await connection.execute(_ADD, id, vector, document)

    async def add_many(self, items: Packages) -> None:
        """Add or replace vectors, by COPY; no id comes twice."""
        async with self._acquire() as connection, connection.transaction():
            await connection.execute("CREATE TEMPORARY TABLE staging (LIKE packages) ON COMMIT DROP")
            rows = zip(items.ids, items.vectors, items.documents, strict=True)
            await connection.copy_records_to_table("staging", records=rows)
            await connection.execute(_ADD_STAGED)

    async def empty(self) -> None:
        """Forget the vectors."""
        async with self._acquire() as connection:
            await connection.execute("TRUNCATE packages")

    async def make_index(self) -> None:
        """Make the approximate index, where it is missing, with its default options."""
        async with self._acquire() as connection:
            await connection.execute(
                "CREATE INDEX IF NOT EXISTS packages_hnsw ON packages USING hnsw (embedding vector_cosine_ops)"
            )

    async def search(self, vector: Float32s, count: int, wanted: Filter = ALL, *, whole: bool = True) -> list[Any]:
        """Return the most similar."""
        sql = _SEARCH.format(embedding=", embedding" if whole else "", where=wanted.sql)
        async with self._acquire() as connection:
            rows = await connection.fetch(sql, vector, count, *wanted.arguments)
        return [dict(row) for row in rows]

    async def fill_graph(self, items: Packages) -> None:
        """Add the entities and relations."""
        entities = zip(items.ids, ["package"] * len(items.ids), items.documents, strict=True)
        async with self._acquire() as connection:
            await connection.copy_records_to_table("entities", records=entities)
            await connection.copy_records_to_table(
                "relations", columns=["from_id", "type", "to_id"], records=items.relations
            )

    async def walk(self, statement: str, start: str, path: Sequence[str], limit: int) -> list[Any]:
        """Return the ends of a path."""
        async with self._acquire() as connection:
            rows = await connection.fetch(statement, start, *path, limit)
        return [dict(row) for row in rows]

    async def save_json(self, id: str, data: Any) -> None:
        """Save a checkpoint as jsonb."""
        async with self._acquire() as connection:
            await connection.execute(_SAVE.format("json_checkpoints"), id, data)

    async def save_bytes(self, id: str, data: Any) -> None:
        """Save a checkpoint as the bytes of its JSON text."""
        async with self._acquire() as connection:
            await connection.execute(_SAVE.format("byte_checkpoints"), id, orjson.dumps(data))

    async def load_json(self, id: str) -> Any:
        """Load a checkpoint that is jsonb."""
        async with self._acquire() as connection:
            return dict(await connection.fetchrow(_LOAD.format("json_checkpoints"), id))

    async def load_bytes(self, id: str) -> Any:
        """Load a checkpoint that is bytes."""
        async with self._acquire() as connection:
            row = await connection.fetchrow(_LOAD.format("byte_checkpoints"), id)
        return {**row, "data": orjson.loads(row["data"])}


async def _initialize(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\1" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
    )
    await connection.set_type_codec(
        "vector", schema="public", format="binary", encoder=_sent, decoder=lambda data: _received(data).tolist()
    )


def _sent(vector: Float32s) -> bytes:
    return vector.size.to_bytes(2) + b"\0\0" + vector.astype(">f4").tobytes()


def _received(data: bytes) -> Float32s:
    return np.frombuffer(data, ">f4", offset=4).astype(np.float32)
