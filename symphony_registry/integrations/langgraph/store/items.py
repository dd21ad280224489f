"""How an item of langgraph's store is kept: its id, by which a namespace is a range of ids, and its metadata."""

import hashlib
import time
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from langgraph.store.base import Item, SearchItem

from symphony_registry.backends.checkpoint_store import CheckpointInfo
from symphony_registry.backends.values import JSONObject

ROOT = "langgraph/store/"
_LONGEST = 440  # bytes of an id; those of its vectors begin with it, and have 512 at most
_HASHED = "~"


class Record(TypedDict):
    """The metadata of an item's checkpoint."""

    namespace: list[str]
    key: str
    value: JSONObject
    created_at: str
    updated_at: str
    ttl: float | None  # minutes
    expires_at: float | None
    revision: str  # of what its vectors are made from: a new one with every put
    vectors: int


def now() -> float:
    """Return the seconds since the epoch."""
    return time.time()


def item_id(namespace: tuple[str, ...], key: str) -> str:
    """Return the id `<root>label.label..key`. Labels have no periods, so two of them end the namespace."""
    id = f"{ROOT}{_dotted(namespace)}.{key}"
    if _fits(id) and "\0" not in key and not key.startswith(_HASHED):
        return id
    prefix = namespace_prefix(namespace)
    return f"{prefix}{'.' * _is_whole(prefix, namespace)}{_HASHED}{hashlib.sha256(_bytes(id)).hexdigest()}"


def namespace_prefix(namespace: tuple[str, ...]) -> str:
    """Return what the ids of all items in and below a namespace begin with: its labels, as many as an id has room for.

    >>> namespace_prefix(("users", "ada"))
    'langgraph/store/users.ada.'
    """
    count = len(namespace)
    while not _fits(f"{ROOT}{_dotted(namespace[:count])}.{_HASHED}{'0' * 64}"):
        count -= 1
    return f"{ROOT}{_dotted(namespace[:count])}"


def past_namespace(namespace: tuple[str, ...], *, below: bool) -> str:
    """Return a bound after all items in a namespace, and `below` it; before them where their ids are no range."""
    prefix = namespace_prefix(namespace)
    if not _is_whole(prefix, namespace):
        return prefix
    return f"{prefix[:-1]}/" if below else f"{prefix}/"  # the slash is next to the period


def record_of(info: CheckpointInfo) -> Record:
    """Return the metadata without what the store added."""
    return cast("Record", {name: info["metadata"][name] for name in Record.__annotations__})


def is_alive(record: Record) -> bool:
    """Say whether an item has not expired."""
    return record["expires_at"] is None or record["expires_at"] > now()


def expiry(ttl: float | None) -> float | None:
    """Return when an item expires that is used now."""
    return None if ttl is None else now() + ttl * 60


def as_item(record: Record) -> Item:
    """Return the item of `get`."""
    return Item(**_fields(record))


def as_search_item(record: Record, score: float | None = None) -> SearchItem:
    """Return the item of `search`."""
    return SearchItem(**_fields(record), score=score)


def timestamp() -> str:
    """Return the time in UTC."""
    return datetime.fromtimestamp(now(), UTC).isoformat()


def _fields(record: Record) -> dict[str, Any]:
    return {
        "namespace": tuple(record["namespace"]),
        "key": record["key"],
        "value": record["value"],
        "created_at": datetime.fromisoformat(record["created_at"]),
        "updated_at": datetime.fromisoformat(record["updated_at"]),
    }


def _dotted(namespace: tuple[str, ...]) -> str:
    return "".join(f"{label}." for label in namespace)


def _is_whole(prefix: str, namespace: tuple[str, ...]) -> bool:
    return prefix == f"{ROOT}{_dotted(namespace)}"


def _fits(id: str) -> bool:
    return len(_bytes(id)) <= _LONGEST


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
