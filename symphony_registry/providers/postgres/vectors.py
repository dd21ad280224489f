"""Vectors as pgvector sends and stores them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from symphony_registry.errors import BackendSetupError
from symphony_registry.providers.postgres.connections import Connection
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.tables import TURN

# pgvector's binary form: the dimension, two bytes of nothing, and the numbers, all big-endian.
_HEADER = 4
_OLDEST = (0, 8)

_WHERE = """
    SELECT nspname, quote_ident(nspname), extversion
    FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'
"""
_HOME = "SELECT quote_ident(coalesce(current_schema(), (SELECT nspname FROM pg_namespace WHERE nspname = 'public')))"


async def extension_schema(connection: Connection, options: PostgresOptions) -> tuple[str, str]:
    """Return the name of the schema that pgvector is in, plain and quoted, after installing it where it is missing."""
    schema = await connection.fetchrow(_WHERE)
    if schema is None and options.create:
        async with connection.transaction():
            await connection.execute(TURN)
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS vector SCHEMA {await _home(connection, options)}")
        schema = await connection.fetchrow(_WHERE)
    if schema is None:
        raise BackendSetupError(
            f"{options.server}: the extension pgvector is not installed. Ask a role that may do so to run CREATE "
            "EXTENSION vector in this database, or open the backend once with create: true as such a role.",
            options=("create", "dsn"),
        )
    name, quoted, version = schema
    if tuple(map(int, version.split(".")[:2])) < _OLDEST:
        raise BackendSetupError(
            f"{options.server}: its pgvector {version} is too old; iterative scans came with "
            f"{'.'.join(map(str, _OLDEST))}. Install a newer one, and run ALTER EXTENSION vector UPDATE.",
            options=("dsn",),
        )
    return name, quoted


async def _home(connection: Connection, options: PostgresOptions) -> str:
    """Return the schema to install pgvector in, quoted; not ours, with which it would be dropped."""
    schema: str | None = await connection.fetchval(_HOME)
    if schema is None:
        raise BackendSetupError(
            f"{options.server}: the search_path of this role names no schema that exists, where pgvector could be "
            "installed. Run CREATE EXTENSION vector SCHEMA ... in this database, or ALTER ROLE ... SET search_path.",
            options=("dsn",),
        )
    return schema


def encoded(rows: npt.NDArray[np.float32]) -> list[bytes]:
    """Return each row in pgvector's binary form."""
    header = rows.shape[1].to_bytes(2) + b"\0\0"
    return [header + row.tobytes() for row in rows.astype(">f4")]


def decoded(vectors: Iterable[bytes]) -> npt.NDArray[np.float32]:
    """Return vectors of one dimension, in pgvector's binary form, as rows."""
    found = list(vectors)
    if not found:
        return np.empty((0, 0), np.float32)
    raw = np.frombuffer(b"".join(found), np.uint8).reshape(len(found), -1)
    return np.ascontiguousarray(raw[:, _HEADER:]).view(">f4").astype(np.float32)
