"""An engine that leaves searching to the spine finds what the others find."""

import random
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from symphony_registry.backends.selection import Selection
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.backends.vector_store.base import VectorItem, VectorStoreBackend
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.errors import DimensionError

QUERIES = [[1.0, 2.0, 3.0], [-1.0, 0.0, 0.5]]


class Unable(InMemoryVectorStore):
    """Cannot compare vectors, nor count those that match, and gives no more than seven at a time."""

    _search = VectorStoreEngine._search
    _count = VectorStoreEngine._count

    async def _batches(self, size: int, selection: Selection) -> AsyncGenerator[list[VectorItem], None]:
        async for items in super()._batches(min(size, 7), selection):
            yield []
            yield items


async def fill(*stores: VectorStoreBackend) -> None:
    chance = random.Random(3)
    directions = [[chance.gauss(0, 1) for _ in range(3)] for _ in range(8)]
    items: list[Any] = [(f"{chance.random()}", directions[n % 8], {"n": n, "odd": n % 2 == 1}) for n in range(50)]
    for store in stores:
        await store.add_many(items)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("limit", [1, 5, 50, 1000])
async def test_the_results_are_those_of_other_engines(metric: str, limit: int) -> None:
    async with Unable({"metric": metric}) as store, InMemoryVectorStore({"metric": metric}) as other:
        await fill(store, other)
        for condition in (None, {"odd": True}, {"n": {"$lt": 20}}, {"n": -1}):
            for include_vectors in (True, False):
                found, expected = [
                    await each.search_many(
                        [[1.0, 2.0, 3.0], [-1.0, 0.0, 0.5]], limit, condition, include_vectors=include_vectors
                    )
                    for each in (store, other)
                ]
                assert found == expected
            assert await store.count(condition) == await other.count(condition)


async def test_a_query_of_another_dimension_raises_and_an_empty_store_gives_nothing() -> None:
    async with Unable() as store:
        assert await store.search_many([[1.0], [1.0, 2.0]]) == [[], []]
        assert await store.count() == 0
        await fill(store)
        with pytest.raises(DimensionError, match="The query vector has dimension 2"):
            await store.search_many([[1.0, 2.0, 3.0], [1.0, 2.0]])


async def test_the_results_of_two_queries_have_nothing_in_common() -> None:
    async with Unable() as store:
        await store.add("a", [1.0, 2.0], {"tags": ["x"]})
        first, second = await store.search_many([[1.0, 2.0], [1.0, 2.0]])
        first[0]["metadata"]["tags"].clear()
        first[0]["vector"].clear()
        assert second == await store.search([1.0, 2.0])
