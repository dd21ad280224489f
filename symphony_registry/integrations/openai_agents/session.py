"""A conversation's history over a checkpoint store."""

import asyncio
import hashlib
import json
from typing import Any, cast
from urllib.parse import quote
from weakref import WeakKeyDictionary, WeakValueDictionary

from agents import TResponseInputItem
from agents.memory import SessionABC, SessionSettings
from agents.memory.session_settings import coerce_session_settings, resolve_session_limit

from symphony_registry.backends.checkpoint_store import Checkpoint, CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import InvalidTypeError, InvalidValueError, VersionConflictError
from symphony_registry.integrations.calling import Calls, Store

_LONGEST = 400  # characters of a session's id that are kept readable

# Who adds to a session, whatever objects stand for it.
_turns: WeakKeyDictionary[CheckpointStoreBackend, WeakValueDictionary[str, asyncio.Lock]] = WeakKeyDictionary()


class RegistrySession(SessionABC):
    """The history of one conversation, which any number of processes may have open.

    What one `add_items` adds is one checkpoint, so that it is added whole, and
    never between what another adds. Checkpoints are numbered: who finds the next
    number taken takes the one after.
    """

    session_settings: SessionSettings | None

    def __init__(
        self,
        store: Store[CheckpointStoreBackend],
        session_id: str,
        *,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(session_id, str):
            raise InvalidTypeError(f"A session_id must be a str, not {type(session_id).__name__}.")
        self.session_id = session_id
        self.session_settings = coerce_session_settings(session_settings or {})
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._store = self._calls.backend
        self._prefix = f"openai-agents/session/{_readable(session_id)}/"

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the latest `limit` items, or all, the oldest first; without `limit`, the settings' counts."""
        return await self._calls.awaited(self._get, resolve_session_limit(limit, self.session_settings))

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items at the end, all or none."""
        if not isinstance(items, list):
            raise InvalidTypeError(f"What is added must be a list of items, not {type(items).__name__}.")
        if items:
            await self._calls.awaited(self._add, items)

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the latest item, and return it; `None` where none is."""
        return await self._calls.awaited(self._pop)

    async def clear_session(self) -> None:
        """Delete all items."""
        await self._calls.awaited(self._store.delete_checkpoints, prefix=self._prefix)

    async def _get(self, limit: int | None) -> list[TResponseInputItem]:
        if limit == 0:
            return []
        if limit is None or limit < 0:  # as SQLiteSession takes it
            return _items(await self._find())
        return _items((await self._find(limit, reverse=True))[::-1])[-limit:]

    async def _add(self, items: list[TResponseInputItem]) -> None:
        turn = _turns.setdefault(self._store, WeakValueDictionary()).setdefault(self._prefix, asyncio.Lock())
        async with turn:  # only other processes are raced
            while True:
                latest = await self._store.find_checkpoints(prefix=self._prefix, reverse=True, limit=1)
                number = int(latest[0]["checkpoint_id"].removeprefix(self._prefix)) + 1 if latest else 0
                try:
                    await self._save(f"{self._prefix}{number:016}", items, 0)
                except VersionConflictError:  # somebody was faster
                    continue
                return

    async def _pop(self) -> TResponseInputItem | None:
        while latest := await self._find(1, reverse=True):
            id, version = latest[0]["checkpoint_id"], latest[0]["version"]
            *left, popped = _items(latest)
            try:
                if left:
                    await self._save(id, left, version)
                else:
                    await self._store.delete_checkpoint(id, if_version=version)
            except VersionConflictError:  # somebody was faster
                continue
            return popped
        return None

    async def _find(self, limit: int | None = None, *, reverse: bool = False) -> list[Checkpoint]:
        found = self._store.find_checkpoints(prefix=self._prefix, limit=limit, reverse=reverse, include_data=True)
        return cast("list[Checkpoint]", await found)

    async def _save(self, id: str, items: list[TResponseInputItem], version: int) -> None:
        try:
            await self._store.save_checkpoint(id, {"items": items}, if_version=version)
        except VersionConflictError:  # which is one of those, too
            raise
        except InvalidValueError:  # text that is no Unicode, NaN: kept as the SDK's own sessions keep it
            await self._store.save_checkpoint(id, {"json": json.dumps(items)}, if_version=version)


def _items(checkpoints: list[Checkpoint]) -> list[TResponseInputItem]:
    kept = [checkpoint["data"] for checkpoint in checkpoints]
    return [item for data in kept for item in (json.loads(data["json"]) if "json" in data else data["items"])]


def _readable(session_id: str) -> str:
    quoted = quote(session_id, safe="", errors="surrogatepass")
    return quoted if len(quoted) <= _LONGEST else f"#{hashlib.sha256(quoted.encode()).hexdigest()}"
