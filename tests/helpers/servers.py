"""What the servers for the tests have in common."""

import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

T = TypeVar("T")


class ServerMissingError(Exception):
    """There is no server; the message says how to get one."""


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _missing(reason: ServerMissingError) -> None:
    """Skip the test; where everything has to be tested, fail it."""
    if os.environ.get("CI"):
        pytest.fail(str(reason))
    pytest.skip(str(reason))


def given(server: AbstractContextManager[T]) -> Iterator[T]:
    """Yield what a server gives while it runs."""
    with ExitStack() as stack:
        try:
            given = stack.enter_context(server)
        except ServerMissingError as reason:
            _missing(reason)
        yield given
