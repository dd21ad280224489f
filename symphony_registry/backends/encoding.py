"""JSON text of large values, checked without looking at every part in Python.

orjson takes more than the contract does, and marshal other things: what both take
consists of exactly the contract's types. Left are numbers that are not finite or
too large, which stand out in what marshal writes, and the depth, which is counted
in the text.
"""

import marshal
import re

import numpy as np
import orjson

from symphony_registry.backends.values import MAX_DEPTH, JSONObject

# Of the old format, in which nothing refers to what came before.
_MARSHAL_VERSION = 2
# Integers from 2**63 to 2**75; other bytes may look like them.
_LARGE_INT = re.compile(rb"l\x05\0\0\0.{8}[\x08-\xff]", re.DOTALL)
_BRACKETS = b'[{]}"'
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


def encoded(value: JSONObject) -> tuple[bytes, bytes]:
    """Return JSON text of a value, and the value as `marshal` writes it.

    Raises `TypeError` or `ValueError` where a part is of no JSON type, or of a
    subclass of one. Milliseconds for megabytes.
    """
    return orjson.dumps(value), marshal.dumps(value, _MARSHAL_VERSION)


def is_plain(text: bytes, marshalled: bytes) -> bool:
    """Say whether what `encoded` returned is certainly what may be stored."""
    return not (_may_hold_infinities(marshalled) or _LARGE_INT.search(marshalled)) and _depth(text) <= MAX_DEPTH


def _may_hold_infinities(marshalled: bytes) -> bool:
    """Say whether there is what looks like a float whose exponent is all ones."""
    characters = np.frombuffer(marshalled, np.uint8)
    ends = (characters[8:] | 0x80 == 0xFF) & (characters[7:-1] >= 0xF0)
    return bool((ends & (characters[:-8] == b"g"[0])).any())


def _depth(text: bytes) -> int:
    """Return how deep a JSON text is nested."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")  # escaped quotes begin and end nothing
    characters = np.frombuffer(text.translate(None, _OTHERS), np.uint8)
    in_string = np.cumsum(characters == _BRACKETS[-1]) % 2 == 1
    return int(np.cumsum(np.where(in_string, 0, _STEPS[characters])).max())
