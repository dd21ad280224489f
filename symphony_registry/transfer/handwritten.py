"""What has to be checked of a file without a digest: nobody vouches that a store has ever held this."""

import json
import os
from typing import Any, BinaryIO

import orjson

from symphony_registry.errors import InvalidValueError
from symphony_registry.transfer.collection import Collection, StoredItem

# More than the last line of an export has.
_END_BYTES = 1_000


def has_digest(file: BinaryIO) -> bool:
    """Say whether the last line of a file has a digest."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    try:
        end = orjson.loads(file.read().rstrip().rpartition(b"\n")[2])
    except orjson.JSONDecodeError:
        return False
    return isinstance(end, dict) and "digest" in end


class HandWritten:
    """Finds what a line says that would not arrive; remembers the ids of entities and checkpoints."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def check(self, collection: Collection[Any], item: StoredItem, text: bytes) -> None:
        """Raise `InvalidValueError` where a line, whose item is right by itself, cannot be taken as it is."""
        json.loads(text, object_pairs_hook=once_each, parse_int=_exact)
        collection.check_unverified(item, self._ids)


def once_each(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object that has each key once, else raise `InvalidValueError`."""
    found: dict[str, Any] = {}
    for key, value in items:
        if key in found:
            raise InvalidValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _exact(digits: str) -> int:
    """Return a number that is written as an int; what does not fit 64 bits would be read as a float."""
    number = orjson.loads(digits)
    if type(number) is not int:
        raise InvalidValueError(f"{digits[:40]} does not fit 64 bits: write {number!r} if a float is meant")
    return number
