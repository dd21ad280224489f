"""A PostgreSQL server that is down, refuses the login, never answers, or restarts."""

import asyncio
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from symphony_registry.errors import (
    BackendSetupError,
    BackendTimeoutError,
    BackendUnavailableError,
    RegistryError,
)
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from tests.helpers.postgres_cases import each_type
from tests.helpers.postgres_server import PASSWORD, Server, execute

pytestmark = pytest.mark.slow  # servers stop and start

_numbers = count(1)


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    return {"dsn": server.url, "schema": f"outage_{next(_numbers)}", "statement_timeout": 20}


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


async def refused(kind: Any, dsn: str, **options: Any) -> RegistryError:
    """Return the error of opening a backend; all that it can show has no password in it."""
    backend = kind({"dsn": dsn, "connect_timeout": 0.5, **options})
    with pytest.raises(RegistryError) as caught:
        async with asyncio.timeout(20):
            await backend.connect()
    assert caught.value.options == ("dsn",)
    shown = "".join(traceback.format_exception(caught.value)) + repr(backend) + repr(caught.value)
    assert PASSWORD not in shown
    assert "%3A%2540" not in shown  # the password in a URL
    assert not backend.is_open
    return caught.value


@each_type
async def test_a_server_that_is_down_is_named_with_the_database(kind: Any, stopped: Server) -> None:
    error = await refused(kind, stopped.tcp_url(database="postgres"))
    assert isinstance(error, BackendUnavailableError)
    assert f"127.0.0.1:{stopped.port}" in str(error)
    assert "database postgres" in str(error)


@pytest.mark.parametrize(
    ("dsn", "host", "advice", "kind"),
    [
        (lambda server: server.tcp_url(password="wrong"), "127.0.0.1", "password auth", BackendSetupError),
        (lambda server: server.tcp_url(user="nobody_knows"), "127.0.0.1", "password", BackendSetupError),
        (lambda server: server.tcp_url(database="nowhere"), "database nowhere", "create it", BackendSetupError),
        (
            lambda server: server.tcp_url().replace("127.0.0.1", "no.invalid"),
            "no.inv",
            "reach",
            BackendUnavailableError,
        ),
        (lambda _: "postgresql:///postgres?host=/nowhere", "/nowhere", "reached", BackendUnavailableError),
    ],
    ids=["wrong password", "unknown user", "unknown database", "unknown host", "no socket"],
)
async def test_what_is_wrong_with_the_dsn_is_said(
    server: Server, dsn: Callable[[Server], str], host: str, advice: str, kind: type[RegistryError]
) -> None:
    error = await refused(PostgresCheckpointStore, dsn(server))
    assert type(error) is kind
    assert error.transient == (kind is BackendUnavailableError)
    assert host in str(error)
    assert advice in str(error)


async def test_a_server_that_never_answers_is_given_up_after_the_timeout(silent_port: int) -> None:
    error = await refused(PostgresCheckpointStore, f"postgresql://u:secret@127.0.0.1:{silent_port}/data")
    assert isinstance(error, BackendTimeoutError)
    assert f"127.0.0.1:{silent_port}" in str(error)


async def test_the_password_opens_the_door_over_tcp(server: Server, options: dict[str, Any]) -> None:
    async with PostgresCheckpointStore({**options, "dsn": server.tcp_url()}) as store:
        assert await store.health_check()


async def test_a_server_without_a_free_connection_is_unavailable(server: Server, options: dict[str, Any]) -> None:
    await execute(server.url, "CREATE ROLE crowded LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    error = await refused(PostgresCheckpointStore, server.tcp_url("crowded", "x"))
    assert isinstance(error, BackendUnavailableError)
    assert "too many connections" in str(error)
