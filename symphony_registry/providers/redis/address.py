"""URLs of Redis servers: one, several of a cluster, Sentinels, or a Unix socket."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

_FORM = (
    "a URL is redis://user:password@host:port/0, rediss:// with TLS, redis://host1:port,host2:port for several "
    "servers of a cluster or Sentinels, or unix:///path/to/socket?db=0, with special characters as %40 and the like"
)
_URL = re.compile(r"(?P<scheme>rediss?)://(?P<authority>[^/?#]*)/?(?P<database>[0-9]*)")
_SOCKET = re.compile(r"unix://(?:(?P<login>[^/?#]*)@)?(?P<path>/[^?#]+)(?:\?(?P<query>[^#]*))?")
_HOST = re.compile(r"(?P<host>[\w.-]+|\[[\da-fA-F:.]+\])?(?::(?P<port>[0-9]{1,5}))?")
_PORT = 6379


class Node(NamedTuple):
    """Where a server listens: a host and a port, or the path of a socket."""

    host: str
    port: int | None

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Address(NamedTuple):
    """What a URL means."""

    nodes: tuple[Node, ...]
    user: str | None
    password: str | None
    database: int
    tls: bool

    def __str__(self) -> str:
        return ", ".join(map(str, self.nodes))


def read_url(text: str) -> Address:
    """Return what a URL means; raises `ValueError` where it cannot be told apart into its parts."""
    if socket := _SOCKET.fullmatch(text):
        query = parse_qsl(socket["query"] or "", keep_blank_values=True)
        database = dict(query).get("db", "0")
        if not (database.isascii() and database.isdecimal()) or len(query) > 1 or {name for name, _ in query} - {"db"}:
            raise ValueError(_FORM)
        return Address((Node(unquote(socket["path"]), None),), *_login(socket["login"]), int(database), tls=False)
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(_FORM)
    login, at, hosts = found["authority"].rpartition("@")
    nodes = [_node(host) for host in hosts.split(",")]
    return Address(
        tuple(nodes), *_login(login if at else None), int(found["database"] or 0), tls=found["scheme"] == "rediss"
    )


def _node(text: str) -> Node:
    found = _HOST.fullmatch(text)
    port = int((found and found["port"]) or _PORT)
    if found is None or not 0 < port < 1 << 16:
        raise ValueError(_FORM)
    return Node((found["host"] or "localhost").strip("[]"), port)


def _login(text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    user, colon, password = text.partition(":")
    if not colon:
        raise ValueError(f"{_FORM}; a password alone stands behind a colon")
    return unquote(user) or None, unquote(password) or None
