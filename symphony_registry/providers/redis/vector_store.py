"""Vectors in Redis, by its query engine: exact search, or approximate by an HNSW index."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import orjson
from typing_extensions import override

from symphony_registry.backends.concurrency import Turns, here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES, SMALL, VECTOR_BYTES
from symphony_registry.backends.filters import ANYTHING, Condition, comparisons
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Float32s, FoundVector, SearchResult, VectorItem
from symphony_registry.backends.vector_store.block import Block, uncopied_documents
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.backends.vector_store.ranking import Candidate, Ranking
from symphony_registry.backends.vector_store.scoring import Query, lengths_of, outliers
from symphony_registry.errors import DimensionError, InvalidValueError
from symphony_registry.providers.redis.connections import Argument
from symphony_registry.providers.redis.keyspace import GUARANTEES, bounds, check_size, promised, sieved
from symphony_registry.providers.redis.terms import term_query, terms
from symphony_registry.providers.redis.vector_options import LARGEST, RedisVectorOptions
from symphony_registry.providers.redis.vectors import Found, VectorKeyspace

_PART = PartLimit(1_000)
_BATCH = 1_000  # items that are read at once where all are
_SPARE = 1  # more than the limit are fetched, since the server orders by float32 sums
_SIEVED = 16  # times as many, where the server cannot say the whole filter
_MORE = 4  # times as many are fetched where they were too few
_MOST_FOUND = 1_000_000  # that the query engine returns

# Id, metadata as JSON text, and where it was read a vector, in the one place or the other.
_Row: TypeAlias = tuple[Any, ...]
_RowT = TypeVar("_RowT", bound=tuple[Any, ...])


class RedisVectorStore(VectorStoreEngine):
    """A vector store in Redis."""

    Options: ClassVar[type[BackendOptions]] = RedisVectorOptions
    guarantees = GUARANTEES
    _options: RedisVectorOptions
    _part = _PART
    _check_documents = staticmethod(uncopied_documents)

    @override
    def _configure(self) -> None:
        super()._configure()
        is_exact = self._options.index == "none"
        self.guarantees = replace(promised(self._options), exact_search=is_exact, free_dimension=is_exact)
        self._data = self._hold(VectorKeyspace(self, self._options))

    @override
    def _check_rows(self, rows: Float32s, what: str = "vector") -> None:
        if rows.shape[1] > LARGEST:
            raise InvalidValueError(f"Redis takes at most {LARGEST:,} dimensions, not {rows.shape[1]:,}.")

    @override
    async def _put(self, parts: Parts[Block]) -> None:
        refused = await self._data.change_parts("add_many", "put", parts.map(_values))
        if refused:
            expected, given = map(int, refused)
            raise DimensionError(expected, given)

    @override
    async def _get(self, ids: list[str], *, include_vectors: bool) -> list[FoundVector | None]:
        rows = await self._data.ask("get", int(include_vectors), *ids)
        return await here_or_in_thread(
            lambda: [_item(id, *row) if row[0] else None for id, row in zip(ids, rows, strict=True)], _cost(rows)
        )

    @override
    def _batches(self, size: int, selection: Selection) -> AsyncGenerator[list[VectorItem], None]:
        return super()._batches(min(size, _BATCH), selection)

    @override
    async def _find(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[FoundVector]:
        if selection.condition is ANYTHING:
            return await _items(await self._read(selection, page, include_vectors=include_vectors))
        found = await self._matching(selection, page)
        if not include_vectors or not found:
            return await _items(found)
        rows = await self._data.ask("get", 1, *(id for id, _ in found))
        if all(row[0] == metadata for row, (_, metadata) in zip(rows, found, strict=True)):
            return await _items([(id, *row) for row, (id, _) in zip(rows, found, strict=True)])
        return await _items(await self._matching(selection, page, include_vectors=True))  # some changed meanwhile

    async def _read(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[_Row]:
        """Return what a selection's range holds."""
        order = (page.limit or 0, int(page.reverse), int(include_vectors))
        ids, rows = await self._data.ask("find", *bounds(selection.ids), *order)
        return await here_or_in_thread(
            lambda: [(id.decode(), *row) for id, row in zip(ids, rows, strict=True)], len(ids) * SMALL
        )

    async def _matching(self, selection: Selection, page: Page, *, include_vectors: bool = False) -> list[_Row]:
        """Return those that fulfil the condition: what was read at once."""
        return await sieved(
            lambda limit: self._read(selection, page._replace(limit=limit), include_vectors=include_vectors),
            lambda read: _those_matching(read, selection.condition),
            page.limit,
        )

    @override
    async def _update(self, id: str, changes: JSONObject) -> bool:
        while True:
            ((seen,),) = await self._data.ask("get", 0, id)
            if seen is None:
                return False
            described = await here_or_in_thread(
                partial(_described, orjson.loads(seen) | changes), ITEM + len(seen) / JSON_BYTES
            )
            if await self._data.change("update", "update", id, seen, *described):
                return True

    @override
    async def _delete(self, chosen: list[str] | Selection) -> int:
        if isinstance(chosen, list):
            return await self._data.delete("delete_many", "delete_many", list(zip(chosen)))
        if chosen.is_range:
            return int(await self._data.change("delete_many", "delete_range", *bounds(chosen.ids)))

        async def read() -> list[tuple[Argument, Argument]]:
            return [(id, metadata) for id, metadata in await self._matching(chosen, Page())]

        return await self._data.delete_seen("delete_many", read)

    @override
    async def _clear(self) -> None:
        await self._data.change("clear", "clear", self._options.dimension or "")

    @override
    async def _count(self, selection: Selection) -> int:
        if selection.is_range:
            return int(await self._data.ask("count", *bounds(selection.ids)))
        return len(await self._matching(selection, Page()))

    @override
    async def _dimension(self) -> int | None:
        dimension = await self._data.ask("dimension")
        return dimension and int(dimension)

    @override
    async def _search(
        self,
        queries: list[Float32s],
        limit: int,
        condition: Condition,
        *,
        min_similarity: float,
        include_vectors: bool,
    ) -> list[list[SearchResult]]:
        turns = Turns()
        found: list[list[SearchResult]] = []
        for vector in queries:
            await turns.give()
            ranking = await self._ranked(Query(vector, self._options.metric), limit, condition)
            if ranking is None:
                await self._check_dimension(vector.size)
                found += await super()._search(
                    [vector], limit, condition, min_similarity=min_similarity, include_vectors=include_vectors
                )
                continue
            results = partial(ranking.results, limit, min_similarity, include_vectors=include_vectors)
            found.append(await here_or_in_thread(results, limit * (ITEM + vector.nbytes / VECTOR_BYTES)))
        return found

    async def _check_dimension(self, size: int) -> None:
        dimension = await self._dimension()
        if dimension not in (None, size):
            raise DimensionError(dimension, size, "query vector")

    async def _ranked(self, query: Query, limit: int, condition: Condition) -> Ranking | None:
        """Return what is found, or `None` where that is more than the server returns."""
        wanted = max(self._options.ef_search, limit)
        if self._options.index == "hnsw" and condition is ANYTHING and wanted <= _MOST_FOUND:
            found, _ = await self._data.nearest(query, wanted, None, self._options.ef_search)
            if len(found) >= limit:  # else that may not be all
                return await _ranking(query, found)
        return await self._exactly(query, limit, condition)

    async def _exactly(self, query: Query, limit: int, condition: Condition) -> Ranking | None:
        # an hnsw index is exact where there is a filter, since what fulfils it is compared one by one
        is_filtered = condition is not ANYTHING or self._options.index == "hnsw"
        terms = await here_or_in_thread(lambda: term_query(condition), comparisons(condition) * ITEM)
        wanted = (limit + _SPARE) * (1 if terms.is_exact else _SIEVED)
        while wanted <= _MOST_FOUND:
            found, count = await self._data.nearest(query, wanted, terms if is_filtered else None)
            if not terms.is_exact:
                found = await _those_matching(found, condition)
            if count < wanted:  # all there are
                return await _ranking(query, found)
            if len(found) >= limit:
                ranking = await _ranking(query, found)
                if ranking.is_final(limit, len(found)):
                    return ranking
            wanted *= _MORE
        return None


