"""Putting what a server found in its exact order."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from symphony_registry.backends.vector_store.base import Float32s, SearchResult
from symphony_registry.backends.vector_store.scoring import Query, lengths_of


class Candidate(NamedTuple):
    """What a server says of a vector: its id, its metadata as JSON text, and its distance where float32 serves."""

    id: str
    metadata: str | bytes
    distance: float | None


class Ranking:
    """Candidates of a search, ordered by their exact similarities, equals by id."""

    def __init__(self, query: Query, candidates: Sequence[Candidate], rows: Float32s) -> None:
        """Take the candidates and their vectors, a row each."""
        self._query = query
        self._candidates = candidates
        self._rows = rows
        self._similarities = query.similarities(rows, lengths_of(rows)).tolist()
        self._order = sorted(range(len(rows)), key=lambda row: (-self._similarities[row], candidates[row].id))

    def is_final(self, limit: int, wanted: int) -> bool:
        """Say whether nothing that the server left out can belong to the first `limit`; it was asked for `wanted`."""
        if len(self._candidates) < wanted:
            return True
        distances = (candidate.distance for candidate in self._candidates if candidate.distance is not None)
        farthest = max(distances, default=math.inf)
        if math.isinf(farthest):  # beyond float32, as a query may be
            return False
        worst = self._similarities[self._order[limit - 1]]
        return bool(worst > _highest(self._query, farthest))

    def results(self, limit: int, *, include_vectors: bool) -> list[SearchResult]:
        """Return the best."""
        best = self._order[:limit]
        found: list[SearchResult] = [
            {
                "id": self._candidates[row].id,
                "similarity": self._similarities[row],
                "metadata": orjson.loads(self._candidates[row].metadata),
            }
            for row in best
        ]
        if include_vectors:
            for result, vector in zip(found, self._rows[best].tolist(), strict=True):
                result["vector"] = vector
        return found


def _highest(query: Query, distance: float) -> float:
    """Return the highest similarity of vectors that the server finds at this distance or farther.

    It errs by the tolerance; of a dot product it is taken off already.
    """
    match query.metric:
        case "cosine":
            return 1.0 - distance + query.tolerance
        case "dot":
            return (1.0 if query.is_safe else query.length) * -distance
        case _:
            return 1.0 / (1.0 + distance * (1.0 - query.tolerance))
