"""What is copied from: a store, or something else with the same items."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.errors import public_errors
from symphony_registry.transfer.collection import Collection, ItemCheck, StoredItem
from symphony_registry.transfer.kinds import COLLECTIONS
from symphony_registry.transfer.scanning import left_early


class Contents(Protocol):
    """Items in the collections of a backend type."""

    @property
    def backend_type(self) -> BackendType:
        """The type whose collections there are."""
        ...

    def read(self, collection: Collection[Any]) -> AsyncIterator[StoredItem]:
        """Yield the items of a collection in their order; can be called again."""
        ...

    async def count(self, collection: Collection[Any]) -> int:
        """Return how many items a collection has."""
        ...


class StoreContents:
    """The items of an open store, which can be written too.

    Every error is one of ours, whose message may be shown; what a provider raised is its cause.
    """

    def __init__(self, store: StorageBackend) -> None:
        self.store: Any = store
        self.backend_type = store.backend_type

    async def read(self, collection: Collection[Any]) -> AsyncIterator[StoredItem]:
        """Yield the items of a collection in their order."""
        with self._own_errors():
            async with left_early(collection.read(self.store)) as items:
                async for item in items:
                    yield item

    async def count(self, collection: Collection[Any]) -> int:
        """Return how many items a collection has."""
        with self._own_errors():
            return await collection.count(self.store)

    async def write(self, collection: Collection[Any], items: list[StoredItem]) -> None:
        """Write items over those with the same keys, all or none."""
        with self._own_errors():
            await collection.write(self.store, items)

    async def clear(self) -> None:
        """Delete everything."""
        with self._own_errors():
            await self.store.clear()

    async def limits(self, collection: Collection[Any], *, emptied: bool) -> ItemCheck | None:
        """Return what raises for an item that the store, emptied before or not, cannot take."""
        with self._own_errors():
            return await collection.limits(self.store, emptied=emptied)

    def _own_errors(self) -> AbstractContextManager[None]:
        return public_errors(f"{self} failed")

    @property
    def precision(self) -> str | None:
        """What the store rounds numbers to, `None` where it keeps all of their bits."""
        promised: Guarantees = self.store.guarantees
        return None if promised.precision == "float32" else promised.precision

    def __str__(self) -> str:
        return str(self.store)


class Rounded:
    """The items of a source as a store of less precision keeps them."""

    def __init__(self, source: Contents, precision: str) -> None:
        self.backend_type = source.backend_type
        self.count = source.count
        self._source = source
        self._precision = precision

    async def read(self, collection: Collection[Any]) -> AsyncIterator[StoredItem]:
        """Yield the items of a collection in their order."""
        async with left_early(self._source.read(collection)) as items:
            async for item in items:
                yield collection.rounded(item, self._precision)


def as_kept(source: Contents, target: StoreContents) -> Contents:
    """Return what a target will hold of a source: the source, or the source rounded where the target rounds."""
    return source if target.precision is None else Rounded(source, target.precision)


async def count_all(contents: Contents) -> int:
    """Return how many items there are in all collections."""
    return sum([await contents.count(collection) for collection in COLLECTIONS[contents.backend_type]])
