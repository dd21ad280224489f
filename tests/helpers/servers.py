"""What the servers for the tests have in common."""

import socket


class ServerMissingError(Exception):
    """There is no server; the message says how to get one."""


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
