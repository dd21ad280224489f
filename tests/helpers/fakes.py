"""Backends that count, fail and wait as a test needs it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.backends.vector_store.base import Float32s
from symphony_registry.backends.vector_store.scoring import Rows
from symphony_registry.providers.embedded.vectors.index import VectorIndex


class FakeStore(InMemoryVectorStore):
    """A store whose opening and closing can be watched and made to fail."""

    log: list[str]

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.log = []
        self.connects = 0
        self.open_errors: list[Exception] = []
        self.close_errors: list[Exception] = []
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.hangs_on_close = False

    async def connect(self) -> None:
        self.connects += 1
        await self.may_open.wait()
        if self.open_errors:
            raise self.open_errors.pop(0)
        await super().connect()
        self.log.append(f"open {self.name}")

    async def disconnect(self) -> None:
        if self.hangs_on_close:
            await asyncio.Event().wait()
        if self.is_open:
            self.log.append(f"close {self.name}")
        await super().disconnect()
        if self.close_errors:
            raise self.close_errors.pop(0)


def search(index: VectorIndex, query: Float32s, limit: int, rows: Rows | None = None) -> list[tuple[float, str]]:
    """Search for one vector."""
    found = index.search_many([query], limit, rows)
    assert found is not None
    return found[0]
