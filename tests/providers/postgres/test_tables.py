"""The tables in PostgreSQL: who may make them, what they are called, and which version they are of."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from symphony_registry.errors import BackendSetupError, InvalidValueError
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.postgres.knowledge_graph import PostgresKnowledgeGraph
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore
from symphony_registry.testing.adapters import adapt
from tests.helpers.postgres_cases import KINDS, each_type
from tests.helpers.postgres_server import Server, execute, value

_numbers = count(1)


@pytest.fixture
def options(postgres_url: str, new_schema: Callable[[], str]) -> dict[str, Any]:
    return {"dsn": postgres_url, "schema": new_schema()}


async def assert_works(backend: Any) -> None:
    """Call every operation."""
    adapter = adapt(backend)
    await adapter.fill()
    for operation in adapter.operations().values():
        await operation()
    for write in adapter.whole_writes(10):
        await write.prepare()
        await write.run()


def documented(name: str) -> str:
    """Return the SQL that stands in the documentation under `<!-- name -->`."""
    page = (Path(__file__).parents[3] / "docs" / "postgresql.md").read_text()
    return page.partition(f"<!-- {name} -->\n```sql\n")[2].partition("```")[0]


class TestRoles:
    @pytest.fixture
    async def role(self, server: Server) -> str:
        name = f"role_{next(_numbers)}"
        await execute(server.url, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        return name

    @pytest.fixture
    async def database(self, server: Server) -> str:
        name = f"database_{next(_numbers)}"
        await execute(server.url, f"CREATE DATABASE {name}")
        return name

    @each_type
    async def test_one_that_may_not_create_is_told_what_is_missing(
        self, kind: Any, server: Server, database: str, role: str
    ) -> None:
        admin = server.url.replace("/postgres?", f"/{database}?")
        await execute(admin, "CREATE EXTENSION vector")
        backend = kind({"dsn": server.tcp_url(role, "x", database), "create": False})
        with pytest.raises(BackendSetupError, match=r"tables .* are not there, and create is false") as caught:
            await backend.connect()
        assert f"database {database}" in str(caught.value)
        forbidden = kind({"dsn": server.tcp_url(role, "x", database)})
        with pytest.raises(BackendSetupError, match=r"permission denied.*Grant"):
            await forbidden.connect()
        assert await value(admin, "SELECT count(*) FROM pg_namespace WHERE nspname = 'symphony'") == 0

    @each_type
    @pytest.mark.parametrize("create", [True, False])
    async def test_one_that_may_not_create_works_with_the_documented_grants(
        self, kind: Any, create: bool, server: Server, database: str, role: str
    ) -> None:
        admin = server.url.replace("/postgres?", f"/{database}?")
        async with kind({"dsn": admin}):
            pass
        await execute(admin, documented("grants").replace(" app;", f" {role};"))
        async with kind({"dsn": server.tcp_url(role, "x", database), "create": create}) as backend:
            await assert_works(backend)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(server.tcp_url(role, "x", database), "CREATE TABLE symphony.other (id text)")

    @each_type
    async def test_one_that_only_reads_does_so_with_the_documented_grants(
        self, kind: Any, server: Server, database: str, role: str
    ) -> None:
        admin = server.url.replace("/postgres?", f"/{database}?")
        async with kind({"dsn": admin}) as backend:
            await adapt(backend).fill()
        await execute(admin, documented("grants of a reader").replace(" reader;", f" {role};"))
        async with kind({"dsn": server.tcp_url(role, "x", database), "create": False}) as backend:
            assert await backend.health_check()
            for read in adapt(backend).reads().values():
                assert await read()
            with pytest.raises(BackendSetupError, match=r"permission denied.*Grant"):
                await adapt(backend).put("a")

    @each_type
    async def test_one_that_may_not_read_is_told_so(self, kind: Any, server: Server, database: str, role: str) -> None:
        admin = server.url.replace("/postgres?", f"/{database}?")
        async with kind({"dsn": admin}):
            pass
        with pytest.raises(BackendSetupError, match=r"permission denied.*Grant"):
            await kind({"dsn": server.tcp_url(role, "x", database), "create": False}).connect()

    async def test_a_database_without_pgvector_is_told_from_others(
        self, server: Server, database: str, role: str
    ) -> None:
        dsn = server.tcp_url(role, "x", database)
        with pytest.raises(BackendSetupError, match=f"{database}.*CREATE EXTENSION vector"):
            await PostgresVectorStore({"dsn": dsn, "create": False}).connect()
        with pytest.raises(BackendSetupError, match="permission denied to create extension"):
            await PostgresVectorStore({"dsn": dsn}).connect()

    async def test_an_extension_in_a_schema_of_its_own_is_found(self, server: Server, database: str) -> None:
        admin = server.url.replace("/postgres?", f"/{database}?")
        await execute(admin, 'CREATE SCHEMA "Ext; --"', 'CREATE EXTENSION vector SCHEMA "Ext; --"')
        for storage in ("vector", "halfvec"):
            options = {"dsn": admin, "table_prefix": storage, "storage": storage, "dimension": 3, "index": "hnsw"}
            async with PostgresVectorStore(options) as store:
                await assert_works(store)

    async def test_a_database_of_another_encoding_is_refused(self, server: Server) -> None:
        name = f"latin_{next(_numbers)}"
        await execute(server.url, f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
        with pytest.raises(BackendSetupError, match=r"LATIN1.*UTF8"):
            await PostgresCheckpointStore({"dsn": server.tcp_url(database=name)}).connect()


class TestVersions:
    async def test_newer_tables_are_refused(self, options: dict[str, Any]) -> None:
        async with PostgresCheckpointStore(options):
            pass
        await execute(options["dsn"], f"UPDATE {options['schema']}.symphony_registry SET version = 99")
        store = PostgresCheckpointStore(options)
        with pytest.raises(BackendSetupError, match=r"version 99.*Upgrade symphony-registry"):
            await store.connect()
        assert not store.is_open

    @staticmethod
    def newer(*migration: str) -> type[PostgresCheckpointStore]:
        """Return the checkpoint store of a later release."""

        class Newer(PostgresCheckpointStore):
            _layout = PostgresCheckpointStore._layout._replace(version=3, migrations={2: migration})

        return Newer

    async def test_older_tables_are_migrated_once_by_whoever_comes_first(self, options: dict[str, Any]) -> None:
        async with PostgresCheckpointStore(options) as store:
            await store.save_checkpoint("a", {"x": 1})
        newer = self.newer("ALTER TABLE {checkpoints} ADD COLUMN note text", "UPDATE {checkpoints} SET note = 'new'")
        with pytest.raises(BackendSetupError, match="older version 2"):
            await newer({**options, "create": False}).connect()
        stores = [newer(options) for _ in range(5)]
        await asyncio.gather(*(store.connect() for store in stores))
        found = await asyncio.gather(*(store.get_checkpoint("a") for store in stores))
        await asyncio.gather(*(store.disconnect() for store in stores))
        assert [each and each["data"] for each in found] == [{"x": 1}] * 5
        assert await value(options["dsn"], f"SELECT note FROM {options['schema']}.default_checkpoints") == "new"
        assert await value(options["dsn"], f"SELECT version FROM {options['schema']}.symphony_registry") == 3
        with pytest.raises(BackendSetupError, match="version 3"):
            await PostgresCheckpointStore(options).connect()

    async def test_checkpoints_of_the_first_version_get_a_place_for_payloads(self, options: dict[str, Any]) -> None:
        async with PostgresCheckpointStore(options) as store:
            version = await store.save_checkpoint("a", {"x": 1})
        table = f"{options['schema']}.default_checkpoints"
        await execute(options["dsn"], f"ALTER TABLE {table} DROP COLUMN payload")
        await execute(options["dsn"], f"ALTER TABLE {table} RENAME COLUMN state TO data")
        await execute(options["dsn"], f"UPDATE {options['schema']}.symphony_registry SET version = 1")
        async with PostgresCheckpointStore(options) as store:
            found = await store.get_checkpoint("a")
            assert found
            assert (found["data"], found["version"]) == ({"x": 1}, version)
            await store.save_checkpoint("a", {}, payload=b"\0", if_version=version)
            found = await store.get_checkpoint("a")
            assert found
            assert found.get("payload") == b"\0"

    async def test_a_migration_that_fails_leaves_everything_as_it_was(self, options: dict[str, Any]) -> None:
        async with PostgresCheckpointStore(options) as store:
            await store.save_checkpoint("a", {"x": 1})
        failing = self.newer("ALTER TABLE {checkpoints} DROP COLUMN state", "SELECT 1 / 0")
        with pytest.raises(BackendSetupError, match="division by zero"):
            await failing(options).connect()
        async with PostgresCheckpointStore(options) as store:
            found = await store.get_checkpoint("a")
        assert found
        assert found["data"] == {"x": 1}


NAMES = [
    'quote"s',
    "it's",
    "semi; DROP TABLE victims; --",
    "with space",
    "UPPER",
    "{braces}",
    "{0}{registry}",
    "%s %I",
    "$1",
    "ü" * 10,
    "\\",
    "a.b",
]


class TestNames:
    @each_type
    @pytest.mark.parametrize("name", NAMES)
    async def test_schema_and_prefix_may_hold_anything(
        self, kind: Any, name: str, options: dict[str, Any], new_schema: Callable[[], str]
    ) -> None:
        dsn, schema = options["dsn"], f"{new_schema()} {name}"
        try:
            async with kind({"dsn": dsn, "schema": schema, "table_prefix": name}) as backend:
                await assert_works(backend)
            tables = "SELECT array_agg(table_name::text) FROM information_schema.tables WHERE table_schema = $1"
            assert all(
                table.startswith(name) or table == "symphony_registry" for table in await value(dsn, tables, schema)
            )
        finally:
            await execute(dsn, 'DROP SCHEMA "{}" CASCADE'.format(schema.replace('"', '""')))

    @each_type
    async def test_stores_whose_prefixes_differ_in_case_share_nothing(self, kind: Any, options: dict[str, Any]) -> None:
        async with (
            kind({**options, "table_prefix": "a_"}) as lower,
            kind({**options, "table_prefix": "A_"}) as upper,
        ):
            await adapt(lower).put("x", {"in": "lower"})
            assert await adapt(upper).get("x") is None

    @each_type
    async def test_by_default_stores_of_different_names_share_nothing(self, kind: Any, options: dict[str, Any]) -> None:
        one, other = kind(options), kind(options)
        one.name, other.name = "one", "other"
        async with one, other:
            await adapt(one).put("x", {"in": "one"})
            assert await adapt(other).get("x") is None

    async def test_all_types_with_one_prefix_share_nothing(self, options: dict[str, Any]) -> None:
        for kind in KINDS:
            async with kind({**options, "table_prefix": ""}) as backend:
                await assert_works(backend)

    @each_type
    @pytest.mark.parametrize("option", ["schema", "table_prefix"])
    async def test_a_name_that_the_server_would_cut_is_refused(
        self, kind: Any, option: str, options: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidValueError, match="63 bytes"):
            kind({**options, option: "ü" * 32})
        if option == "table_prefix":
            with pytest.raises(InvalidValueError, match=r"63 bytes.*table_prefix"):
                await kind({**options, option: "x" * 60}).connect()


async def test_every_text_is_ordered_by_code_points_whatever_the_database_does(options: dict[str, Any]) -> None:
    for kind in KINDS:
        async with kind(options):
            pass
    others = """
        SELECT array_agg(table_name || '.' || column_name) FROM information_schema.columns
        WHERE table_schema = $1 AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
    """
    assert await value(options["dsn"], others, options["schema"]) is None


@each_type
async def test_the_version_is_the_servers(kind: Any, options: dict[str, Any]) -> None:
    async with kind(options) as backend:
        number, *_ = (await value(options["dsn"], "SHOW server_version")).split()
        assert f"PostgreSQL {number}" in await backend.version()


class TestLoss:
    async def test_dropped_tables_are_made_again(self, options: dict[str, Any]) -> None:
        async with PostgresCheckpointStore(options) as store:
            await execute(options["dsn"], f"DROP TABLE {options['schema']}.default_checkpoints")
            assert await store.health_check() is False
        async with PostgresCheckpointStore(options) as store:
            await store.save_checkpoint("a", {})
            assert await store.health_check() is True

    async def test_one_of_two_tables_that_is_gone_is_named(self, options: dict[str, Any]) -> None:
        async with PostgresKnowledgeGraph(options):
            pass
        await execute(options["dsn"], f"DROP TABLE {options['schema']}.default_relations")
        with pytest.raises(BackendSetupError, match=r"default_relations .* is gone"):
            await PostgresKnowledgeGraph(options).connect()
