"""Searching in PostgreSQL: exactly, and by an index, with the recall beside the latency."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness import OURS, Call, Plan, Result, Unit, race
from benchmarks.postgres import BY_HAND, REACH, Server
from benchmarks.postgres_data import ALL, FILTERS, Filter, Packages, packages
from benchmarks.postgres_peers import ByHand
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore

HALF = f"{OURS}, halfvec"

_RECALL = Unit(lambda share: f"{share:.3f}")
_TOP = 10
_WARM = 20
_EF_SEARCH = (20, 40, 100, 200, 400)
_USUAL_EF = 40


async def postgres_search(plan: Plan) -> list[Result]:
    """Exact search in PostgreSQL.

    The ten most similar with their metadata and vectors, of all and of the share that a filter keeps: an equality,
    another, a range, a tag in a list. By hand: `ORDER BY embedding <=> $1 LIMIT 10`.
    """
    items = packages(plan)
    results = []
    async with Server.started() as server:
        await _fill(server, items)
        stores = await _stores(server, index="none")
        hands = await server.open_by_hand()
        for wanted in (ALL, *FILTERS):
            searches = _searches(stores, hands, items, wanted)
            assert await _recall(searches[OURS], items, wanted) == 1, wanted.share
            figures = await race(plan, searches, warm=_WARM)
            results.append(Result(f"{wanted.share} of {len(items.ids):,}", figures, reaches=REACH))
        lean = await race(plan, _searches(stores, hands, items, ALL, whole=False), warm=_WARM)
        results.append(Result("all, without vectors", lean, reaches=REACH))
    return results


async def postgres_index(plan: Plan) -> list[Result]:
    """Search by an HNSW index in PostgreSQL.

    The index has its usual options (`m` 16, `ef_construction` 64); `ef_search` stands above. Recall is the share of the
    ten most similar that is found.
    """
    items = packages(plan)
    results = []
    async with Server.started() as server:
        await _fill(server, items)
        for ef_search in _EF_SEARCH:
            results += await _by_index(plan, server, items, ef_search, ALL, f"{len(items.ids):,}, {ef_search}")
    return results


async def postgres_filters(plan: Plan) -> list[Result]:
    """Search with a filter, by an HNSW index in PostgreSQL.

    The same index with `ef_search` 40, and the share that a filter keeps. By hand, too, the search goes on where the
    filter leaves too few (`iterative_scan` is `relaxed_order`).
    """
    items = packages(plan)
    results = []
    async with Server.started() as server:
        await _fill(server, items)
        for wanted in FILTERS:
            work = f"{wanted.share} of {len(items.ids):,}"
            results += await _by_index(plan, server, items, _USUAL_EF, wanted, work)
    return results


async def _by_index(
    plan: Plan, server: Server, items: Packages, ef_search: int, wanted: Filter, work: str
) -> list[Result]:
    stores = await _stores(server, index="hnsw", ef_search=ef_search)
    settings = {"hnsw.ef_search": str(ef_search), "hnsw.iterative_scan": "relaxed_order"}
    hands = await server.open_by_hand(**settings)
    await hands[BY_HAND].make_index()
    searches = _searches(stores, hands, items, wanted)
    figures = await race(plan, searches, warm=_WARM)
    recalls = {name: await _recall(search, items, wanted) for name, search in searches.items()}
    return [Result(work, figures, reaches=REACH), Result(f"recall@{_TOP}", recalls, _RECALL)]


async def _fill(server: Server, items: Packages) -> None:
    """Store all packages, without an approximate index."""
    stores = await _stores(server, index="none")
    for store in stores.values():
        await store.add_many(zip(items.ids, items.vectors, items.documents, strict=True))
    hands = await server.open_by_hand()
    await hands[BY_HAND].make_tables()
    await hands[BY_HAND].add_many(items)
    await server.analyze(["vectors", "half_vectors"], ["packages"])


async def _stores(server: Server, **options: Any) -> dict[str, PostgresVectorStore]:
    return {
        OURS: await server.open(PostgresVectorStore, dimension=384, **options),
        HALF: await server.open(PostgresVectorStore, dimension=384, storage="halfvec", table_prefix="half_", **options),
    }


def _searches(
    stores: Mapping[str, PostgresVectorStore],
    hands: Mapping[str, ByHand],
    items: Packages,
    wanted: Filter,
    *,
    whole: bool = True,
) -> dict[str, Call]:
    def ours(store: PostgresVectorStore) -> Call:
        return lambda turn: store.search(items.query(turn), _TOP, wanted.ours, include_vectors=whole)

    def by_hand(hand: ByHand) -> Call:
        return lambda turn: hand.search(items.query(turn), _TOP, wanted, whole=whole)

    return {
        **{name: ours(store) for name, store in stores.items()},
        **{name: by_hand(hand) for name, hand in hands.items()},
    }


async def _recall(search: Call, items: Packages, wanted: Filter) -> float:
    """Return the share of the most similar that is found."""
    kept = np.array([wanted.keeps(document) for document in items.documents])
    hits = total = 0
    for turn, query in enumerate(items.queries):
        similarities = np.where(kept, items.vectors @ query, -np.inf)
        best = {items.ids[row] for row in np.argsort(-similarities)[: min(_TOP, kept.sum())]}
        hits += len(best & {result["id"] for result in await search(turn)})
        total += len(best)
    return hits / total
