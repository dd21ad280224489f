"""The state of an embedded checkpoint store: checkpoints in the order saved."""

from collections.abc import Iterable, Iterator, Sequence

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.filters import Condition
from symphony_registry.providers.embedded.replica import Change


class CheckpointSequence:
    """Checkpoints by id; the order of the dictionary is the order saved."""

    def __init__(self) -> None:
        self.saved: dict[str, SavedCheckpoint] = {}

    def apply(self, change: Change) -> None:
        """Make one change: save, delete or clear."""
        match change["op"]:
            case "save":
                self.saved.pop(change["id"], None)
                self.saved[change["id"]] = SavedCheckpoint(
                    change["id"], change["data"], change["metadata"], change["timestamp"]
                )
            case "delete":
                del self.saved[change["id"]]
            case "clear":
                self.saved.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def growing_cost(self, changes: Sequence[Change]) -> float:  # noqa: ARG002
        """Return 0: a dictionary grows quickly."""
        return 0

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty sequence equal to this one."""
        return map(save_change, self.saved.values())

    def __len__(self) -> int:
        return len(self.saved)

    def list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        """Return what matches, in the order saved or its reverse."""
        chosen: Iterable[SavedCheckpoint] = reversed(self.saved.values()) if newest_first else self.saved.values()
        found: list[CheckpointInfo] = []
        for saved in chosen:
            metadata = saved.described()
            if condition.matches(metadata):
                found.append({"checkpoint_id": saved.id, "metadata": metadata})
                if len(found) == limit:
                    break
        return found


def save_change(saved: SavedCheckpoint) -> Change:
    """Return the change that saves a checkpoint."""
    return {
        "op": "save",
        "id": saved.id,
        "timestamp": saved.timestamp,
        "metadata": saved.metadata,
        "data": saved.data,
    }