async def _those_matching(rows: list[_RowT], condition: Condition) -> list[_RowT]:
    """Return the rows whose metadata, which are second, fulfil a condition."""
    cost = sum(len(row[1]) / JSON_BYTES for row in rows) + len(rows) * SMALL * comparisons(condition)
    return await here_or_in_thread(lambda: [row for row in rows if condition.matches(orjson.loads(row[1]))], cost)


def _item(id: str, metadata: bytes, *vectors: bytes | None) -> FoundVector:
    """Return what an id, metadata and perhaps a vector mean."""
    if not vectors:
        return {"id": id, "metadata": orjson.loads(metadata)}
    vector = np.frombuffer(vectors[0] or vectors[1] or b"", "<f4").tolist()
    return {"id": id, "vector": vector, "metadata": orjson.loads(metadata)}


async def _items(rows: list[_Row]) -> list[FoundVector]:
    return await here_or_in_thread(lambda: [_item(*row) for row in rows], _cost(rows))


def _cost(rows: list[_Row]) -> float:
    """Return what making items of rows costs."""
    size = sum(len(part or b"") for part in rows[0][1:]) if rows else 0
    return len(rows) * (ITEM + size / VECTOR_BYTES)


async def _ranking(query: Query, found: list[Found]) -> Ranking:
    def ranking() -> Ranking:
        rows = np.frombuffer(b"".join(each.vector for each in found), "<f4").astype(np.float32)
        candidates = [Candidate(each.id, each.metadata, each.distance) for each in found]
        return Ranking(query, candidates, rows.reshape(len(found), query.vector.size))

    return await here_or_in_thread(ranking, len(found) * (ITEM + query.vector.nbytes / VECTOR_BYTES))


def _described(metadata: JSONObject) -> tuple[bytes, str]:
    """Return metadata as text, and their terms."""
    return check_size(orjson.dumps(metadata), "The metadata"), ",".join(terms(metadata))


def _values(block: Block) -> list[Argument]:
    """Return what is sent of some items."""
    ids, vectors, documents = block
    lengths = lengths_of(vectors)
    values: list[Argument] = []
    for id, vector, length, outlier, metadata in zip(
        ids, vectors.astype("<f4"), lengths.tolist(), outliers(lengths).tolist(), documents, strict=True
    ):
        values += [id, "r" if outlier else "v", vector.tobytes(), length, *_described(metadata)]
    return values
