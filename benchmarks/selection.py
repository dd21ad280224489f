"""Vectors by what they are: finding and deleting by a filter."""

import statistics
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.data import Condition, Corpus, mixture
from benchmarks.harness import OURS, Call, Plan, Result, at_most_times, installed, race, timed
from benchmarks.vectors import loaded
from symphony_registry.backends.vector_store import VectorStoreBackend

_FOUND, _DELETED = Condition("score", "<", 50), Condition("score", "<", 10)  # 5 % and 1 %
_DELETIONS = 5
_KINDS: dict[str, Any] = {"qdrant local": peers.Qdrant, "chroma": peers.Chroma}


async def selection(plan: Plan) -> list[Result]:
    """Vectors by a filter.

    Five in a hundred are found, with their vectors and without; one in a hundred is deleted.
    """
    corpus = mixture(plan.vectors)
    others = installed({name: partial(_filled, kind, corpus) for name, kind in _KINDS.items()})
    async with loaded(corpus) as store:
        results = []
        for vectors in (True, False):
            calls: dict[str, Call | None] = {
                OURS: partial(_find_ours, store, vectors),
                **{name: partial(_find, peer, vectors) if peer else None for name, peer in others.items()},
            }
            work = f"find {plan.vectors // 20:,}, {'with' if vectors else 'without'} vectors"
            figures = await race(plan, calls)
            results.append(Result(work, figures, reaches=[at_most_times(1, "qdrant local")]))
        seconds: dict[str, list[float]] = {OURS: [], **{name: [] for name, peer in others.items() if peer}}
        rows = np.flatnonzero(corpus.kept(_DELETED)).tolist()
        gone = [(corpus.ids[row], corpus.vectors[row], corpus.metadata(slice(row, row + 1))[0]) for row in rows]
        for _ in range(_DELETIONS):
            seconds[OURS].append(await timed(lambda _: store.delete_many(metadata_filter=_DELETED.ours)))
            await store.add_many(gone)
            for name, peer in others.items():
                if peer:
                    seconds[name].append(await timed(partial(_delete, peer)))
                    peer.add(rows, corpus.vectors[rows], [each[2] for each in gone])
    figures = {name: statistics.median(seconds[name]) if name in seconds else None for name in [OURS, *others]}
    return [
        *results,
        Result(f"delete {len(rows):,}", figures, reaches=[at_most_times(1, "qdrant local")]),
    ]


def _filled(kind: Any, corpus: Corpus) -> Any:
    peer = kind(None, corpus.vectors.shape[1])
    peer.fill(corpus)
    return peer


async def _find_ours(store: VectorStoreBackend, vectors: bool, _: int) -> Any:
    return await store.find(metadata_filter=_FOUND.ours, include_vectors=vectors)


def _find(peer: Any, vectors: bool, _: int) -> Any:
    return peer.find(_FOUND, vectors=vectors)


def _delete(peer: Any, _: int) -> None:
    peer.delete(_DELETED)
