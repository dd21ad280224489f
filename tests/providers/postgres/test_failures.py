"""A PostgreSQL server that is slow, full, ends sessions or rolls back; and connections that are shared."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import pytest

from symphony_registry.backends.lifecycle import check_health
from symphony_registry.errors import BackendSetupError, BackendTimeoutError, BackendUnavailableError
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.testing.adapters import adapt
from tests.helpers.postgres_cases import KINDS, each_type
from tests.helpers.postgres_server import Server, execute, value

TABLES = {"vector_store": "vectors", "knowledge_graph": "entities", "checkpoint_store": "checkpoints"}

_numbers = count(1)


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    return {"dsn": server.url, "schema": f"failure_{next(_numbers)}", "statement_timeout": 20}


@pytest.fixture
def table(kind: Any, options: dict[str, Any]) -> str:
    return f"{options['schema']}.default_{TABLES[kind.backend_type]}"


@asynccontextmanager
async def locked(server: Server, table: str) -> AsyncIterator[None]:
    """Hold a lock that no other session gets past."""
    connection = await asyncpg.connect(server.url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table}")
            yield
    finally:
        await connection.close()


async def until_one_waits(server: Server) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while not await value(server.url, waiting):
        pass


@each_type
async def test_sessions_that_an_administrator_ends_are_replaced(
    kind: Any, server: Server, options: dict[str, Any], table: str
) -> None:
    end_all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ended'"
    async with kind({**options, "dsn": f"{server.url}&application_name=ended"}) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        assert await value(server.url, end_all) == 1
        assert await adapter.get("a") == {"x": 1}
        async with locked(server, table):
            reading = asyncio.create_task(adapter.get("a"))
            writing = asyncio.create_task(adapter.put("a", {"x": 2}))
            await until_one_waits(server)
            assert await value(server.url, end_all) > 0
        await asyncio.gather(reading, writing)
        assert await adapter.get("a") == {"x": 2}


@each_type
async def test_a_deletion_whose_connection_is_lost_is_not_done_twice_in_silence(
    kind: Any, server: Server, options: dict[str, Any], table: str
) -> None:
    async with kind({**options, "dsn": f"{server.url}&application_name=lost"}) as backend:
        adapter = adapt(backend)
        await adapter.put("a")
        async with locked(server, table):
            deleting = asyncio.create_task(adapter.delete("a"))
            await until_one_waits(server)
            await execute(
                server.url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'",
            )
            with pytest.raises(BackendUnavailableError, match="may have been made"):
                await deleting
        assert await adapter.delete("a") is True


@each_type
async def test_a_statement_that_takes_too_long_is_a_timeout_and_is_cancelled_in_the_server(
    kind: Any, server: Server, options: dict[str, Any], table: str
) -> None:
    async with kind({**options, "statement_timeout": 0.3}) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        async with locked(server, table):
            with pytest.raises(BackendTimeoutError, match="in time") as caught:
                await adapter.put("a", {"x": 2})
            assert isinstance(caught.value, TimeoutError)
            with pytest.raises(BackendTimeoutError, match="in time"):
                await adapter.get("a")
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while await value(server.url, waiting):
                pass
        assert await adapter.get("a") == {"x": 1}


async def test_a_health_check_that_is_not_answered_is_a_bad_one(server: Server, options: dict[str, Any]) -> None:
    async with PostgresCheckpointStore({**options, "connect_timeout": 0.3}) as store:
        assert await store.health_check()
        async with locked(server, f"{options['schema']}.symphony_registry"), asyncio.timeout(20):
            assert not await store.health_check()
            found = await check_health(store, 20)
            assert found["status"] == "timeout"
            assert "it did not answer in time. Look at its load" in found["detail"]
        assert await store.health_check()


async def test_a_health_check_notices_that_the_tables_are_gone(server: Server, options: dict[str, Any]) -> None:
    async with PostgresCheckpointStore(options) as store:
        await execute(server.url, f"DROP SCHEMA {options['schema']} CASCADE")
        assert not await store.health_check()
        with pytest.raises(BackendSetupError, match="open it again"):
            await store.count()
        found = await check_health(store, 20)
        assert found["status"] == "failing"
        assert re.match(r'The checkpoint_store "default" .*does not exist.*open it again', found["detail"])
        await store.disconnect()
        await store.connect()
        assert await store.health_check()
        assert await store.count() == 0


@each_type
async def test_a_pool_that_gets_fewer_connections_than_it_may_have_makes_do(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    role = f"limited_{next(_numbers)}"
    await execute(
        server.url,
        f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'x'",
        f"CREATE ROLE {role}_2 LOGIN PASSWORD 'x' CONNECTION LIMIT 2",
    )
    async with kind({**options, "dsn": server.tcp_url(role, "x")}) as backend:
        await adapt(backend).put("a", {"x": 1})
    schema = options["schema"]
    await execute(
        server.url,
        f"GRANT USAGE ON SCHEMA {schema} TO {role}_2",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}_2",
    )
    async with kind({**options, "dsn": server.tcp_url(f"{role}_2", "x"), "create": False}) as backend:
        found = await asyncio.gather(*(adapt(backend).get("a") for _ in range(50)))
    assert found == [{"x": 1}] * 50


@each_type
async def test_a_replica_is_read_from_and_says_where_writes_belong(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind(options) as backend:
        await adapt(backend).put("a", {"x": 1})
    read_only = f"{server.url}&default_transaction_read_only=on"
    async with kind({**options, "dsn": read_only}) as backend:
        assert await backend.health_check()
        assert await adapt(backend).get("a") == {"x": 1}
        with pytest.raises(BackendSetupError, match="primary"):
            await adapt(backend).put("b")


_RAISE = """
    CREATE FUNCTION {table}_raise() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('{table}_tries') <= {times} THEN
            RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}';
        END IF;
        RETURN NULL;
    END $$
