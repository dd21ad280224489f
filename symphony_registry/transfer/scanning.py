"""Reading a scan that may be left before its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def left_early(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a scan at the end of the block, however far it was read."""
    try:
        yield items
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
