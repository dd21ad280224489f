"""What a channel that is saved as its changes has in the checkpoints before one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory, PendingWrite

from symphony_registry.errors import NotFoundError
from symphony_registry.integrations.langgraph.checkpointer.keys import Place
from symphony_registry.integrations.langgraph.checkpointer.reading import Listing, Reader


async def delta_history(reader: Reader, place: Place, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
    """Return, by channel, its writes since the nearest ancestor that has its value, and that value.

    Raises `NotFoundError` where an ancestor is gone before which a channel was written.
    """
    newest_first: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
    seeds: dict[str, Any] = {}
    child = await reader.found(place)
    ancestors = _Ancestors(reader, Place.of(child.config) if child else place)
    while child and child.parent_config and len(seeds) < len(newest_first):
        parent = Place.of(child.parent_config)
        if parent in ancestors.taken:
            break
        found = await ancestors.take(parent)
        if found is None:
            _check_unwritten(child, newest_first.keys() - seeds.keys())
            break
        for channel in newest_first.keys() - seeds.keys():
            newest_first[channel] += (each for each in reversed(found.pending_writes or []) if each[1] == channel)
            if channel in found.checkpoint["channel_values"]:
                seeds[channel] = found.checkpoint["channel_values"][channel]
        child = found
    history: dict[str, DeltaChannelHistory] = {
        channel: {"writes": writes[::-1]} for channel, writes in newest_first.items()
    }
    for channel, value in seeds.items():
        history[channel]["seed"] = value
    return history


def _check_unwritten(child: CheckpointTuple, channels: Collection[str]) -> None:
    """Raise if channels were written before a checkpoint whose parent is gone."""
    if lost := sorted(child.checkpoint["channel_versions"].keys() & channels):
        thread_id, checkpoint_ns, checkpoint_id = Place.of(child.config)
        raise NotFoundError(
            f"The checkpoint {checkpoint_id!r} of the thread {thread_id!r} (checkpoint_ns {checkpoint_ns!r}) lacks its "
            f"parent, and what was written to its channels {lost} before: it was deleted before a run that had read it "
            "saved this checkpoint. Delete the thread, or go on from a checkpoint of another branch by its id."
        )


class _Ancestors:
    """Checkpoints one by one, each once, read by the page where their ids go down, as those of ancestors do."""

    def __init__(self, reader: Reader, place: Place) -> None:
        self._reader = reader
        self._page: dict[Place, CheckpointTuple] = {}
        self.taken = {place}
        self._go_on_before(place)

    def _go_on_before(self, place: Place) -> None:
        self._listing = Listing(self._reader, place._replace(checkpoint_id=None).config, before=place.config)

    async def take(self, place: Place) -> CheckpointTuple | None:
        """Return a checkpoint, or `None`."""
        self.taken.add(place)
        if place not in self._page:
            self._page = {Place.of(each.config): each for each in await self._listing.page()}
        if place not in self._page:  # a parent far back, or saved by a process whose clock is ahead
            found = await self._reader.found(place)
            self._page = {place: found} if found else {}
            self._go_on_before(place)
        return self._page.get(place)
