"""What has to be checked of a file without a digest: nobody vouches that a store has ever held this."""

import json
import os
from typing import Any, BinaryIO

import orjson

from symphony_registry.errors import InvalidValueError
from symphony_registry.transfer.sections import Checkpoints, Entities, Record, Relations, Section

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

    def check(self, section: Section[Any], record: Record, text: bytes) -> None:
        """Raise `InvalidValueError` where a line, whose record is right by itself, cannot be taken as it stands."""
        json.loads(text, object_pairs_hook=_once_each, parse_int=_exact)
        match section:
            case Entities():
                self._ids.add(record["id"])
            case Relations():
                for end in (record["from_id"], record["to_id"]):
                    if end not in self._ids:
                        raise InvalidValueError(f"no entity {end!r} stands before the relation")
            case Checkpoints():
                if record["checkpoint_id"] in self._ids:
                    raise InvalidValueError(f"the checkpoint {record['checkpoint_id']!r} is there twice")
                self._ids.add(record["checkpoint_id"])


def _once_each(items: list[tuple[str, Any]]) -> dict[str, Any]:
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
