"""The checked spine of vector stores: what every engine does the same before and after its own work."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, cast

import numpy as np
from typing_extensions import override

from symphony_registry.backends.concurrency import Turns, discard, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.engine import Engine, pages
from symphony_registry.backends.filters import Condition, parse_filter
from symphony_registry.backends.naming import naming
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import (
    EVERYTHING,
    Page,
    Selection,
    check_page,
    check_selection,
    checked_deletion,
    checked_ids,
)
from symphony_registry.backends.values import (
    MAX_LIMIT,
    JSONObject,
    check_bool,
    check_dict,
    check_id,
    check_items,
    check_limit,
    checked_object,
    collected,
)
from symphony_registry.backends.vector_store import exhaustive
from symphony_registry.backends.vector_store.base import (
    ITEM_PARTS,
    Float32s,
    FoundVector,
    Item,
    SearchResult,
    Vector,
    VectorItem,
    VectorOptions,
    VectorStoreBackend,
)
from symphony_registry.backends.vector_store.block import Block, checked_documents, checked_rows
from symphony_registry.backends.vector_store.checks import check_similarity, check_vector
from symphony_registry.backends.vector_store.scoring import Query
from symphony_registry.errors import InvalidTypeError, InvalidValueError

_NUMBER_BYTES = 4


class VectorStoreEngine(Engine, VectorStoreBackend):
    """A vector store that checks what it is asked, and leaves the rest to hooks.

    A `Block` is ids, a float32 matrix with a row for each, and their metadata.
    """

    Options: ClassVar[type[BackendOptions]] = VectorOptions

    _part: ClassVar[PartLimit | None] = None
    """How much `_put` takes at once; then no id comes twice, and parts are in the order of ids."""

    _check_documents = staticmethod(checked_documents)
    """Checks metadata, and copies them; an engine that sends them away at once need not copy."""

    @abstractmethod
    async def _put(self, parts: Parts[Block]) -> None:
        """Store blocks over what their ids had, all or none; a later row wins.

        Raises `DimensionError` for another dimension than the store has.
        """

    @abstractmethod
    async def _get(self, ids: list[str], *, include_vectors: bool) -> list[FoundVector | None]:
        """Return what is stored under each id."""

    @abstractmethod
    async def _find(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[FoundVector]:
        """Return the selected items by id; what is outside the selection's range of ids costs nothing."""

    @abstractmethod
    async def _update(self, id: str, changes: JSONObject) -> bool:
        """Merge metadata into those of the id; say whether it is there."""

    @abstractmethod
    async def _delete(self, chosen: list[str] | Selection) -> int:
        """Delete distinct ids or the selection, all or none, and return how many were there."""

    @abstractmethod
    async def _clear(self) -> None:
        """Delete everything, and free the dimension unless the option fixes it."""

    @abstractmethod
    async def _dimension(self) -> int | None:
        """Return the dimension that is fixed, or `None`."""

    # What an engine may leave to the spine.

    def _batches(self, size: int, selection: Selection) -> AsyncGenerator[list[VectorItem], None]:
        """Yield the selected items by id, at most `size` at a time."""

        async def read(after: str | None, size: int) -> list[VectorItem]:
            following = selection._replace(ids=selection.ids._replace(after=after))
            return cast("list[VectorItem]", await self._find(following, Page(size), include_vectors=True))

        return pages(read, selection.ids.after, itemgetter("id"), size)

    async def _search(
        self,
        queries: list[Float32s],
        limit: int,
        condition: Condition,
        *,
        min_similarity: float,
        include_vectors: bool,
    ) -> list[list[SearchResult]]:
        """Return the results for each query that are similar enough, the best first, equals by id."""
        prepared = [Query(vector, self._options.metric) for vector in queries]
        everything = self._batches(MAX_LIMIT, EVERYTHING)  # in the largest batches that the engine gives
        return await exhaustive.search(
            everything, prepared, limit, condition, min_similarity=min_similarity, include_vectors=include_vectors
        )

    async def _count(self, selection: Selection) -> int:
        """Return how many vectors are selected."""
        return len(await self._find(selection, Page(), include_vectors=False))

    def _check_rows(self, rows: Float32s, what: str = "vector") -> None:
        """Raise `InvalidValueError` for vectors that the engine cannot hold although the contract allows them."""

    @property
    def _known_dimension(self) -> int | None:
        """The dimension, where it is known without asking."""
        dimension: int | None = self._options.dimension
        return dimension

    @override
    async def add(self, id: str, vector: Vector, metadata: JSONObject | None = None) -> None:
        rows = check_vector(vector, self._known_dimension, self._options.metric)[np.newaxis]
        self._check_rows(rows)
        await self._put(Parts.of([([check_id(id)], rows, [checked_object(metadata, "metadata")])]))

    def _checked(
        self, dimension: int | None, id: str, vector: Vector, metadata: JSONObject | None
    ) -> tuple[str, Float32s, JSONObject]:
        row = check_vector(vector, dimension, self._options.metric)
        self._check_rows(row[np.newaxis])
        return check_id(id), row, checked_object(metadata, "metadata")

    @override
    async def add_many(self, items: Iterable[Item]) -> None:
        given = collected(items)
        if not given:
            return
        cost = len(given) * ITEM
        try:
            if self._part is None:
                await self._put(Parts([lambda: self._block(given, self._known_dimension)], cost))
            else:
                await self._put(await here_or_in_thread(lambda: self._parts(given, cost), cost))
        except (InvalidValueError, InvalidTypeError):  # whose place, if it has one, counts from the beginning of a part
            await here_or_in_thread(lambda: self._check_alike(given, self._known_dimension), cost)
            raise
        discard(given)

    def _block(self, items: Sequence[Any], dimension: int | None) -> Block:
        """Return checked items."""
        block = checked_rows(items, dimension, self._options.metric, self._check_documents)
        if block is None:
            ids, vectors, documents = map(list, zip(*self._check_alike(items, dimension), strict=True))
            return ids, np.array(vectors), documents
        self._check_rows(block[1])
        return block

    def _check_alike(self, items: Sequence[Any], dimension: int | None) -> list[tuple[str, Float32s, JSONObject]]:
        """Return checked items, which have the dimension of the first."""

        def check(id: str, vector: Vector, metadata: JSONObject | None) -> tuple[str, Float32s, JSONObject]:
            nonlocal dimension
            checked = self._checked(dimension, id, vector, metadata)
            dimension = checked[1].size
            return checked

        return check_items(items, ITEM_PARTS, check)

    def _parts(self, given: list[Any], cost: float) -> Parts[Block]:
        """Return the items in parts by id, the last of equal ids; not checked but for the first."""
        assert self._part is not None
        if set(map(type, given)) - {tuple, list} or {type(item[0]) if item else None for item in given} != {str}:
            given = list(self._check_alike(given, self._known_dimension))
        last = {item[0]: item for item in given}
        if len(last) < len(given):
            self._check_alike(given, self._known_dimension)  # those that are left out, too
        ordered = [last[id] for id in sorted(last)]  # everybody locks in the same order
        ((_, first, _),) = self._check_alike(ordered[:1], self._known_dimension)
        parts = self._part.split(ordered, lambda _: first.size * _NUMBER_BYTES)
        return Parts([partial(self._block, part, first.size) for part in parts], cost)

    @override
    async def get(self, id: str) -> VectorItem | None:
        (found,) = await self._get([check_id(id)], include_vectors=True)
        return cast("VectorItem | None", found)

    @override
    async def get_many(self, ids: Iterable[str], *, include_vectors: bool = True) -> list[FoundVector | None]:
        check_bool(include_vectors, "include_vectors")
        checked = await checked_ids(ids)
        return await self._get(checked, include_vectors=include_vectors) if checked else []

    @override
    async def delete(self, id: str) -> bool:
        return bool(await self.delete_many([id]))

    @override
    async def find(
        self,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
        limit: int | None = None,
        reverse: bool = False,
        include_vectors: bool = True,
    ) -> list[FoundVector]:
        selection = check_selection(prefix, after, before, metadata_filter)
        page = check_page(limit, reverse)
        return await self._find(selection, page, include_vectors=check_bool(include_vectors, "include_vectors"))

    @override
    async def update(self, id: str, metadata: JSONObject) -> bool:
        return await self._update(check_id(id), checked_object(check_dict(metadata, "metadata"), "metadata"))

    @override
    async def delete_many(
        self,
        ids: Iterable[str] | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> int:
        chosen = await checked_deletion(ids, prefix, after, before, metadata_filter)
        if isinstance(chosen, list):
            chosen = list(dict.fromkeys(chosen))
        return await self._delete(chosen) if chosen else 0

    @override
    async def search(
        self,
        query_vector: Vector,
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[SearchResult]:
        (found,) = await self.search_many(
            [query_vector], limit, metadata_filter, min_similarity=min_similarity, include_vectors=include_vectors
        )
        return found

    @override
    async def search_many(
        self,
        query_vectors: Iterable[Vector],
        limit: int = 10,
        metadata_filter: JSONObject | None = None,
        *,
        min_similarity: float | None = None,
        include_vectors: bool = True,
    ) -> list[list[SearchResult]]:
        given = collected(query_vectors)
        limit = check_limit(limit)
        dimension, metric = self._known_dimension, self._options.metric
        queries = await here_or_in_thread(
            lambda: [check_vector(query, dimension, metric, "query vector") for query in given], len(given) * ITEM
        )
        condition = parse_filter(metadata_filter)
        least = check_similarity(min_similarity)
        if not queries:
            return []
        return await self._search(queries, limit, condition, min_similarity=least, include_vectors=include_vectors)

    @override
    async def count(
        self,
        metadata_filter: JSONObject | None = None,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        return await self._count(check_selection(prefix, after, before, metadata_filter))

    @override
    async def clear(self) -> None:
        await self._clear()

    @override
    async def dimension(self) -> int | None:
        return await self._dimension()

    @override
    async def scan(
        self,
        batch_size: int = 1000,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        metadata_filter: JSONObject | None = None,
    ) -> AsyncIterator[VectorItem]:
        self.ensure_open()
        turns = Turns()
        with naming(self):
            size = check_limit(batch_size, "batch_size")
            selection = check_selection(prefix, after, before, metadata_filter)
        async with aclosing(self._batches(size, selection)) as batches:
            async for items in batches:
                for item in items:
                    yield item
                items.clear()  # whose memory the next batch takes
                await turns.give()
                self.ensure_open()
