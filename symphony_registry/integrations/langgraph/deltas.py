"""What a channel that is saved as its changes has in the checkpoints before one."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory, PendingWrite

from symphony_registry.integrations.langgraph.keys import Place
from symphony_registry.integrations.langgraph.reading import Listing, Reader
from symphony_registry.integrations.langgraph.rows import parent_of, place_of


async def delta_history(reader: Reader, place: Place, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
    """Return, by channel, its writes since the nearest ancestor that has its value, and that value."""
    newest_first: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
    seeds: dict[str, Any] = {}
    target = await reader.rows(place)
    parent = parent_of(target[0]) if target else None
    ancestors = _Ancestors(reader, place_of(target[0]) if target else place)
    while parent and len(seeds) < len(newest_first) and (found := await ancestors.take(parent)):
        for channel in newest_first.keys() - seeds.keys():
            newest_first[channel] += (each for each in reversed(found.pending_writes or []) if each[1] == channel)
            if channel in found.checkpoint["channel_values"]:
                seeds[channel] = found.checkpoint["channel_values"][channel]
        parent = Place.of(found.parent_config) if found.parent_config else None
    history: dict[str, DeltaChannelHistory] = {
        channel: {"writes": writes[::-1]} for channel, writes in newest_first.items()
    }
    for channel, value in seeds.items():
        history[channel]["seed"] = value
    return history


class _Ancestors:
    """Checkpoints one by one, each once, read by the page where their ids go down, as those of ancestors do."""

    def __init__(self, reader: Reader, place: Place) -> None:
        self._reader = reader
        self._page: dict[Place, CheckpointTuple] = {}
        self._taken = {place}
        self._go_on_before(place)

    def _go_on_before(self, place: Place) -> None:
        self._listing = Listing(self._reader, place._replace(checkpoint_id=None).config, before=place.config)

    async def take(self, place: Place) -> CheckpointTuple | None:
        """Return a checkpoint that is there and was not taken yet."""
        if place in self._taken:
            return None
        self._taken.add(place)
        if place not in self._page:
            self._page = {Place.of(each.config): each for each in await self._listing.page()}
        if place not in self._page:  # a parent far back, or saved by a process whose clock is ahead
            found = await self._reader.found(place)
            self._page = {place: found} if found else {}
            self._go_on_before(place)
        return self._page.get(place)
