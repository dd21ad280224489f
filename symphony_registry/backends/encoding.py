"""JSON text of large values, checked without looking at every part in Python.

orjson takes more than the contract does, and ormsgpack other things: what both
take consists of exactly the contract's types. Left are numbers that are not finite
or too large, which stand out in what ormsgpack writes. And the depth: the text is
made inside as many lists as leave the contract's depth below the limit of orjson.
"""

import re

import orjson
import ormsgpack

from symphony_registry.backends.values import MAX_DEPTH, JSONObject

_EXACT_TEXT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_WITH_TUPLES = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_EXACT = _WITH_TUPLES | ormsgpack.OPT_PASSTHROUGH_TUPLE
# A float whose exponent is all ones, and an integer from 2**63 on; other bytes may look like them, the latter in Greek.
_INFINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")
_LARGE_INT = re.compile(rb"\xcf[\x80-\xff]")


def serialized(value: JSONObject) -> tuple[bytes | None, bytes]:
    """Return JSON text of a value, and the value in MessagePack; no text where it takes a look at each part.

    Raises `TypeError` where a part is of a type that cannot be stored.
    """
    try:
        packed = ormsgpack.packb(value, option=_EXACT)  # first: deep tuples crash orjson
    except TypeError:
        return None, ormsgpack.packb(value, option=_WITH_TUPLES)
    wrapped = _wrapped(value, _WRAPPINGS)
    try:
        text = orjson.dumps(wrapped, option=_EXACT_TEXT | orjson.OPT_STRICT_INTEGER)
    except TypeError:  # there are integers of more than 53 bits, or what is refused
        text = orjson.dumps(wrapped, option=_EXACT_TEXT)
        if _LARGE_INT.search(packed):
            return None, packed
    return text[_WRAPPINGS : len(text) - _WRAPPINGS], packed


def is_plain(text: bytes, packed: bytes) -> bool:
    """Say whether what `serialized` returned is certainly what may be stored."""
    return not _INFINITE.search(packed) or b"null" not in text  # as orjson writes what is not finite


def _wrapped(value: object, times: int) -> object:
    for _ in range(times):
        value = [value]
    return value


def _orjson_depth() -> int:
    """Return how deep orjson follows lists."""
    depth = MAX_DEPTH
    while True:
        try:
            orjson.dumps(_wrapped([], depth))
        except TypeError:
            return depth
        depth += 1


_WRAPPINGS = _orjson_depth() - MAX_DEPTH
