"""The state of an embedded checkpoint store: checkpoints in the order saved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo, described
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.values import JSONObject, copied
from symphony_registry.providers.embedded.backend import Change


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint as it is kept: the data as JSON text, read only when asked for."""

    data: bytes
    metadata: JSONObject
    timestamp: float

    def described(self, id: str) -> JSONObject:
        """Return a copy of the metadata with what the store adds."""
        return described(copied(self.metadata), self.timestamp, id)


class CheckpointLog:
    """Checkpoints by id; the order of the dictionary is the order saved."""

    def __init__(self) -> None:
        self.saved: dict[str, SavedCheckpoint] = {}

    def apply(self, change: Change) -> None:
        """Make one change: save, delete or clear."""
        match change["op"]:
            case "save":
                self.saved.pop(change["id"], None)
                self.saved[change["id"]] = SavedCheckpoint(change["data"], change["metadata"], change["timestamp"])
            case "delete":
                del self.saved[change["id"]]
            case "clear":
                self.saved.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty log equal to this one."""
        for id, saved in self.saved.items():
            yield save_change(id, saved.data, saved.metadata, saved.timestamp)

    def __len__(self) -> int:
        return len(self.saved)

    def info(self, id: str) -> CheckpointInfo:
        """Return what is listed of a checkpoint."""
        return {"checkpoint_id": id, "metadata": self.saved[id].described(id)}

    def list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        """Return what matches, in the order saved or its reverse."""
        ids: Iterable[str] = reversed(self.saved) if newest_first else self.saved
        found: list[CheckpointInfo] = []
        for id in ids:
            info = self.info(id)
            if condition.matches(info["metadata"]):
                found.append(info)
                if len(found) == limit:
                    break
        return found


def save_change(id: str, data: bytes, metadata: JSONObject, timestamp: float) -> Change:
    """Return the change that saves a checkpoint."""
    return {"op": "save", "id": id, "timestamp": timestamp, "metadata": metadata, "data": data}
