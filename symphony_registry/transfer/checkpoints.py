"""What a checkpoint store holds."""

from collections.abc import AsyncIterator, Sequence

from pybase64 import b64decode, b64encode_as_string
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import (
    CheckpointInfo,
    CheckpointStoreBackend,
    RestoredCheckpoint,
    check_timestamp,
)
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.values import JSONObject, check_id
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.transfer.collection import Collection, Key, StoredItem, check_object
from symphony_registry.transfer.digest import canonical_json
from symphony_registry.transfer.scanning import left_early

# What a checkpoint store adds to the metadata.
_ADDED = ("timestamp", "checkpoint_id")


class Checkpoints(Collection[CheckpointStoreBackend]):
    """What a checkpoint store holds, in the order saved."""

    name = "checkpoints"
    fields = ("checkpoint_id", "data", "metadata")
    optional = ("payload",)
    by_key = False

    @override
    async def read(self, store: CheckpointStoreBackend) -> AsyncIterator[StoredItem]:
        async with left_early(store.scan()) as checkpoints:
            async for checkpoint in checkpoints:
                yield {key: value for key, value in checkpoint.items() if key != "version"}  # the store's own

    @override
    async def write(self, store: CheckpointStoreBackend, items: Sequence[StoredItem]) -> None:
        await store.restore_checkpoints(list(map(_restored, items)))

    @override
    async def count(self, store: CheckpointStoreBackend) -> int:
        return await store.count()

    @override
    async def summary(self, store: CheckpointStoreBackend) -> JSONObject:
        oldest = _described(await store.list_checkpoints(limit=1))
        newest = _described(await store.list_checkpoints(limit=1, newest_first=True))
        return {**await super().summary(store), "oldest": oldest, "newest": newest}

    @override
    def promises(self, given: Guarantees) -> list[str]:
        return ["restores timestamps"] if given.restores_timestamps else []

    @override
    def key(self, item: StoredItem) -> Key:
        return (item["checkpoint_id"],)

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        check_id(item["checkpoint_id"], "checkpoint_id")
        check_object(item, "data")
        check_object(item, "metadata")
        check_timestamp(item["metadata"].get("timestamp"))
        if item["metadata"].get("checkpoint_id") != item["checkpoint_id"]:
            raise InvalidTypeError("metadata.checkpoint_id must be the checkpoint_id.")

    @override
    def canonical(self, item: StoredItem) -> bytes:
        """Return the parts but for the payload as JSON, and the payload after its length."""
        if "payload" not in item:
            return super().canonical(item)
        payload: bytes = item["payload"]
        others = {key: value for key, value in item.items() if key != "payload"}
        return canonical_json({**others, "payload": len(payload)}) + payload

    @override
    def line(self, item: StoredItem) -> bytes:
        if "payload" not in item:
            return super().line(item)
        return super().line({**item, "payload": b64encode_as_string(item["payload"])})

    @override
    def parsed(self, line: JSONObject) -> StoredItem:
        if "payload" not in line:
            return line
        try:
            return {**line, "payload": b64decode(line["payload"], validate=True)}
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"the payload is not base64: {error}") from error

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        if item["checkpoint_id"] in ids:
            raise InvalidValueError(f"the checkpoint {item['checkpoint_id']!r} is there twice")
        ids.add(item["checkpoint_id"])


def _described(found: list[CheckpointInfo]) -> JSONObject | None:
    if not found:
        return None
    return {"checkpoint_id": found[0]["checkpoint_id"], "timestamp": found[0]["metadata"]["timestamp"]}


def _restored(item: StoredItem) -> RestoredCheckpoint:
    metadata = item["metadata"]
    return item["checkpoint_id"], item["data"], _own(metadata), metadata["timestamp"], item.get("payload")


def _own(metadata: JSONObject) -> JSONObject:
    return {key: value for key, value in metadata.items() if key not in _ADDED}
