"""Checking the arguments of a checkpoint store's operations; data leave it as JSON text."""

from typing import NamedTuple

import orjson
import ormsgpack

from symphony_registry.backends.checkpoint_store.base import (
    RESTORED_PARTS,
    SAVED_PARTS,
    check_payload,
    check_timestamp,
    described,
)
from symphony_registry.backends.concurrency import delaying_cancellation, in_thread
from symphony_registry.backends.encoding import is_plain, serialized, unpacked
from symphony_registry.backends.values import (
    JSONObject,
    check_dict,
    check_id,
    check_items,
    checked_object,
    copied,
    is_large,
)
from symphony_registry.errors import InvalidTypeError, InvalidValueError


class SavedCheckpoint(NamedTuple):
    """A checkpoint as it is kept: its data as JSON text, its metadata without what the store adds.

    `version` is 0 until the store assigns one; `data` are empty where they were not asked for.
    """

    id: str
    data: bytes
    metadata: JSONObject
    timestamp: float
    payload: bytes | None = None
    version: int = 0

    @property
    def size(self) -> int:
        """Bytes of its data and its payload."""
        return len(self.data) + len(self.payload or b"")

    def described(self) -> JSONObject:
        """Return a copy of the metadata with what the store adds."""
        return described(copied(self.metadata), self.timestamp, self.id)


# Parts of a value above which it is checked on a thread.
LARGE_VALUE = 2_000


async def checked_text(data: JSONObject) -> bytes:
    """Return checked data as JSON text."""
    check_dict(data, "data")
    if not is_large(data, LARGE_VALUE):
        return orjson.dumps(checked_object(data, "data"))
    try:
        text, snapshot = serialized(data)  # at once: the caller may change the data while a thread checks them
    except TypeError as error:  # they hold what is refused, and the check says what
        await delaying_cancellation(in_thread(lambda: checked_object(data, "data")))
        raise InvalidValueError("data was changed while it was being stored.") from error

    def check() -> bytes:
        if text is not None and is_plain(text, snapshot):
            return text
        try:
            return orjson.dumps(checked_object(unpacked(snapshot), "data"))
        except (InvalidTypeError, ormsgpack.MsgpackDecodeError):
            checked_object(data, "data")  # which has the types: here, bytearrays are bytes
            raise

    return await delaying_cancellation(in_thread(check))


def check_saved(items: list[object], now: float) -> list[SavedCheckpoint]:
    """Return the items of `save_checkpoints`, checked, else raise."""

    def check(id: str, data: JSONObject, metadata: JSONObject | None, payload: bytes | None = None) -> SavedCheckpoint:
        return _checked(id, data, metadata, now, payload)

    return check_items(items, SAVED_PARTS, check, optional=1)


def check_restored(items: list[object]) -> list[SavedCheckpoint]:
    """Return the items of `restore_checkpoints`, checked, else raise."""

    def check(
        id: str, data: JSONObject, metadata: JSONObject | None, timestamp: float, payload: bytes | None = None
    ) -> SavedCheckpoint:
        return _checked(id, data, metadata, check_timestamp(timestamp), payload)

    return check_items(items, RESTORED_PARTS, check, optional=1)


def _checked(
    id: str, data: JSONObject, metadata: JSONObject | None, timestamp: float, payload: bytes | None
) -> SavedCheckpoint:
    check_id(id, "checkpoint_id")
    check_dict(data, "data")
    text = orjson.dumps(checked_object(data, "data"))
    return SavedCheckpoint(id, text, checked_object(metadata, "metadata"), timestamp, check_payload(payload))
