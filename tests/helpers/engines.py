"""The engines behind a server: a row each, for what the tests try on all of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from tests.helpers import postgres_cases, postgres_server, redis_cases, redis_server


class Engine(NamedTuple):
    """An engine: its server, its classes (vectors, graph, checkpoints), and what leads to a store of the server.

    `place` is what messages call the server.
    """

    running: Callable[[], AbstractContextManager[Any]]
    kinds: list[Any]
    options: Callable[[Any, str], dict[str, Any]]
    place: Callable[[Any], str]


ENGINES = {
    "postgres": Engine(
        postgres_server.running_server,
        postgres_cases.KINDS,
        lambda server, name: {"dsn": server.url, "schema": name, "statement_timeout": 20},
        lambda server: str(server.directory),
    ),
    "redis": Engine(
        redis_server.running_server,
        redis_cases.KINDS,
        lambda server, name: {"url": server.url, "prefix": name, "timeout": 20},
        lambda server: f"127.0.0.1:{server.port}",
    ),
}
