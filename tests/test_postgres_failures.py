"""A PostgreSQL server that is away, refuses, restarts, is slow or full."""

import asyncio
import gc
import socket
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from itertools import count
from typing import Any

import asyncpg
import pytest
from postgres_server import PASSWORD, Server, execute, value

from symphony_registry.backends.checkpoint_store.postgres import PostgresCheckpointStore
from symphony_registry.backends.knowledge_graph.postgres import PostgresKnowledgeGraph
from symphony_registry.backends.vector_store.postgres import PostgresVectorStore
from symphony_registry.errors import BackendTimeoutError, BackendUnavailableError
from symphony_registry.testing.adapters import adapt

KINDS = {PostgresVectorStore: "vectors", PostgresKnowledgeGraph: "entities", PostgresCheckpointStore: "checkpoints"}
each_type = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.backend_type))

_numbers = count(1)


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    return {"dsn": server.url, "schema": f"schema_{next(_numbers)}", "statement_timeout": 20}


@pytest.fixture
def table(kind: Any, options: dict[str, Any]) -> str:
    return f"{options['schema']}.default_{KINDS[kind]}"


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


@pytest.fixture
def stopped(server: Server) -> Iterator[Server]:
    server.stop()
    yield server
    server.start()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Yield a port where calls are taken and nobody speaks."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


async def refused(kind: Any, dsn: str, **options: Any) -> BackendUnavailableError:
    """Return the error of opening a backend; all that it can show has no password in it."""
    backend = kind({"dsn": dsn, "connect_timeout": 0.5, **options})
    with pytest.raises(BackendUnavailableError) as caught:
        async with asyncio.timeout(20):
            await backend.connect()
    shown = "".join(traceback.format_exception(caught.value)) + repr(backend) + repr(caught.value)
    assert PASSWORD not in shown
    assert "%3A%2540" not in shown  # the password in a URL
    assert not backend.is_open
    return caught.value


@each_type
async def test_a_server_that_is_down_is_named_with_the_database(kind: Any, stopped: Server) -> None:
    error = await refused(kind, stopped.tcp_url(database="postgres"))
    assert f"127.0.0.1:{stopped.port}" in str(error)
    assert "database postgres" in str(error)


@pytest.mark.parametrize(
    ("dsn", "host", "advice"),
    [
        (lambda server: server.tcp_url(password="wrong"), "127.0.0.1", "password authentication failed"),
        (lambda server: server.tcp_url(user="nobody_knows"), "127.0.0.1", "password"),
        (lambda server: server.tcp_url(database="nowhere"), "database nowhere", "create it"),
        (lambda server: server.tcp_url().replace("127.0.0.1", "nowhere.invalid"), "nowhere.invalid", "reached"),
        (lambda _: "postgresql:///postgres?host=/nowhere", "/nowhere", "reached"),
    ],
    ids=["wrong password", "unknown user", "unknown database", "unknown host", "no socket"],
)
async def test_what_is_wrong_with_the_dsn_is_said(
    server: Server, dsn: Callable[[Server], str], host: str, advice: str
) -> None:
    error = await refused(PostgresCheckpointStore, dsn(server))
    assert host in str(error)
    assert advice in str(error)


async def test_a_server_that_never_answers_is_given_up_after_the_timeout(silent_port: int) -> None:
    error = await refused(PostgresCheckpointStore, f"postgresql://u:secret@127.0.0.1:{silent_port}/data")
    assert isinstance(error, BackendTimeoutError)
    assert f"127.0.0.1:{silent_port}" in str(error)


async def test_the_password_opens_the_door_over_tcp(server: Server, options: dict[str, Any]) -> None:
    async with PostgresCheckpointStore({**options, "dsn": server.tcp_url()}) as store:
        assert await store.health_check()


@each_type
async def test_a_restart_between_two_calls_is_not_noticed(kind: Any, server: Server, options: dict[str, Any]) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.fill()
        before = {name: await read() for name, read in adapter.reads().items()}
        for name, read in adapter.reads().items():
            await asyncio.to_thread(server.restart)
            assert await read() == before[name], name
        for place in adapter.places():
            await asyncio.to_thread(server.restart)
            await place.put("a", {"after": place.name})
            assert await place.get("a") == {"after": place.name} or place.name == "update_entity"
        assert await backend.health_check()


@each_type
async def test_calls_during_an_outage_wait_for_its_end(kind: Any, server: Server, options: dict[str, Any]) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"before": 1})
        await asyncio.to_thread(server.stop)
        assert not await backend.health_check()
        writes = [asyncio.create_task(adapter.put(f"{number}")) for number in range(20)]
        read = asyncio.create_task(adapter.get("a"))
        await asyncio.to_thread(server.start)
        await asyncio.gather(*writes)
        assert await read == {"before": 1}
        assert await backend.health_check()


@each_type
async def test_a_call_fails_when_the_server_stays_away_and_works_when_it_is_back(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind({**options, "connect_timeout": 0.5}) as backend:
        adapter = adapt(backend)
        await adapter.put("a")
        await asyncio.to_thread(server.stop)
        try:
            operations = adapter.operations()
            errors = await asyncio.gather(*(call() for call in operations.values()), return_exceptions=True)
            for name, error in zip(operations, errors, strict=True):
                assert isinstance(error, BackendUnavailableError), name
                assert str(server.directory) in str(error), name
        finally:
            await asyncio.to_thread(server.start)
        assert await adapter.get("a") == {}


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
        assert await store.health_check()


async def test_a_health_check_notices_that_the_tables_are_gone(server: Server, options: dict[str, Any]) -> None:
    async with PostgresCheckpointStore(options) as store:
        await execute(server.url, f"DROP SCHEMA {options['schema']} CASCADE")
        assert not await store.health_check()
        with pytest.raises(BackendUnavailableError, match="open it again"):
            await store.count()
        await store.disconnect()
        await store.connect()
        assert await store.health_check()
        assert await store.count() == 0


async def test_a_server_without_a_free_connection_is_unavailable(server: Server, options: dict[str, Any]) -> None:
    await execute(server.url, "CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    error = await refused(PostgresCheckpointStore, server.tcp_url("crowded", "x"))
    assert "too many connections" in str(error)


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
        with pytest.raises(BackendUnavailableError, match="primary"):
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


async def test_closing_is_quick_and_harmless_when_the_server_is_gone(server: Server, options: dict[str, Any]) -> None:
    backends = [kind(options) for kind in KINDS]
    await asyncio.gather(*(backend.connect() for backend in backends))
    await asyncio.to_thread(server.kill)
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(backend.disconnect() for backend in backends))
    finally:
        await asyncio.to_thread(server.start)


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
