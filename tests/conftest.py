import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import count
from uuid import uuid4

import pytest

from symphony_registry import ServiceRegistry
from tests.helpers import postgres_server, redis_server
from tests.helpers.servers import given


@pytest.fixture(autouse=True)
def _untouched_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test without our variables, and leave no process-wide registry behind."""
    for name in list(os.environ):
        if name.startswith("SYMPHONY_"):
            monkeypatch.delenv(name)
    yield
    ServiceRegistry.reset_instance()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server with pgvector, of a role that may create."""
    yield from given(postgres_server.any_server())


@pytest.fixture(scope="session")
def server() -> Iterator[postgres_server.Server]:
    """Yield a server of our own, which keeps what it acknowledged, to stop and kill; each test leaves it running."""
    yield from given(postgres_server.running_server())


@pytest.fixture
def new_schema(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Yield a function that names schemas which nobody used before; they are dropped after the test."""
    token, numbers = f"test_{uuid4().hex[:12]}", count(1)
    given: list[str] = []

    def named() -> str:
        given.append(f"{token}_{next(numbers)}")
        return given[-1]

    yield named
    asyncio.run(postgres_server.execute(postgres_url, *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in given)))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Yield the URL of a Redis server with the query engine, where everything is allowed."""
    yield from given(redis_server.any_server())


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Yield the URL of a Valkey server, which has no query engine."""
    yield from given(redis_server.any_server("valkey"))


@pytest.fixture(scope="session")
def redis_cluster_url() -> Iterator[str]:
    """Yield the URL of a cluster of three Redis servers with the query engine."""
    for servers in given(redis_server.running_cluster()):
        yield servers[0].url


@pytest.fixture
def new_prefix() -> Iterator[Callable[[], str]]:
    """Yield a function that names prefixes of keys which nobody used before; their keys are deleted after the test."""
    token, numbers = f"test-{uuid4().hex[:12]}", count(1)
    yield lambda: f"{token}-{next(numbers)}"
    redis_server.forget(token)
