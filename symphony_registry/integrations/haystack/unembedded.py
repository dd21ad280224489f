"""The documents without an embedding, over any provider's checkpoint store."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from haystack.dataclasses import Document

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.checkpoint_store.base import CheckpointInfo, SavedItem
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject, check_id
from symphony_registry.errors import VersionConflictError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.haystack.documents import restored, stored


class Unembedded:
    """The documents without an embedding, as the metadata of checkpoints."""

    def __init__(self, store: Store[CheckpointStoreBackend], prefix: str) -> None:
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._store = self._calls.backend
        self._prefix = prefix

    def check(self, documents: Iterable[Document]) -> None:
        """Refuse an id that has no room after the prefix, which a document without its embedding would need."""
        for document in documents:
            check_id(self._prefix + document.id, "document's id, after the prefix,")

    async def count(self, condition: JSONObject | None) -> int:
        """Return how many match."""
        return await self._calls.awaited(self._store.count, condition, prefix=self._prefix)

    async def find(self, condition: JSONObject | None) -> list[Document]:
        """Return those that match, by id."""
        found = await self._calls.awaited(self._store.find_checkpoints, prefix=self._prefix, metadata_filter=condition)
        return [restored(each["metadata"]) for each in found]

    async def there(self, ids: Iterable[str]) -> set[str]:
        """Return which of the ids are there."""
        found = await self._calls.awaited(self._store.get_checkpoints, self._named(ids))
        return {each["checkpoint_id"].removeprefix(self._prefix) for each in found if each is not None}

    async def save(self, documents: Iterable[Document]) -> None:
        """Store all or none."""
        items: list[SavedItem] = [(self._prefix + document.id, {}, stored(document)) for document in documents]
        await self._calls.awaited(self._store.save_checkpoints, items)

    async def delete(self, ids: Iterable[str]) -> None:
        """Delete what is there of the ids."""
        await self._calls.awaited(self._store.delete_checkpoints, self._named(ids))

    async def delete_selected(self, condition: JSONObject | None) -> int:
        """Delete those that match and return how many."""
        return await self._calls.awaited(self._store.delete_checkpoints, prefix=self._prefix, metadata_filter=condition)

    async def update(self, condition: JSONObject | None, meta: dict[str, Any]) -> int:
        """Merge `meta` into those that match and return how many."""
        return await self._calls.awaited(self._update, condition, meta)

    async def _update(self, condition: JSONObject | None, meta: dict[str, Any]) -> int:
        found = await self._store.find_checkpoints(prefix=self._prefix, metadata_filter=condition)
        return sum([await self._update_one(each, meta) for each in found])

    async def _update_one(self, found: CheckpointInfo | None, meta: dict[str, Any]) -> bool:
        while found is not None:
            id, document = found["checkpoint_id"], restored(found["metadata"])
            changed = stored(replace(document, meta=document.meta | meta))
            try:
                await self._store.save_checkpoint(id, {}, changed, if_version=found["version"])
            except VersionConflictError:  # somebody was faster
                found = await self._store.get_checkpoint(id)
            else:
                return True
        return False

    def _named(self, ids: Iterable[str]) -> list[str]:
        return [self._prefix + id for id in ids]
