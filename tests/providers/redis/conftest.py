"""A server of our own, which tests stop and kill."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.helpers.redis_server import Server, running_server

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Yield a server that keeps what it acknowledged; each test leaves it running."""
    with running_server() as server:
        yield server


@pytest.fixture
def options(server: Server) -> dict[str, Any]:
    return {"url": server.url, "prefix": f"own-{next(_numbers)}", "timeout": 20}


@pytest.fixture
def setting(server: Server) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that changes a setting until the end of the test."""
    changed: dict[str, bytes] = {}

    def change(name: str, value: str) -> None:
        changed.setdefault(name, server.command("CONFIG", "GET", name)[1])
        server.command("CONFIG", "SET", name, value)

    yield change
    for name, value in changed.items():
        server.command("CONFIG", "SET", name, value)
