"""What of a checkpoint and its writes is saved where, and how they are put together again."""

import json
import reprlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import TASKS, _DeltaSnapshot

from symphony_registry.backends.checkpoint_store import Checkpoint as Row
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.checkpoint_store.base import SavedItem
from symphony_registry.backends.values import JSONObject, checked_value
from symphony_registry.errors import NotFoundError
from symphony_registry.integrations.langgraph.keys import Place, part, thread

# Filters: checkpoints, those with what a DeltaChannel keeps, and writes.
CHECKPOINTS: JSONObject = {"metadata": {"$exists": True}}
DELTA: JSONObject = {"delta": True}
WRITES: JSONObject = {"of": {"$exists": True}}
_OWN = {"metadata", "delta", "of"}  # a store adds more
_SMALL_PARTS = 300  # a value each, or 100 characters
_SHORT = 200  # characters that are as well in each checkpoint as in a row of their own
_SENDS_IN_VALUES = 4  # the version of checkpoints from which on their parents' writes do not matter


async def find_rows(store: CheckpointStoreBackend, **selection: Any) -> list[Row]:
    """Return what is selected, with its data."""
    return cast("list[Row]", await store.find_checkpoints(**selection, include_data=True))


def in_checkpoint(value: object) -> bool:
    """Whether a channel's value is kept in each checkpoint, since it is not longer than the reference to it."""
    if isinstance(value, str):
        return len(value) <= _SHORT
    return value is None or isinstance(value, int | float)


def is_small(values: Collection[Any]) -> bool:
    """Say whether serialising values takes less than a millisecond; of what is not known, it is not."""
    left, waiting = _SMALL_PARTS, [*values]
    while waiting and left >= 0:
        value = waiting.pop()
        kind = type(value)
        if kind is str or kind is bytes:
            left -= len(value) // 100 + 1
        elif kind is dict or kind is list or kind is tuple or kind is set:
            left -= len(value) + 1
            waiting.extend((value.values() if kind is dict else value) if left >= 0 else ())
        elif hasattr(value, "__dict__"):  # as messages are made
            waiting.append(vars(value))
        elif value is not None and not isinstance(value, int | float):
            return False
    return left >= 0


