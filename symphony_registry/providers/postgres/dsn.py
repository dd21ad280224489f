"""DSNs as libpq, other drivers and hosted providers write them, in the words of asyncpg."""

import re
import ssl
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

_FORM = "a DSN is postgresql://user:password@host:port/database, with special characters as %40 and the like"
# SQLAlchemy names a driver after the scheme.
_URL = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://(?P<authority>[^/?#]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"([\w.%-]*|\[[\da-fA-F:.%]+\])(:\d+)?")

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_AS_SSL_MODE = {"true": "require", "1": "require", "no-verify": "require", "false": "disable", "0": "disable"}
# What libpq, poolers and object mappers know, and a server would refuse.
_OTHERS = (
    *("channel_binding", "client_encoding", "fallback_application_name", "gssdelegation", "gssencmode", "hostaddr"),
    *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "replication"),
    *("max_protocol_version", "min_protocol_version", "require_auth", "requirepeer", "scram_client_key", "sslsni"),
    *("scram_server_key", "sslcertmode", "sslcompression", "sslcrldir", "sslkeylogfile", "tcp_user_timeout"),
    *("binary_parameters", "pgbouncer", "prepareThreshold", "prepared_statement_cache_size", "socket_timeout"),
    *("sslaccept", "sslidentity", "statement_cache_size", "supa", "uselibpqcompat"),
)
# The same, by the option that we have for it.
_OPTIONS = {
    "connection_limit": "pool_max_size",
    "currentSchema": "schema",
    "pool_size": "pool_max_size",
    "pool_timeout": "statement_timeout",
    "schema": "schema",
}


class Dsn(NamedTuple):
    """A DSN that asyncpg understands, what it leads to, and what was left out of it."""

    url: str
    host: str
    database: str
    connect_timeout: float | None
    ignored: tuple[str, ...]


def read_dsn(text: str) -> Dsn:
    """Return what a DSN means; raises `ValueError` where it cannot be told apart into its parts."""
    found = _URL.fullmatch(text)
    if found is None or "@" in (found["database"] or "") + (found["query"] or ""):
        raise ValueError(_FORM)  # with a raw /, ? or # in the password, the rest of it would be a host
    userinfo, at, hosts = found["authority"].rpartition("@")
    if not all(map(_HOST.fullmatch, hosts.split(","))):
        raise ValueError(_FORM)
    given = {name: value for name, value in parse_qsl(found["query"] or "", keep_blank_values=True) if value}
    if not hosts and "host" not in given and "hostaddr" in given:
        given["host"] = given.pop("hostaddr")
    _translate_tls(given)
    timeout = given.pop("connect_timeout", "")
    seconds = float(timeout) if timeout.isdecimal() and int(timeout) else None  # 0 is for ever
    ignored = tuple(name for name in given if name in _OTHERS or name in _OPTIONS)
    query = urlencode({name: value for name, value in given.items() if name not in ignored}, quote_via=quote)
    database = found["database"] or ""
    return Dsn(
        f"postgresql://{_quoted(userinfo)}{at}{hosts}/{database}{'?' if query else ''}{query}",
        hosts or given.get("host", "localhost"),
        database or given.get("dbname", given.get("database", "the default database")),
        seconds,
        ignored,
    )


def about_ignored(names: tuple[str, ...]) -> str:
    """Return the parameters that were left out, in words."""
    return ", ".join(f"{name} (set the option {_OPTIONS[name]})" if name in _OPTIONS else name for name in names)


def _quoted(userinfo: str) -> str:
    """Return user and password with every special character escaped: one may be an @."""
    user, colon, password = userinfo.partition(":")
    return f"{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}"


def _translate_tls(given: dict[str, str]) -> None:
    """Put what is said of TLS in asyncpg's words."""
    mode = given.pop("ssl", None)
    mode = given.get("sslmode", mode)
    if mode is not None:
        given["sslmode"] = _AS_SSL_MODE.get(mode.lower(), mode)
        if given["sslmode"] not in _SSL_MODES:
            raise ValueError(f"sslmode in a DSN is one of {', '.join(_SSL_MODES)}")
    if given.get("sslrootcert") == "system":
        authorities = ssl.get_default_verify_paths().cafile
        if authorities is None:
            raise ValueError("sslrootcert=system: there is no file of this system's; write the path of one")
        given["sslrootcert"] = authorities
