"""Langchain's key-value store of bytes over any provider's checkpoint store."""

from collections.abc import AsyncIterator, Iterator, Sequence

from langchain_core.stores import ByteStore
from typing_extensions import override

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.integrations.calling import Calls, Store

_PAGE = 1000


class RegistryByteStore(ByteStore):
    """Keeps bytes under keys, which are ids of checkpoints after a prefix of this store's own."""

    def __init__(self, store: Store[CheckpointStoreBackend], prefix: str = "") -> None:
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._store = self._calls.backend
        self._prefix = prefix

    @override
    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return self._calls.waited("amget", self._get, keys)

    @override
    async def amget(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self._calls.awaited(self._get, keys)

    async def _get(self, keys: Sequence[str]) -> list[bytes | None]:
        found = await self._store.get_checkpoints([self._prefix + key for key in keys])
        return [None if each is None else each.get("payload") for each in found]

    @override
    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Store all pairs or none."""
        self._calls.waited("amset", self._set, key_value_pairs)

    @override
    async def amset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        await self._calls.awaited(self._set, key_value_pairs)

    async def _set(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        await self._store.save_checkpoints([(self._prefix + key, {}, None, value) for key, value in pairs])

    @override
    def mdelete(self, keys: Sequence[str]) -> None:
        self._calls.waited("amdelete", self._delete, keys)

    @override
    async def amdelete(self, keys: Sequence[str]) -> None:
        await self._calls.awaited(self._delete, keys)

    async def _delete(self, keys: Sequence[str]) -> None:
        await self._store.delete_checkpoints([self._prefix + key for key in keys])

    @override
    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in their order, reading a page at a time."""
        page = self._calls.waited("ayield_keys", self._page, prefix or "")
        while page:
            yield from page
            page = self._calls.waited("ayield_keys", self._page, prefix or "", page[-1])

    @override
    async def ayield_keys(  # pyright: ignore[reportIncompatibleMethodOverride] - the base's would be awaited first
        self, *, prefix: str | None = None
    ) -> AsyncIterator[str]:
        page = await self._calls.awaited(self._page, prefix or "")
        while page:
            for key in page:
                yield key
            page = await self._calls.awaited(self._page, prefix or "", page[-1])

    async def _page(self, prefix: str, after: str | None = None) -> list[str]:
        found = await self._store.find_checkpoints(
            prefix=self._prefix + prefix, after=None if after is None else self._prefix + after, limit=_PAGE
        )
        return [each["checkpoint_id"].removeprefix(self._prefix) for each in found]
