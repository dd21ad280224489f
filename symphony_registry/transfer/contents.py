"""What is copied from: a store, or something else with the same records."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Protocol

import numpy as np

from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import own_errors
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
    """The records of an open store, which can be written too.

    Every error is one of ours: what a provider raises may hold a secret, and stays its cause.
    """

    def __init__(self, store: StorageBackend) -> None:
        self.store: Any = store
        self.backend_type = store.backend_type

    async def read(self, section: Section[Any]) -> AsyncIterator[Record]:
        """Yield the records of a section in their order."""
        with self._own_errors():
            async with left_early(section.read(self.store)) as records:
                async for record in records:
                    yield record

    async def count(self, section: Section[Any]) -> int:
        """Return how many records a section has."""
        with self._own_errors():
            return await section.count(self.store)

    async def write(self, section: Section[Any], records: list[Record]) -> None:
        """Write records over those with the same keys, all or none."""
        with self._own_errors():
            await section.write(self.store, records)

    async def clear(self) -> None:
        """Delete everything."""
        with self._own_errors():
            await self.store.clear()

    def _own_errors(self) -> AbstractContextManager[None]:
        return own_errors(f"{self} failed")

    def __str__(self) -> str:
        return str(self.store)


class Halves:
    """The records of vectors rounded to float16, as the option `storage: halfvec` keeps them."""

    def __init__(self, source: Contents) -> None:
        self.backend_type = source.backend_type
        self.count = source.count
        self._source = source

    async def read(self, section: Section[Any]) -> AsyncIterator[Record]:
        """Yield the records of a section in their order."""
        async with left_early(self._source.read(section)) as records:
            async for record in records:
                with np.errstate(over="ignore"):  # the target refuses what is too large
                    vector = np.array(record["vector"], np.float32).astype(np.float16)
                yield {**record, "vector": vector.tolist()}


def as_kept(source: Contents, target: StoreContents) -> Contents:
    """Return what a target will hold of a source: itself, or rounded where the target keeps half of each number."""
    is_half = isinstance(target.store, VectorStoreBackend) and target.store.guarantees.precision == "float16"
    return Halves(source) if is_half else source


async def count_all(contents: Contents) -> int:
    """Return how many records there are in all sections."""
    return sum([await contents.count(section) for section in SECTIONS[contents.backend_type]])


@asynccontextmanager
async def left_early(records: AsyncIterator[Record]) -> AsyncIterator[AsyncIterator[Record]]:
    """Close a scan at the end of the block, however far it was read."""
    try:
        yield records
    finally:
        close = getattr(records, "aclose", None)
        if close is not None:
            await close()
