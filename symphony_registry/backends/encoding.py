"""JSON text of large values, checked without looking at every part in Python.

orjson takes more than the contract does, and marshal other things: what both take
consists of exactly the contract's types. Left are numbers that are not finite or
too large, and tuples, whose depth orjson does not see: they stand out in what
marshal writes. And the depth: the text is made inside as many lists as leave the
contract's depth below the limit of orjson.
"""

import marshal
import re

import numpy as np
import orjson

from symphony_registry.backends.values import MAX_DEPTH, JSONObject

# What the depth of a JSON text is counted by.
_MARKS = b'[{]}"'
_UNMARKED = bytes(set(range(256)) - set(_MARKS))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
# The old format, in which nothing refers to what came before: twice as fast.
_MARSHAL_VERSION = 2
_EXACT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
# Tuples of less than 10,240 parts, and of any number; other bytes may look like them, the latter often.
_TUPLE = re.compile(rb"\(.[\0-\x27]\0\0", re.DOTALL)
_LARGE_TUPLE = re.compile(rb"\(.{3}\0", re.DOTALL)
# How marshal begins a float, an integer of five digits, and one from 2**63 on; other bytes may look like them.
_FLOAT, _FIVE_DIGITS = b"g"[0], b"l\x05\0\0\0"
_EXPONENT_BEGINS, _EXPONENT_ENDS = 0xF0, np.frombuffer(b"\x7f\xff", np.uint8)
_LARGE_INT = re.compile(_FIVE_DIGITS + rb".{8}[\x08-\xff]", re.DOTALL)


def serialized(value: JSONObject) -> tuple[bytes | None, bytes]:
    """Return JSON text of a value, and the value as `marshal` writes it; no text where it takes a look at each part.

    Raises `ValueError` where a part is of a type that cannot be stored.
    """
    marshalled = marshal.dumps(value, _MARSHAL_VERSION)  # first: deep tuples crash orjson
    if _TUPLE.search(marshalled):
        return None, marshalled
    try:
        text = orjson.dumps(_wrapped(value, _WRAPPINGS), option=_EXACT)
    except TypeError:
        return None, marshalled
    return text[_WRAPPINGS : len(text) - _WRAPPINGS], marshalled


def is_plain(text: bytes, marshalled: bytes) -> bool:
    """Say whether what `serialized` returned is certainly what may be stored."""
    if _LARGE_TUPLE.search(marshalled) and _depth(text) > MAX_DEPTH:
        return False
    large = _FIVE_DIGITS in marshalled and _LARGE_INT.search(marshalled) is not None
    return not large and not _may_hold_infinities(marshalled)


def _depth(text: bytes) -> int:
    """Return how deep a JSON text is nested."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")  # escaped quotes begin and end nothing
    marks = np.frombuffer(text.translate(None, _UNMARKED), np.uint8)
    in_string = np.cumsum(marks == _MARKS[-1]) % 2 == 1
    return int(np.cumsum(np.where(in_string, 0, _STEPS[marks])).max())


def _may_hold_infinities(marshalled: bytes) -> bool:
    """Say whether there is what looks like a float whose exponent is all ones."""
    characters = np.frombuffer(marshalled, np.uint8)
    high = np.flatnonzero(characters[7:-1] >= _EXPONENT_BEGINS)
    return bool(((characters[high] == _FLOAT) & np.isin(characters[high + 8], _EXPONENT_ENDS)).any())


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
