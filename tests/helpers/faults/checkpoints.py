"""Faults in checkpoint stores."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import time

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.guarantees import Guarantees
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictCheckpointStore


@fault("saving")
class KeepsTheCallersTimestamp(InMemoryCheckpointStore):
    """Lets metadata stand over the store's own."""

    async def get_checkpoint(self, checkpoint_id):
        found = await super().get_checkpoint(checkpoint_id)
        if found is not None:
            found["metadata"] |= self._data.state.saved[checkpoint_id].metadata
        return found


@fault("sequence")
class OrdersByClock(InMemoryCheckpointStore):
    """Takes the latest timestamp for the newest."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, newest_first=newest_first)
        found.sort(key=lambda info: info["metadata"]["timestamp"], reverse=newest_first)
        await super().list_checkpoints(limit=limit)
        return found[:limit]


@fault("sequence")
class KeepsThePlace(InMemoryCheckpointStore):
    """Leaves a checkpoint that is saved again where it was."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        seen = self.__dict__.setdefault("seen", [])
        seen += [info["checkpoint_id"] for info in found if info["checkpoint_id"] not in seen]
        return sorted(found, key=lambda info: seen.index(info["checkpoint_id"]), reverse=newest_first)


@fault("restoring")
class RestoresNothing(DictCheckpointStore):
    """Says that it restores timestamps, and cannot."""

    guarantees = Guarantees(restores_timestamps=True)


@fault("restoring")
class RestoresNow(InMemoryCheckpointStore):
    """Gives a restored checkpoint the time of its restoring."""

    async def restore_checkpoints(self, items):
        given = list(items)
        await super().restore_checkpoints(given)
        await super().restore_checkpoints([(*item[:3], time.time()) for item in given])


@fault("restoring")
class RestoresByClock(InMemoryCheckpointStore):
    """Restores in the order of the timestamps."""

    async def restore_checkpoints(self, items):
        given = list(items) if hasattr(items, "__iter__") else items
        await super().restore_checkpoints(given)
        await super().restore_checkpoints(sorted(given, key=lambda item: item[3]))


@fault("restoring")
class RestoresBehindWhatIsThere(InMemoryCheckpointStore):
    """Leaves a checkpoint that is restored again where it was."""

    async def restore_checkpoints(self, items):
        before = list(self._data.state.saved)
        await super().restore_checkpoints(items)
        kept = {id: self._data.state.saved.pop(id) for id in before}
        self._data.state.saved = {**kept, **self._data.state.saved}


@fault("listing")
class ListsData(InMemoryCheckpointStore):
    """Lists the data too."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        return [{**info, "data": {}} for info in found]


@fault("listing")
class PrunesTheNewest(InMemoryCheckpointStore):
    """Keeps the oldest when it prunes."""

    async def prune(self, keep_last):
        await super().prune(10**6 if type(keep_last) is int and keep_last >= 0 else keep_last)
        newest = await self.list_checkpoints(newest_first=True)
        gone = newest[: max(0, len(newest) - keep_last)]
        return sum([await self.delete_checkpoint(info["checkpoint_id"]) for info in gone])
