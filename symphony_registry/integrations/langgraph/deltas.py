"""What a channel that is saved as its changes has in the checkpoints before one."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite

from symphony_registry.integrations.langgraph.keys import Place
from symphony_registry.integrations.langgraph.reading import Listing, Reader
from symphony_registry.integrations.langgraph.rows import parent_of


async def delta_history(reader: Reader, place: Place, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
    """Return, by channel, its writes since the nearest ancestor that has its value, and that value."""
    newest_first: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
    seeds: dict[str, Any] = {}
    target = await reader.rows(place)
    parent = parent_of(target[0]) if target else None
    before = Place(*target[0]["data"]["place"]).config if target else None
    ancestors = Listing(reader, place._replace(checkpoint_id=None).config, before=before)  # whose ids are smaller
    while parent and len(seeds) < len(newest_first) and (page := await ancestors.page()):
        for found in page:
            if parent is None or Place.of(found.config) != parent:
                continue
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
