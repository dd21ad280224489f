"""Exhaustive search: compares a query with every vector, where a server cannot."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from heapq import nsmallest
from typing import TypeAlias

import numpy as np

from symphony_registry.backends.concurrency import delaying_cancellation, here_or_in_thread, in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.values import copied
from symphony_registry.backends.vector_store.base import SearchResult, VectorItem
from symphony_registry.backends.vector_store.scoring import Query, lengths_of
from symphony_registry.errors import DimensionError

_Scored: TypeAlias = "tuple[float, str, VectorItem]"  # which sorts the best first, equals by id


async def search(
    batches: AsyncGenerator[list[VectorItem], None],
    queries: Sequence[Query],
    limit: int,
    condition: Condition,
    *,
    min_similarity: float,
    include_vectors: bool,
) -> list[list[SearchResult]]:
    """Return the results for each query, found in batches of all items."""
    best: list[list[_Scored]] = [[] for _ in queries]
    merged = partial(_merged, queries=queries, limit=limit, condition=condition, min_similarity=min_similarity)
    async with aclosing(batches):
        async for items in batches:
            if items:
                best = await delaying_cancellation(in_thread(partial(merged, best, items)))
    result = partial(_result, include_vectors=include_vectors)
    cost = sum(map(len, best)) * ITEM
    return await here_or_in_thread(lambda: [[result(*scored) for scored in found] for found in best], cost)


def _merged(
    best: list[list[_Scored]],
    items: list[VectorItem],
    *,
    queries: Sequence[Query],
    limit: int,
    condition: Condition,
    min_similarity: float,
) -> list[list[_Scored]]:
    """Return the best of what was found so far and of some items."""
    dimension = len(items[0]["vector"])
    for query in queries:
        if query.vector.size != dimension:
            raise DimensionError(dimension, query.vector.size, "query vector")
    matching = [item for item in items if condition.matches(item["metadata"])]
    if not matching:
        return best
    rows = np.array([item["vector"] for item in matching], np.float32)
    lengths = lengths_of(rows)
    merged: list[list[_Scored]] = []
    for query, before in zip(queries, best, strict=True):
        similarities = query.similarities(rows, lengths).tolist()
        scored = [
            (-similarity, item["id"], item)
            for similarity, item in zip(similarities, matching, strict=True)
            if similarity >= min_similarity
        ]
        merged.append(nsmallest(limit, [*before, *scored]))
    return merged


def _result(score: float, id: str, item: VectorItem, *, include_vectors: bool) -> SearchResult:
    result: SearchResult = {"id": id, "similarity": -score, "metadata": copied(item["metadata"])}
    if include_vectors:
        result["vector"] = item["vector"].copy()
    return result
