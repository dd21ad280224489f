"""numpy by hand, and what it costs to give the results that ours gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.data import Condition, Corpus, Float32s, Integers
from benchmarks.peers import VectorPeer

_TOP = 10
# The similarities and the rows of the best, for each query.
Found = tuple[Float32s, Integers]


class Numpy(VectorPeer):
    """A product and a partition; the rows that a filter keeps, and a copy of few of them, stand ready."""

    modules = ("numpy",)

    def __init__(self, directory: Path | None, dimension: int) -> None:  # noqa: ARG002
        self._kept: dict[Condition, tuple[Integers, Float32s]] = {}

    def fill(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def search(self, query: Float32s, condition: Condition | None = None) -> Found:
        if condition is None:
            return self.search_many(query[None])
        if condition not in self._kept:
            rows = np.flatnonzero(self._corpus.kept(condition))
            self._kept[condition] = rows, self._corpus.vectors[rows]
        rows, vectors = self._kept[condition]
        similarities, best = _best((vectors @ query)[None])
        return similarities, rows[best]

    def search_many(self, queries: Float32s) -> Found:
        """Find the ten most similar to each query."""
        vectors = self._corpus.vectors
        return _best((vectors @ queries[0])[None] if len(queries) == 1 else queries @ vectors.T)


def _best(similarities: Float32s) -> Found:
    count = min(_TOP, similarities.shape[1])
    best = np.argpartition(similarities, -count)[:, -count:]
    chosen = np.take_along_axis(similarities, best, 1)
    order = np.argsort(-chosen)
    return np.take_along_axis(chosen, order, 1), np.take_along_axis(best, order, 1)


def same_results(corpus: Corpus) -> Callable[[Found], list[dict[str, Any]]]:
    """Return what makes of the rows of one search what ours gives: ids, metadata from JSON, vectors as lists."""
    texts = [orjson.dumps(metadata) for metadata in corpus.metadata(slice(None))]

    def convert(found: Found) -> list[dict[str, Any]]:
        similarities, rows = found
        return [
            {
                "id": corpus.ids[row],
                "similarity": similarity,
                "metadata": orjson.loads(texts[row]),
                "vector": corpus.vectors[row].tolist(),
            }
            for similarity, row in zip(similarities[0].tolist(), rows[0].tolist(), strict=True)
            if row >= 0  # where few are kept, faiss fills up with -1
        ]

    return convert
