"""DSNs as people paste them: translated, or told what to change; a server is asked where it matters."""

import ssl
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from symphony_registry.errors import BackendSetupError
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.postgres.dsn import read_dsn
from symphony_registry.providers.postgres.failures import explained
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore
from tests.helpers.postgres_server import Server, execute, value

HOSTED = (
    "sslmode=prefer&channel_binding=require&connect_timeout=7&keepalives=1&keepalives_idle=30&gssencmode=disable"
    "&tcp_user_timeout=5&pgbouncer=true&schema=public&connection_limit=3&application_name=hosted"
)

_numbers = count(1)


def option(dsn: str, **more: Any) -> PostgresOptions:
    return PostgresOptions(dsn=dsn, **more)  # type: ignore[arg-type]


class TestTranslation:
    @pytest.mark.parametrize(
        ("dsn", "url"),
        [
            ("postgresql+asyncpg://me:x@db/agents", "postgresql://me:x@db/agents"),
            ("postgres+psycopg2://db/agents", "postgresql://db/agents"),
            ("postgresql://db/agents?ssl=true", "postgresql://db/agents?sslmode=require"),
            ("postgresql://db/agents?ssl=false", "postgresql://db/agents?sslmode=disable"),
            ("postgresql://db/agents?ssl=verify-full", "postgresql://db/agents?sslmode=verify-full"),
            ("postgresql://db/agents?sslmode=no-verify", "postgresql://db/agents?sslmode=require"),
            ("postgresql://db/agents?sslcert=", "postgresql://db/agents"),
            ("postgresql://me@/agents?hostaddr=10.0.0.1", "postgresql://me@/agents?host=10.0.0.1"),
            ("postgresql://me:p@ss:[%40@db/agents", "postgresql://me:p%40ss%3A%5B%40@db/agents"),
            ("postgresql://me@server:x@server.example/agents", "postgresql://me%40server:x@server.example/agents"),
            ("postgresql://me:5%@db/agents", "postgresql://me:5%25@db/agents"),
            ("postgresql://db/a?options=-c%20jit%3Doff", "postgresql://db/a?options=-c%20jit%3Doff"),
        ],
    )
    def test_what_others_write_is_put_in_the_driver_s_words(self, dsn: str, url: str) -> None:
        assert read_dsn(dsn).url == url

    def test_the_certificates_of_the_system_are_a_file(self) -> None:
        url = read_dsn("postgresql://db/agents?sslmode=verify-full&sslrootcert=system").url
        assert quote(str(ssl.get_default_verify_paths().cafile), safe="/") in url.replace("%2F", "/")

    @pytest.mark.parametrize("query", ["sslmode=required", "ssl=maybe"])
    def test_a_mode_of_tls_that_does_not_exist_is_refused(self, query: str) -> None:
        with pytest.raises(ValidationError, match="sslmode in a DSN is one of disable, allow, prefer, require"):
            option(f"postgresql://db/agents?{query}")

    def test_the_time_to_connect_is_the_option_s_else_the_dsn_s(self) -> None:
        dsn = "postgresql://db/agents?connect_timeout=7"
        assert option(dsn).patience == 7
        assert option(dsn, connect_timeout=3).patience == 3
        assert option(dsn.replace("7", "0")).patience == option("postgresql://db/agents").patience == 10

    def test_what_only_others_know_is_left_out_and_said(self) -> None:
        assert read_dsn(f"postgresql://db/agents?{HOSTED}").ignored == (
            *("channel_binding", "keepalives", "keepalives_idle", "gssencmode", "tcp_user_timeout"),
            *("pgbouncer", "schema", "connection_limit"),
        )


class TestAgainstAServer:
    @pytest.fixture
    def schema(self) -> str:
        return f"dsn_{next(_numbers)}"

    async def test_a_hosted_provider_s_usual_url_works_with_one_warning(
        self, server: Server, schema: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        dsn = f"{server.tcp_url()}?{HOSTED}"
        options = {"dsn": dsn, "schema": schema}
        async with PostgresCheckpointStore(options) as store, PostgresCheckpointStore(options) as same:
            await store.save_checkpoint("a", {})
            assert await same.count() == 1
        (message,) = [record.getMessage() for record in caplog.records]
        assert message == (
            f"PostgreSQL at 127.0.0.1:{server.port}, database postgres: ignored in its dsn: channel_binding, "
            "keepalives, keepalives_idle, gssencmode, tcp_user_timeout, pgbouncer, schema (set the option schema), "
            "connection_limit (set the option pool_max_size)."
        )

    async def test_a_password_with_an_at_sign_leads_to_the_right_host(self, server: Server, schema: str) -> None:
        role = f"at_{next(_numbers)}"
        await execute(server.url, f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'p@ss:[word'")
        dsn = f"postgresql://{role}:p@ss:[word@127.0.0.1:{server.port}/postgres"
        async with PostgresCheckpointStore({"dsn": dsn, "schema": schema}) as store:
            assert await store.health_check()

    async def test_a_server_without_tls_is_told_from_one_that_does_not_run(self, server: Server, schema: str) -> None:
        store = PostgresCheckpointStore({"dsn": f"{server.tcp_url()}?sslmode=require", "schema": schema})
        with pytest.raises(
            BackendSetupError, match=r"it has no TLS, which sslmode in the dsn asks for.*sslmode=prefer"
        ):
            await store.connect()

    def test_so_is_one_whose_certificate_is_not_trusted(self) -> None:
        found = explained(ssl.SSLCertVerificationError())  # the servers of the tests have no TLS
        assert (found.kind, "sslrootcert" in found.advice) == (BackendSetupError, True)

    async def test_a_parameter_that_nobody_knows_is_said(self, server: Server, schema: str) -> None:
        store = PostgresCheckpointStore({"dsn": f"{server.tcp_url()}?whatever=1", "schema": schema})
        with pytest.raises(BackendSetupError, match=r'"whatever".*parameter of the dsn, take it out'):
            await store.connect()

    async def test_an_empty_search_path_is_no_obstacle_to_the_first_opening(self, server: Server) -> None:
        database = f"pathless_{next(_numbers)}"
        await execute(server.url, f"CREATE DATABASE {database}")
        await execute(server.url, f"ALTER DATABASE {database} SET search_path = ''")
        async with PostgresVectorStore({"dsn": server.tcp_url(database=database)}) as store:
            await store.add("a", [1.0])
            assert await store.count() == 1
        home = "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
        assert await value(server.tcp_url(database=database), f"{home} WHERE extname = 'vector'") == "public"

    async def test_where_no_schema_is_there_for_pgvector_it_says_what_to_do(self, server: Server) -> None:
        database = f"homeless_{next(_numbers)}"
        await execute(server.url, f"CREATE DATABASE {database}")
        await execute(server.tcp_url(database=database), "DROP SCHEMA public")
        with pytest.raises(BackendSetupError, match=r"search_path .*CREATE EXTENSION vector SCHEMA"):
            await PostgresVectorStore({"dsn": server.tcp_url(database=database)}).connect()
