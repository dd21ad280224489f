"""The end of items that have a time to live."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from symphony_registry.backends.checkpoint_store import CheckpointInfo, CheckpointStoreBackend
from symphony_registry.errors import BackendNotOpenError, VersionConflictError
from symphony_registry.integrations.langgraph.index import VectorIndex
from symphony_registry.integrations.langgraph.items import ROOT, expiry, now, record_of

_LOG = logging.getLogger(__name__)


class Expiry:
    """Keeps items alive that are read, and deletes those that have expired."""

    def __init__(self, items: CheckpointStoreBackend, index: VectorIndex | None) -> None:
        self._items = items
        self._index = index
        self._sweeper: asyncio.Task[None] | None = None

    async def refresh(self, infos: Iterable[CheckpointInfo]) -> None:
        """Let items live on from now, unless somebody has written them meanwhile."""
        for info in {info["checkpoint_id"]: info for info in infos}.values():
            record = record_of(info)
            if record["ttl"] is not None:
                alive = {**record, "expires_at": expiry(record["ttl"])}
                with suppress(VersionConflictError):
                    await self._items.save_checkpoint(info["checkpoint_id"], {}, alive, if_version=info["version"])

    async def sweep(self) -> int:
        """Delete what has expired, and then its vectors."""
        expired = {"expires_at": {"$lte": now()}}
        found = await self._items.find_checkpoints(prefix=ROOT, metadata_filter=expired)
        deleted = await self._items.delete_checkpoints(prefix=ROOT, metadata_filter=expired)
        if self._index and found:
            left = await self._items.get_checkpoints(info["checkpoint_id"] for info in found)
            revisions = {each["metadata"]["revision"] for each in left if each}
            await self._index.remove(record for record in map(record_of, found) if record["revision"] not in revisions)
        return deleted

    async def start(self, minutes: float) -> None:
        """Sweep every so many minutes; where that is done already, from now on at this interval."""
        await self.stop()
        self._sweeper = asyncio.create_task(self._sweep_always(minutes * 60))

    async def stop(self) -> None:
        """Sweep no more."""
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])

    async def _sweep_always(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.sweep()
            except BackendNotOpenError:
                return
            except Exception:
                _LOG.exception("Expired items of %s were not deleted. They will be at the next sweep.", self._items)
