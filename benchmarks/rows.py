"""All rows of the benchmark, in the order of the page."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from benchmarks import (
    approximate,
    checkpoints,
    durable,
    graph,
    growth,
    langchain_stores,
    opening,
    postgres,
    postgres_search,
    process,
    redis,
    registry,
    report,
    savers,
    selection,
    threads,
    vectors,
)
from benchmarks.harness import Plan, Result

ROWS: Mapping[str, Callable[[Plan], Coroutine[Any, Any, list[Result]]]] = {
    row.__name__: row
    for row in (
        vectors.search,
        vectors.batch,
        vectors.filter,
        vectors.add,
        approximate.approximate,
        approximate.approximate_large,
        selection.selection,
        process.loop,
        process.busy_writes,
        process.busy_searches,
        process.memory,
        durable.durable,
        durable.group,
        opening.opening,
        graph.walk,
        graph.access,
        graph.size,
        checkpoints.checkpoints,
        checkpoints.payloads,
        checkpoints.small,
        threads.threads,
        threads.threads_growth,
        savers.savers,
        langchain_stores.langchain,
        registry.registry,
        registry.blocking,
        growth.growth,
        postgres.postgres_adding,
        postgres_search.postgres_search,
        postgres_search.postgres_index,
        postgres_search.postgres_filters,
        postgres.postgres_graph,
        postgres.postgres_checkpoints,
        threads.postgres_threads,
        savers.postgres_savers,
        langchain_stores.postgres_langchain,
        redis.redis_search,
        redis.redis_graph,
        redis.redis_checkpoints,
        threads.redis_threads,
        savers.redis_savers,
    )
}


def measure(name: str, plan: Plan) -> report.Section:
    """Measure one row."""
    start = time.perf_counter()
    results = asyncio.run(ROWS[name](plan))
    title, _, words = (inspect.getdoc(ROWS[name]) or name).partition("\n\n")
    seconds = time.perf_counter() - start
    return report.Section(name, title.rstrip("."), " ".join(words.split()), results, seconds)
