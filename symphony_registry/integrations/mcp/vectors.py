"""The tools for vector stores."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Annotated, Any, TypeAlias

from mcp.types import ToolAnnotations
from pydantic import Field

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import Vector, VectorStoreBackend
from symphony_registry.errors import NotFoundError, RegistryError
from symphony_registry.integrations.calling import on_thread
from symphony_registry.integrations.mcp.answers import Answer, Counted, Deleted, Limits, Written
from symphony_registry.integrations.mcp.stores import StoreTools
from symphony_registry.integrations.mcp.tools import (
    READ,
    WRITE,
    After,
    Filter,
    Id,
    Limit,
    Method,
    Prefix,
    Skip,
    Store,
    check_chosen,
    log_unexpected,
)

Embed: TypeAlias = Callable[[str], "Vector | Awaitable[Vector]"]
"""Gives the vector of a text; one that is not async runs on a thread."""

_Ids = Annotated[list[Id], Field(min_length=1, description="The ids of the items.")]
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
        self, text: str, store: Store = "default", metadata_filter: Filter = None, limit: Limit = 10, skip: Skip = 0
    ) -> Answer:
        """Find the items of a vector store that are nearest to a text in meaning, the most similar first."""
        return await self._search(await self._opened(store), await self._embedded(text), metadata_filter, limit, skip)

    async def search_by_id(
        self, id: Id, store: Store = "default", metadata_filter: Filter = None, limit: Limit = 10, skip: Skip = 0
    ) -> Answer:
        """Find the items of a vector store that are most similar to one that is stored, which comes first itself."""
        opened = await self._opened(store)
        item = await opened.get(id)
        if item is None:
            raise NotFoundError(f"{opened} has nothing under the id {id!r}. find_vectors lists what there is.")
        return await self._search(opened, item["vector"], metadata_filter, limit, skip)

    async def search_by_vector(
        self,
        vector: _Numbers,
        store: Store = "default",
        metadata_filter: Filter = None,
        limit: Limit = 10,
        skip: Skip = 0,
    ) -> Answer:
        """Find the items of a vector store that are most similar to a vector, the most similar first."""
        return await self._search(await self._opened(store), vector, metadata_filter, limit, skip)

    async def _search(self, opened: VectorStoreBackend, vector: Vector, where: Filter, limit: int, skip: int) -> Answer:
        found = await opened.search(vector, skip + self._limits.to_read(limit), where, include_vectors=False)
        return self._limits.answer(found[skip:], limit, lambda shown: {"skip": skip + len(shown)})

    async def find_vectors(
        self,
        store: Store = "default",
        prefix: Prefix = "",
        after: After = "",
        metadata_filter: Filter = None,
        limit: Limit = 20,
    ) -> Answer:
        """List items of a vector store by id, with their metadata."""
        opened = await self._opened(store)
        found = await opened.find(
            prefix=prefix,
            after=after or None,
            metadata_filter=metadata_filter,
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
        return await self._limits.under(ids, partial(opened.get_many, include_vectors=include_vectors))

    async def count_vectors(
        self, store: Store = "default", prefix: Prefix = "", metadata_filter: Filter = None
    ) -> Counted:
        """Count the items of a vector store, all or those that match."""
        return Counted(count=await (await self._opened(store)).count(metadata_filter, prefix=prefix))

    async def add_text(self, id: Id, text: str, store: Store = "default", metadata: _Metadata = None) -> Written:
        """Store a text under an id, to be found by search_by_text; its metadata have it as `text`.

        What was stored under the id is replaced.
        """
        opened = await self._opened(store)
        await opened.add(id, await self._embedded(text), {**(metadata or {}), "text": text})
        return Written(written=1)

    async def add_vector(
        self, id: Id, vector: _Numbers, store: Store = "default", metadata: _Metadata = None
    ) -> Written:
        """Store a vector and its metadata under an id; what was stored under the id is replaced."""
        await (await self._opened(store)).add(id, vector, metadata)
        return Written(written=1)

    async def update_vector_metadata(self, id: Id, metadata: dict[str, Any], store: Store = "default") -> Written:
        """Change these keys of the metadata of a stored vector, and keep the others; `written` is 0 without one."""
        return Written(written=int(await (await self._opened(store)).update(id, metadata)))

    async def delete_vectors(
        self,
        store: Store = "default",
        ids: Annotated[
            list[Id] | None, Field(description="Either these, or what prefix and metadata_filter select.")
        ] = None,
        prefix: Prefix = "",
        metadata_filter: Filter = None,
    ) -> Deleted:
        """Delete items of a vector store, for ever: these ids, or all that prefix and metadata_filter select."""
        check_chosen(ids, prefix=prefix, metadata_filter=metadata_filter)
        opened = await self._opened(store)
        return Deleted(deleted=await opened.delete_many(ids, prefix=prefix, metadata_filter=metadata_filter))

    async def _opened(self, store: str) -> VectorStoreBackend:
        return await self._stores.opened(BackendType.VECTOR_STORE, store)

    async def _embedded(self, text: str) -> Vector:
        assert self._embed is not None
        try:
            vector = await on_thread(self._embed, text)
            return await vector if inspect.isawaitable(vector) else vector
        except Exception as error:
            log_unexpected("The text could not be embedded", error)
            raise RegistryError(
                "The text could not be embedded: the server's log has why. find_vectors, and search_by_id for what is "
                "like an item, work without that."
            ) from error
