"""One digest for equal contents, whatever the provider."""

import hashlib
from typing import Any

import orjson

_NEGATIVE_ZERO = b"-0.0"


class Digest:
    """The SHA-256 of records in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, canonical: bytes) -> None:
        """Take the next record, as its section's `canonical` gives it."""
        self._hash.update(canonical)
        self._hash.update(b"\n")

    def __str__(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def canonical_json(value: Any) -> bytes:
    """Return the same text for values that the contract calls equal, another for others.

    Types count (`1` is not `1.0`), the order of keys does not, nor the sign of zero.

    >>> canonical_json({"b": -0.0, "a": 1})
    b'{"a":1,"b":0.0}'
    """
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if _NEGATIVE_ZERO in text:  # or a number that begins so, or a string
        text = orjson.dumps(_unsigned_zeros(value), option=orjson.OPT_SORT_KEYS)
    return text


def _unsigned_zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unsigned_zeros(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unsigned_zeros(item) for item in value]
    return abs(value) if type(value) is float and value == 0 else value
