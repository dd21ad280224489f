"""A Redis server that is down, refuses the login, never answers, restarts, or loses a connection."""

import asyncio
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from symphony_registry.errors import (
    BackendSetupError,
    BackendTimeoutError,
    BackendUnavailableError,
    RegistryError,
)
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.testing.adapters import adapt
from tests.helpers.redis_cases import Line, each_type
from tests.helpers.redis_server import PASSWORD, Server, running_server

pytestmark = pytest.mark.slow  # servers stop and start


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


async def refused(kind: Any, url: str, **options: Any) -> RegistryError:
    """Return the error of opening a backend; all that it can show has no password in it."""
    backend = kind({"url": url, "connect_timeout": 0.5, **options})
    with pytest.raises(RegistryError) as caught:
        async with asyncio.timeout(20):
            await backend.connect()
    assert "url" in caught.value.options
    shown = "".join(traceback.format_exception(caught.value)) + repr(backend) + repr(caught.value)
    assert PASSWORD not in shown
    assert quote(PASSWORD, safe="") not in shown
    assert not backend.is_open
    return caught.value


@each_type
async def test_a_server_that_is_down_is_named(kind: Any, stopped: Server) -> None:
    error = await refused(kind, f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{stopped.port}")
    assert isinstance(error, BackendUnavailableError)
    assert f"127.0.0.1:{stopped.port}" in str(error)


@pytest.mark.parametrize(
    ("url", "named", "kind"),
    [
        ("redis://:wrong@127.0.0.1:{port}", "refuses the login", BackendSetupError),
        ("redis://127.0.0.1:{port}", "refuses the login", BackendSetupError),
        ("redis://nobody:{password}@127.0.0.1:{port}", "refuses the login", BackendSetupError),
        ("redis://:{password}@127.0.0.1:{port}/99", "out of range", BackendSetupError),
        ("redis://:{password}@no.invalid:{port}", "no.invalid", BackendUnavailableError),
        ("unix:///nowhere/socket", "/nowhere/socket", BackendUnavailableError),
    ],
    ids=["wrong password", "no password", "unknown user", "unknown database", "unknown host", "no socket"],
)
async def test_what_is_wrong_with_the_url_is_said(url: str, named: str, kind: type[RegistryError]) -> None:
    with running_server(requirepass=PASSWORD) as guarded:
        place = {"port": guarded.port, "password": quote(PASSWORD, safe="")}
        error = await refused(RedisCheckpointStore, url.format(**place))
        assert type(error) is kind
        assert named in str(error)
        async with RedisCheckpointStore({"url": "redis://:{password}@127.0.0.1:{port}/2".format(**place)}) as store:
            assert await store.health_check()


async def test_a_server_that_never_answers_is_given_up_after_the_timeout(silent_port: int) -> None:
    error = await refused(RedisCheckpointStore, f"redis://127.0.0.1:{silent_port}")
    assert isinstance(error, BackendTimeoutError)
    assert f"127.0.0.1:{silent_port}" in str(error)


@each_type
async def test_what_may_be_sent_twice_is_where_its_answer_was_lost(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with Line(server.port).open() as line, kind({**options, "url": line.url}) as backend:
        adapter = adapt(backend)
        await adapter.fill()
        for name, read in adapter.reads().items():
            before = await read()
            line.swallows = 1
            assert await read() == before, name
        for place in adapter.places():
            line.swallows = 1
            await place.put("a", {"after": place.name})
            assert await place.get("a") == {"after": place.name} or place.name == "update_entity"


@each_type
async def test_a_deletion_whose_answer_was_lost_is_not_sent_twice_in_silence(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with Line(server.port).open() as line, kind({**options, "url": line.url}) as backend:
        adapter = adapt(backend)
        await adapter.put("a")
        line.swallows = 1
        with pytest.raises(BackendUnavailableError, match="may have been made"):
            await adapter.delete("a")
        assert await adapter.delete("a") is False


async def test_a_save_on_condition_whose_answer_was_lost_is_not_sent_twice(
    server: Server, options: dict[str, Any]
) -> None:
    async with Line(server.port).open() as line, RedisCheckpointStore({**options, "url": line.url}) as store:
        save: Callable[[], Any] = lambda: store.save_checkpoint("a", {}, if_version=0)  # noqa: E731
        line.swallows = 1
        with pytest.raises(BackendUnavailableError, match="may have been made"):
            await save()
        assert await store.count() == 1
