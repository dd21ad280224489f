"""The tools for vector stores."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, TypeAlias

from mcp.types import ToolAnnotations
from pydantic import Field

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import Vector, VectorStoreBackend
from symphony_registry.errors import NotFoundError
from symphony_registry.integrations.calling import on_thread
from symphony_registry.integrations.mcp.answers import Answer, Counted, Deleted, Limits, Written
from symphony_registry.integrations.mcp.stores import StoreTools
from symphony_registry.integrations.mcp.tools import READ, WRITE, After, Filter, Limit, Method, Prefix, Skip, Store

Embed: TypeAlias = Callable[[str], "Vector | Awaitable[Vector]"]
"""Gives the vector of a text; one that is not async runs on a thread."""

_Ids = Annotated[list[str], Field(min_length=1, description="The ids of the items.")]
_Numbers = Annotated[list[float], Field(description="As many numbers as the store has dimensions.")]
_Metadata = Annotated[dict[str, Any] | None, Field(description="A JSON object.")]


class VectorTools:
    """What a model does with vector stores."""

    def __init__(self, stores: StoreTools, limits: Limits, embed: Embed | None) -> None:
        self._stores = stores
        self._limits = limits
        self._embed = embed

    def tools(self) -> Iterator[tuple[Method, ToolAnnotations]]:
        """Yield the tools; those that take texts only with a function that embeds."""
        if self._embed is not None:
            yield self.search_by_text, READ
        yield self.search_by_id, READ
        yield self.search_by_vector, READ
        yield self.find_vectors, READ
        yield self.get_vectors, READ
        yield self.count_vectors, READ
        if self._embed is not None:
            yield self.add_text, WRITE
        yield self.add_vector, WRITE
        yield self.update_vector_metadata, WRITE
        yield self.delete_vectors, WRITE

    async def search_by_text(
        self, text: str, store: Store = "default", filter: Filter = None, limit: Limit = 10, skip: Skip = 0
    ) -> Answer:
        """Find the items of a vector store that are nearest to a text in meaning, the most similar first."""
        return await self._search(await self._opened(store), await self._embedded(text), filter, limit, skip)

    async def search_by_id(
        self, id: str, store: Store = "default", filter: Filter = None, limit: Limit = 10, skip: Skip = 0
    ) -> Answer:
        """Find the items of a vector store that are most similar to one that is stored, which comes first itself."""
        opened = await self._opened(store)
        item = await opened.get(id)
        if item is None:
            raise NotFoundError(f"{opened} has nothing under the id {id!r}. find_vectors lists what there is.")
        return await self._search(opened, item["vector"], filter, limit, skip)

    async def search_by_vector(
        self, vector: _Numbers, store: Store = "default", filter: Filter = None, limit: Limit = 10, skip: Skip = 0
    ) -> Answer:
        """Find the items of a vector store that are most similar to a vector, the most similar first."""
        return await self._search(await self._opened(store), vector, filter, limit, skip)

    async def _search(self, opened: VectorStoreBackend, vector: Vector, where: Filter, limit: int, skip: int) -> Answer:
        found = await opened.search(vector, skip + self._limits.to_read(limit), where, include_vectors=False)
        return self._limits.answer(found[skip:], limit, lambda shown: {"skip": skip + len(shown)})

    async def find_vectors(
        self,
        store: Store = "default",
        prefix: Prefix = "",
        after: After = "",
        filter: Filter = None,
        limit: Limit = 20,
    ) -> Answer:
        """List items of a vector store by id, with their metadata."""
        opened = await self._opened(store)
        found = await opened.find(
            prefix=prefix,
            after=after or None,
            metadata_filter=filter,
            limit=self._limits.to_read(limit),
            include_vectors=False,
        )
        return self._limits.answer(found, limit, lambda shown: {"after": shown[-1]["id"]})

    async def get_vectors(
        self,
        ids: _Ids,
        store: Store = "default",
        include_vectors: Annotated[bool, Field(description="Whether to give the numbers too, which are many.")] = False,
    ) -> Answer:
        """Get the items of a vector store that have these ids, with their metadata."""
        opened = await self._opened(store)

        async def read(ids: list[str]) -> list[dict[str, Any] | None]:
            found = await opened.get_many(ids)
            kept = ("id", "vector", "metadata") if include_vectors else ("id", "metadata")
            return [item and {key: value for key, value in item.items() if key in kept} for item in found]

        return await self._limits.under(ids, read)

    async def count_vectors(self, store: Store = "default", prefix: Prefix = "", filter: Filter = None) -> Counted:
        """Count the items of a vector store, all or those that match."""
        return Counted(count=await (await self._opened(store)).count(filter, prefix=prefix))

    async def add_text(self, id: str, text: str, store: Store = "default", metadata: _Metadata = None) -> Written:
        """Store a text under an id, to be found by search_by_text; its metadata have it as `text`.

        What was stored under the id is replaced.
        """
        opened = await self._opened(store)
        await opened.add(id, await self._embedded(text), {**(metadata or {}), "text": text})
        return Written(written=1)

    async def add_vector(
        self, id: str, vector: _Numbers, store: Store = "default", metadata: _Metadata = None
    ) -> Written:
        """Store a vector and its metadata under an id; what was stored under the id is replaced."""
        await (await self._opened(store)).add(id, vector, metadata)
        return Written(written=1)

    async def update_vector_metadata(self, id: str, metadata: dict[str, Any], store: Store = "default") -> Written:
        """Change these keys of the metadata of a stored vector, and keep the others; `written` is 0 without one."""
        return Written(written=int(await (await self._opened(store)).update(id, metadata)))

    async def delete_vectors(
        self,
        store: Store = "default",
        ids: Annotated[list[str] | None, Field(description="Either these, or what prefix and filter select.")] = None,
        prefix: Prefix = "",
        filter: Filter = None,
    ) -> Deleted:
        """Delete items of a vector store, for ever: those with these ids, or all that prefix and filter select."""
        opened = await self._opened(store)
        return Deleted(deleted=await opened.delete_many(ids, prefix=prefix, metadata_filter=filter))

    async def _opened(self, store: str) -> VectorStoreBackend:
        return await self._stores.opened(BackendType.VECTOR_STORE, store)

    async def _embedded(self, text: str) -> Vector:
        assert self._embed is not None
        vector = await on_thread(self._embed, text)
        return await vector if inspect.isawaitable(vector) else vector
