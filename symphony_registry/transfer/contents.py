"""What is copied from: a store, or something else with the same records."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.transfer.sections import SECTIONS, Record, Section


class Contents(Protocol):
    """Records in the sections of a backend type."""

    @property
    def backend_type(self) -> BackendType:
        """The type whose sections there are."""
        ...

    def read(self, section: Section[Any]) -> AsyncIterator[Record]:
        """Yield the records of a section in their order; can be called again."""
        ...

    async def count(self, section: Section[Any]) -> int:
        """Return how many records a section has."""
        ...


class StoreContents:
    """The records of an open store, which can be written too."""

    def __init__(self, store: StorageBackend) -> None:
        self.store: Any = store
        self.backend_type = store.backend_type

    def read(self, section: Section[Any]) -> AsyncIterator[Record]:
        """Yield the records of a section in their order."""
        return section.read(self.store)

    async def count(self, section: Section[Any]) -> int:
        """Return how many records a section has."""
        return await section.count(self.store)

    async def write(self, section: Section[Any], records: list[Record]) -> None:
        """Write records over those with the same keys, all or none."""
        await section.write(self.store, records)

    async def clear(self) -> None:
        """Delete everything."""
        await self.store.clear()

    def __str__(self) -> str:
        return str(self.store)


async def count_all(contents: Contents) -> int:
    """Return how many records there are in all sections."""
    return sum([await contents.count(section) for section in SECTIONS[contents.backend_type]])