def checkpoint_items(
    serde: SerializerProtocol,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> list[SavedItem]:
    """Return a checkpoint, and the values of those of its channels that are new, as items to save."""
    parent = Place.of(config)
    place = parent._replace(checkpoint_id=checkpoint["id"])
    values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
    apart = {name: versions[name] for name in values if name in versions and not in_checkpoint(values[name])}
    items: list[SavedItem] = []
    for name, version in apart.items():
        if name in new_versions:
            kind, payload = serde.dumps_typed(values[name])
            items.append((place.blob(name, version), {"type": kind}, None, payload))
    kept = {name: value for name, value in values.items() if name not in apart}
    described = get_serializable_checkpoint_metadata(config, metadata)
    kind, payload = serde.dumps_typed([{**checkpoint, "channel_values": kept}, described])
    data: JSONObject = {
        "place": list(place),
        "parent": parent.checkpoint_id,
        "v": checkpoint["v"],
        "type": kind,
        "blobs": apart,
    }
    selected_by: JSONObject = {"metadata": filterable(described)}
    if "counters_since_delta_snapshot" in metadata or any(isinstance(each, _DeltaSnapshot) for each in values.values()):
        selected_by |= DELTA
    return [*items, (place.key, data, selected_by, payload)]


def filterable(metadata: Mapping[str, Any]) -> JSONObject:
    """Return metadata as filters compare them: in JSON, each value that a store does not hold as its repr."""
    return {str(_plain(str(key))): _plain(value) for key, value in metadata.items()}


def _plain(value: object) -> Any:
    try:
        [[plain]] = checked_value([[json.loads(json.dumps(value))]], "metadata")  # as deep as it is saved
    except (TypeError, ValueError, RecursionError):
        return reprlib.repr(value)
    return plain


def write_items(
    serde: SerializerProtocol, place: Place, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> tuple[list[SavedItem], list[SavedItem]]:
    """Return a task's writes as items to save: those that stay once they are saved, and those that are replaced."""
    staying: list[SavedItem] = []
    replaced: list[SavedItem] = []
    for position, (channel, value) in enumerate(writes):
        number = WRITES_IDX_MAP.get(channel, position)
        kind, payload = serde.dumps_typed(value)
        data: JSONObject = {
            "task_id": task_id,
            "task_path": task_path,
            "idx": number,
            "channel": channel,
            "type": kind,
        }
        id, of = f"{place.key}{part(task_id)}!{number}", part(cast("str", place.checkpoint_id))
        (staying if number >= 0 else replaced).append((id, data, {"of": of}, payload))
    return staying, replaced


def copied_item(row: Row, thread_id: str) -> SavedItem:
    """Return what was found, as an item to save in another thread."""
    id = thread(thread_id) + row["checkpoint_id"].split("!", 2)[2]
    data = row["data"]
    if "place" in data:
        data = {**data, "place": [thread_id, *data["place"][1:]]}
    metadata = {name: value for name, value in row["metadata"].items() if name in _OWN}
    return id, data, metadata, row.get("payload")


def place_of(row: Row) -> Place:
    """Return where a checkpoint was saved."""
    return Place(*row["data"]["place"])


def parent_of(row: Row) -> Place | None:
    """Return where a checkpoint's parent is."""
    thread_id, checkpoint_ns, _ = row["data"]["place"]
    parent = row["data"]["parent"]
    return Place(thread_id, checkpoint_ns, parent) if parent else None


def needs_sends(row: Row) -> bool:
    """Whether what a checkpoint was sent is found among its parent's writes only."""
    return bool(row["data"]["v"] < _SENDS_IN_VALUES and row["data"]["parent"])


def blobs_of(row: Row, channels: Collection[str] | None = None) -> dict[str, str]:
    """Return, by channel, the ids of the values that a checkpoint does not hold itself; only of `channels` if given."""
    place = place_of(row)
    return {
        name: place.blob(name, version)
        for name, version in row["data"]["blobs"].items()
        if channels is None or name in channels
    }


def check_values(place: Place, blobs: Mapping[str, str], present: Collection[str]) -> None:
    """Raise if values that a checkpoint refers to are gone; `blobs` has their ids, by channel."""
    gone = sorted(name for name, id in blobs.items() if id not in present)
    if gone:
        thread_id, checkpoint_ns, checkpoint_id = place
        raise NotFoundError(
            f"The checkpoint {checkpoint_id!r} of the thread {thread_id!r} (checkpoint_ns {checkpoint_ns!r}) lacks the "
            f"values of its channels {gone}: they were never saved, or deleted before a run that had read them saved "
            "this checkpoint. List those before it with before=..., and go on from one by its checkpoint_id, or delete "
            "the run or the thread."
        )


def value_of(serde: SerializerProtocol, row: Row) -> Any:
    """Return what was serialised."""
    return serde.loads_typed((row["data"]["type"], row.get("payload", b"")))


def in_order(writes: Sequence[Row]) -> list[Row]:
    """Return the writes of a step in the order in which they are applied."""
    return sorted(writes, key=lambda row: (row["data"]["task_path"], row["data"]["task_id"], row["data"]["idx"]))


def checkpoint_tuple(
    serde: SerializerProtocol,
    row: Row,
    blobs: Mapping[str, Row],
    writes: Sequence[Row],
    parent_writes: Sequence[Row],
) -> CheckpointTuple:
    """Put a checkpoint together; `blobs` has the values of its channels, by channel."""
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    checkpoint, metadata = value_of(serde, row)
    checkpoint["channel_values"].update((name, value_of(serde, blob)) for name, blob in blobs.items())
    if needs_sends(row):
        sends = [value_of(serde, each) for each in in_order(parent_writes) if each["data"]["channel"] == TASKS]
        if sends:
            checkpoint["channel_values"][TASKS] = sends
            checkpoint["channel_versions"][TASKS] = max(checkpoint["channel_versions"].values(), default=f"{1:032}")
    parent = parent_of(row)
    return CheckpointTuple(
        config=place_of(row).config,
        checkpoint=checkpoint,
        metadata=metadata,
        parent_config=parent and parent.config,
        pending_writes=[
            (each["data"]["task_id"], each["data"]["channel"], value_of(serde, each)) for each in in_order(writes)
        ],
    )
