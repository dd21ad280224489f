"""The end of items that have a time to live."""

import asyncio
import logging
import math
from collections.abc import Iterable
from contextlib import suppress

from langgraph.store.base import TTLConfig

from symphony_registry.backends.checkpoint_store import CheckpointInfo, CheckpointStoreBackend
from symphony_registry.errors import (
    BackendNotOpenError,
    InvalidTypeError,
    InvalidValueError,
    VersionConflictError,
    hint,
)
from symphony_registry.integrations.langgraph.index import VectorIndex
from symphony_registry.integrations.langgraph.items import ROOT, expiry, now, record_of

_MINUTES = {"default_ttl", "sweep_interval_minutes"}
_LOG = logging.getLogger(__name__)


def checked_config(config: TTLConfig | None) -> TTLConfig | None:
    """Return langgraph's configuration of times to live, if it is one."""
    for key, value in (config or {}).items():
        if key not in TTLConfig.__annotations__:
            raise InvalidValueError(f"ttl has no {key!r}. {hint(key, TTLConfig.__annotations__)}")
        if key in _MINUTES:
            ensure_minutes(f"ttl[{key!r}]", value)
    return config


def ensure_minutes(name: str, value: object) -> None:
    """Raise an error that names what is no time."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTypeError(f"{name} is a number of minutes, or None, not a {type(value).__name__}.")
    if not 0 < value < math.inf:
        raise InvalidValueError(f"{name} is a number of minutes above 0, not {value}; None is for ever.")


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

    async def stop(self, timeout: float | None = None) -> bool:
        """Sweep no more; say whether a sweep that is under way ended within so many seconds."""
        sweeper = self._sweeper
        if sweeper is None or sweeper.get_loop() is not asyncio.get_running_loop():  # which has ended
            return True
        sweeper.cancel()
        return bool((await asyncio.wait([sweeper], timeout=timeout))[0])

    async def _sweep_always(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.sweep()
            except BackendNotOpenError:
                return
            except Exception:
                _LOG.exception("Expired items of %s were not deleted. They will be at the next sweep.", self._items)
