"""The tables of a backend: made, checked and brought up to date when it connects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from symphony_registry.errors import BackendSetupError, InvalidValueError
from symphony_registry.providers.postgres.connections import Connection
from symphony_registry.providers.postgres.options import MAX_NAME_BYTES, PostgresOptions

# One table in each schema tells what else there is; `dimension` is for vectors.
_REGISTRY = "symphony_registry"
_MAKE_REGISTRY = """
    CREATE TABLE {registry} (tables text COLLATE "C" PRIMARY KEY, version integer NOT NULL, dimension integer)
"""
# Not to_regclass: after waiting for a turn it may still answer from before.
_FOUND = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = $1 AND relname = ANY($2::text[])
"""
# Any number will do: whoever makes or migrates tables takes turns.
TURN = "SELECT pg_advisory_xact_lock(hashtext('symphony_registry'))"
TABLE_TURN = "SELECT pg_advisory_xact_lock(hashtext('symphony_registry'), hashtext($1))"


class Layout(NamedTuple):
    """What a backend type keeps in which tables.

    Statements are templates: `{entities}` is the quoted name of the table
    `entities`, `{entities_name}` the same without quotes and schema.
    """

    kind: str
    tables: Sequence[str]
    create: Sequence[str]
    version: int = 1
    migrations: Mapping[int, Sequence[str]] = {}  # by the version that they lead on from


class Tables:
    """The quoted names of a backend's tables, for use in statements."""

    def __init__(self, names: Mapping[str, str], plain: Sequence[str], key: str) -> None:
        self._names = names
        self.plain = plain  # without quotes and schema
        self.key = key

    def sql(self, template: str, **more: str) -> str:
        """Return a statement with the names in their places."""
        return template.format_map({**self._names, **more})


async def prepare(
    connection: Connection, layout: Layout, options: PostgresOptions, backend_name: str, more: Mapping[str, str]
) -> Tables:
    """Return the names of the tables, after making, migrating or checking them.

    `more` has further names for the statements. Raises `BackendSetupError` for
    what is missing with `create: false`, or of a newer version.
    """
    tables = await _named(connection, layout, options, backend_name, more)
    version = await _known_version(connection, layout, options, tables)
    if version == layout.version:
        return tables
    if not options.create:
        found = "not there" if version is None else f"of the older version {version}"
        raise BackendSetupError(
            f"{options.server}: the tables of {tables.key!r} in the schema {options.schema_name!r} are {found}, and "
            "create is false. Open the backend once with create: true as a role that may create, and grant this one "
            "what the documentation's page on PostgreSQL lists.",
            options=("create",),
        )
    async with connection.transaction():
        await connection.execute(TURN)
        version = await _known_version(connection, layout, options, tables)  # somebody may have been faster
        if version is None:
            await _create(connection, layout, options, tables)
        elif version < layout.version:
            await _migrate(connection, layout, tables, version)
    return tables


async def _named(
    connection: Connection, layout: Layout, options: PostgresOptions, backend_name: str, more: Mapping[str, str]
) -> Tables:
    prefix = f"{backend_name}_" if options.table_prefix is None else options.table_prefix
    plain = {"registry": _REGISTRY, **{table: prefix + table for table in layout.tables}}
    for name in plain.values():
        if len(name.encode()) > MAX_NAME_BYTES:
            raise InvalidValueError(
                f"The table {name!r} would have a name of more than {MAX_NAME_BYTES} bytes, which PostgreSQL cuts. "
                "Set table_prefix to something shorter.",
                options=("table_prefix",),
            )
    quoted = await connection.fetchval(
        "SELECT array_agg(format('%I.%I', $1::text, name) ORDER BY number) "
        "FROM unnest($2::text[]) WITH ORDINALITY AS each(name, number)",
        options.schema_name,
        list(plain.values()),
    )
    schema = await connection.fetchval("SELECT quote_ident($1)", options.schema_name)
    names = {**dict(zip(plain, quoted, strict=True)), **more, "schema": schema}
    return Tables(names, [plain[table] for table in layout.tables], f"{prefix}{layout.kind}")


async def _found(connection: Connection, options: PostgresOptions, names: Iterable[str]) -> set[str]:
    """Return which of these tables are there."""
    return {record[0] for record in await connection.fetch(_FOUND, options.schema_name, list(names))}


async def _version(connection: Connection, options: PostgresOptions, tables: Tables) -> int | None:
    """Return the version of the tables, `None` where they are not there."""
    if not await _found(connection, options, [_REGISTRY]):
        return None
    version: int | None = await connection.fetchval(
        tables.sql("SELECT version FROM {registry} WHERE tables = $1"), tables.key
    )
    found = await _found(connection, options, tables.plain)
    missing = sorted(set(tables.plain) - found)
    if version is None or not missing:
        return version
    if found:
        raise BackendSetupError(
            f"{options.server}: of the tables of {tables.key!r}, {', '.join(missing)} in the schema "
            f"{options.schema_name!r} is gone. Restore it from a backup, or drop the others too.",
            options=("schema", "dsn"),
        )
    return None


async def _known_version(
    connection: Connection, layout: Layout, options: PostgresOptions, tables: Tables
) -> int | None:
    """Return the version of the tables, and raise for one that a newer release made."""
    version = await _version(connection, options, tables)
    if version is not None and version > layout.version:
        raise BackendSetupError(
            f"{options.server}: the tables of {tables.key!r} are of version {version}; this release knows versions "
            f"up to {layout.version}. Upgrade symphony-registry here, too.",
            options=("schema", "dsn"),
        )
    return version


async def _create(connection: Connection, layout: Layout, options: PostgresOptions, tables: Tables) -> None:
    if not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = $1", options.schema_name):
        await connection.execute(tables.sql("CREATE SCHEMA {schema}"))
    if not await _found(connection, options, [_REGISTRY]):
        await connection.execute(tables.sql(_MAKE_REGISTRY))
    for statement in layout.create:
        await connection.execute(tables.sql(statement))
    await connection.execute(
        tables.sql(
            "INSERT INTO {registry} (tables, version) VALUES ($1, $2) "
            "ON CONFLICT (tables) DO UPDATE SET version = excluded.version, dimension = NULL"
        ),
        tables.key,
        layout.version,
    )


async def _migrate(connection: Connection, layout: Layout, tables: Tables, version: int) -> None:
    for step in range(version, layout.version):
        for statement in layout.migrations[step]:
            await connection.execute(tables.sql(statement))
    await connection.execute(
        tables.sql("UPDATE {registry} SET version = $2 WHERE tables = $1"), tables.key, layout.version
    )