"""


@asynccontextmanager
async def failing(server: Server, table: str, code: str, times: int) -> AsyncIterator[None]:
    """Let the first changes of a table end in an error, whatever comes of a transaction."""
    await execute(
        server.url,
        f"CREATE SEQUENCE {table}_tries",
        _RAISE.format(table=table, code=code, times=times),
        f"CREATE TRIGGER fails AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_raise()",
    )
    yield
    await execute(
        server.url,
        f"DROP TRIGGER fails ON {table}",
        f"DROP FUNCTION {table}_raise",
        f"DROP SEQUENCE {table}_tries",
    )


@each_type
async def test_a_full_disk_is_said_and_nothing_is_written(
    kind: Any, server: Server, options: dict[str, Any], table: str
) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        async with failing(server, table, "53100", times=1_000):
            with pytest.raises(BackendUnavailableError, match=r"could not extend file.*Make room"):
                await adapter.put("a", {"x": 2})
            with pytest.raises(BackendUnavailableError, match="Make room"):
                await adapter.load((f"{number}", {}) for number in range(20))
            assert await adapter.get("a") == {"x": 1}
        await adapter.put("a", {"x": 2})
        assert await adapter.get("a") == {"x": 2}


@each_type
@pytest.mark.parametrize("code", ["40P01", "40001"], ids=["deadlock", "serialization failure"])
async def test_a_transaction_that_was_rolled_back_for_another_is_made_again(
    kind: Any, server: Server, options: dict[str, Any], table: str, code: str
) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        async with failing(server, table, code, times=3):
            await adapter.put("a", {"x": 1})
            assert await value(server.url, f"SELECT last_value FROM {table}_tries") == 4
        async with failing(server, table, code, times=3):
            assert await adapter.delete("a") is True
            assert await value(server.url, f"SELECT last_value FROM {table}_tries") == 4


async def test_backends_of_one_dsn_share_one_pool_which_ends_with_the_last(
    server: Server, options: dict[str, Any]
) -> None:
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shared'"
    shared = {**options, "dsn": f"{server.url}&application_name=shared", "pool_max_size": 3}
    backends = [kind(shared) for kind in KINDS]
    await asyncio.gather(*(backend.connect() for backend in backends))
    await asyncio.gather(*(adapt(backend).put(f"{number}") for backend in backends for number in range(20)))
    assert await value(server.url, sessions) == 3
    for backend in backends[:2]:
        await backend.disconnect()
    assert await value(server.url, sessions) == 3
    assert await adapt(backends[2]).get("1") == {}
    await backends[2].disconnect()
    while await value(server.url, sessions):  # the server takes notice in its own time
        pass


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # as nobody closed it while its event loop ran
@each_type
def test_a_backend_goes_on_in_a_new_event_loop_when_its_own_has_ended(kind: Any, options: dict[str, Any]) -> None:
    async def write(backend: Any) -> None:
        await backend.connect()
        await adapt(backend).put("a", {"x": 1})

    async def read(backend: Any) -> Any:
        async with backend:
            return await adapt(backend).get("a")

    backend = kind(options)
    asyncio.run(write(backend))
    assert asyncio.run(read(backend)) == {"x": 1}
    gc.collect()  # the warning comes here
