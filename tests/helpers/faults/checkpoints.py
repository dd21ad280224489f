"""Faults in checkpoint stores."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import asyncio
import time

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.guarantees import Guarantees
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictCheckpointStore, DictCheckpointStoreWithBulk


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

    async def list_checkpoints(self, *, limit=None, newest_first=False, **selection):
        found = await super().list_checkpoints(newest_first=newest_first, **selection)
        found.sort(key=lambda info: info["metadata"]["timestamp"], reverse=newest_first)
        await super().list_checkpoints(limit=limit)
        return found[:limit]


@fault("sequence")
class KeepsThePlace(InMemoryCheckpointStore):
    """Leaves a checkpoint that is saved again where it was."""

    async def list_checkpoints(self, *, newest_first=False, **options):
        found = await super().list_checkpoints(newest_first=newest_first, **options)
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

    async def list_checkpoints(self, **options):
        found = await super().list_checkpoints(**options)
        return [{**info, "data": {}} for info in found]


@fault("listing")
class PrunesTheNewest(InMemoryCheckpointStore):
    """Keeps the oldest when it prunes."""

    async def prune(self, keep_last, **selection):
        await super().prune(10**6 if type(keep_last) is int and keep_last >= 0 else keep_last, **selection)
        newest = await self.list_checkpoints(newest_first=True, **selection)
        gone = newest[: max(0, len(newest) - keep_last)]
        return sum([await self.delete_checkpoint(info["checkpoint_id"]) for info in gone])


@fault("selecting")
class TakesPrefixesForPatterns(InMemoryCheckpointStore):
    """Takes a prefix for a pattern."""

    async def find_checkpoints(self, *, prefix="", **options):
        if prefix in ("%", "_"):
            prefix = ""
        return await super().find_checkpoints(prefix=prefix, **options)


@fault("selecting")
class BoundsInclude(InMemoryCheckpointStore):
    """Counts `before` itself."""

    async def find_checkpoints(self, *, before=None, **options):
        bound = f"{before}\1" if before and len(before) < 500 else before
        return await super().find_checkpoints(before=bound, **options)


@fault("selecting")
class PrunesEverything(InMemoryCheckpointStore):
    """Keeps the newest of all where a prefix was given."""

    async def prune(self, keep_last, *, prefix="", metadata_filter=None):
        return await super().prune(keep_last, metadata_filter=metadata_filter)


@fault("selecting")
class ForgetsToAskWhat(InMemoryCheckpointStore):
    """Takes deletion without a selection for deletion of all."""

    async def delete_checkpoints(self, ids=None, *, metadata_filter=None, **selection):
        if ids is None and not metadata_filter and not any(selection.values()):
            return await self.prune(0)
        return await super().delete_checkpoints(ids, metadata_filter=metadata_filter, **selection)


@fault("several")
class OverwritesWhatIsThere(InMemoryCheckpointStore):
    """Counts what is absent, and saves everything."""

    async def save_checkpoints(self, items, *, if_absent=False):
        given = list(items)
        count = await super().save_checkpoints(given, if_absent=if_absent)
        await super().save_checkpoints(given)
        return count


@fault("several")
class LooksThenSaves(DictCheckpointStoreWithBulk):
    """Looks which are absent, and saves them later."""

    async def save_checkpoints(self, items, *, if_absent=False):
        given = list(items)
        there = {item[0] for item in given if item[0] in self.saved} if if_absent is True else set()
        await asyncio.sleep(0)
        await super().save_checkpoints([item for item in given if item[0] not in there])
        return len(given) - len(there)


@fault("payloads")
class TakesPayloadsForText(InMemoryCheckpointStore):
    """Loses the zeros at the end of a payload."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, *, payload=None, if_version=None):
        kept = payload.rstrip(b"\0") if isinstance(payload, bytes) else payload
        return await super().save_checkpoint(checkpoint_id, data, metadata, payload=kept, if_version=if_version)


@fault("versions")
class CountsEachId(InMemoryCheckpointStore):
    """Begins to count anew where an id was deleted."""

    async def delete_checkpoint(self, checkpoint_id, *, if_version=None):
        deleted = await super().delete_checkpoint(checkpoint_id, if_version=if_version)
        self._data.state.version = 0
        return deleted


@fault("versions")
class ComparesThenSaves(InMemoryCheckpointStore):
    """Compares the version, and saves later."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, *, payload=None, if_version=None):
        found = await super().get_checkpoint(checkpoint_id)
        if type(if_version) is int and (found["version"] if found else 0) == if_version:
            await asyncio.sleep(0)
            if_version = None
        return await super().save_checkpoint(checkpoint_id, data, metadata, payload=payload, if_version=if_version)
