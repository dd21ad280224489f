"""The state of an embedded checkpoint store: checkpoints in the order saved, and their ids in order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from symphony_registry.backends.checkpoint_store.base import described
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.filters import ANYTHING
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.providers.embedded.ids import SortedIds
from symphony_registry.providers.embedded.ordering import first
from symphony_registry.providers.embedded.replica import Change


class CheckpointSequence:
    """Checkpoints by id; the order of the dictionary is the order saved.

    A change that saves may say which version it makes; else that follows the last.
    """

    def __init__(self, version: int = 0) -> None:
        """Begin after so many versions."""
        self.version = version
        self.saved: dict[str, SavedCheckpoint] = {}
        self._ids = SortedIds()

    def emptied(self) -> "CheckpointSequence":
        """Return an empty sequence that goes on with the versions of this one."""
        return CheckpointSequence(self.version)

    def apply(self, change: Change) -> None:
        """Make one change: save, delete_many, version or clear; delete is what was written once."""
        match change["op"]:
            case "save":
                self._save(change)
            case "delete_many":
                for id in change["ids"]:
                    self._delete(id)
            case "delete":
                self._delete(change["id"])
            case "version":
                self.version = max(self.version, change["version"])
            case "clear":
                self.saved.clear()
                self._ids = SortedIds()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def _save(self, change: Change) -> None:
        id = change["id"]
        self.version = change["version"] = max(change.get("version", 0), self.version + 1)
        if self.saved.pop(id, None) is None:
            self._ids.add(id)
        self.saved[id] = SavedCheckpoint(
            id, change["data"], change["metadata"], change["timestamp"], change.get("payload"), self.version
        )

    def _delete(self, id: str) -> None:
        del self.saved[id]
        self._ids.remove(id)

    def growing_cost(self, changes: Sequence[Change]) -> float:  # noqa: ARG002
        """Return 0: a dictionary grows quickly."""
        return 0

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty sequence equal to this one."""
        saves = ({**save_change(saved), "version": saved.version} for saved in self.saved.values())
        return chain(saves, [{"op": "version", "version": self.version}])

    def __len__(self) -> int:
        return len(self.saved)

    def count(self, selection: Selection) -> int:
        """Return how many lie in the selection's range of ids."""
        return self._ids.count(selection.ids)

    def find(self, selection: Selection, page: Page, by: Literal["id", "saved"]) -> list[SavedCheckpoint]:
        """Return what is selected, by id or in the order saved."""
        if by == "id" or selection.ids.is_all:
            return list(islice(self._matching(self._in_order(selection, page, by), selection), page.limit))
        sign = -1 if page.reverse else 1
        matching = list(self._matching(self._in_order(selection, page, "id"), selection))
        return first(page.limit or len(matching), matching, lambda saved: sign * saved.version)

    def _in_order(self, selection: Selection, page: Page, by: Literal["id", "saved"]) -> Iterable[SavedCheckpoint]:
        if by == "id":
            return map(self.saved.__getitem__, self._ids.within(selection.ids, reverse=page.reverse))
        return reversed(self.saved.values()) if page.reverse else self.saved.values()

    @staticmethod
    def _matching(chosen: Iterable[SavedCheckpoint], selection: Selection) -> Iterable[SavedCheckpoint]:
        if selection.condition is ANYTHING:
            return chosen
        matches = selection.condition.matches
        return (saved for saved in chosen if matches(described(saved.metadata, saved.timestamp, saved.id)))


def save_change(saved: SavedCheckpoint) -> Change:
    """Return the change that saves a checkpoint."""
    change: Change = {
        "op": "save",
        "id": saved.id,
        "timestamp": saved.timestamp,
        "metadata": saved.metadata,
        "data": saved.data,
    }
    if saved.payload is not None:
        change["payload"] = saved.payload
    return change
