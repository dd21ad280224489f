"""JSON text of large values, checked without looking at every part in Python.

orjson takes more than the contract does, and ormsgpack other things: what both
take consists of exactly the contract's types. Left are numbers that are not finite
or too large, which stand out in what ormsgpack writes. And the depth: it is given
the value inside as many lists as leave the contract's depth below its limit.
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
    """Return JSON text of a value, and what `unpacked` takes; no text where it takes a look at each part.

    Raises `TypeError` where a part is of a type that cannot be stored.
    """
    wrapped = _wrapped(value, _WRAPPINGS)
    try:
        packed = ormsgpack.packb(wrapped, option=_EXACT)  # first: deep tuples crash orjson
    except TypeError:
        return None, ormsgpack.packb(wrapped, option=_WITH_TUPLES)
    try:
        text = orjson.dumps(value, option=_EXACT_TEXT | orjson.OPT_STRICT_INTEGER)
    except TypeError:  # there are integers of more than 53 bits, or what is refused
        text = orjson.dumps(value, option=_EXACT_TEXT)
        if _LARGE_INT.search(packed):
            return None, packed
    return text, packed


def unpacked(packed: bytes) -> object:
    """Return the value that was serialized; of tuples, lists."""
    return ormsgpack.unpackb(memoryview(packed)[_WRAPPINGS:])  # a list of one begins with one byte


def is_plain(text: bytes, packed: bytes) -> bool:
    """Say whether what `serialized` returned is certainly what may be stored."""
    return b"null" not in text or not _INFINITE.search(packed)  # null is what orjson writes for what is not finite


def _wrapped(value: object, times: int) -> object:
    for _ in range(times):
        value = [value]
    return value


def _deepest() -> int:
    """Return how deep ormsgpack follows lists."""
    depth = MAX_DEPTH
    while True:
        try:
            ormsgpack.packb(_wrapped([], depth))
        except TypeError:
            return depth
        depth += 1


_WRAPPINGS = _deepest() - MAX_DEPTH
