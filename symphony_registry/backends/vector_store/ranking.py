"""Putting what a server found into its exact order: see docs/design/final-ranking.md."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from symphony_registry.backends.vector_store.base import Float32s, SearchResult
from symphony_registry.backends.vector_store.scoring import SAME_DISTANCE, Query, lengths_of


class Candidate(NamedTuple):
    """What a server says of a vector: id, metadata as JSON text, and distance, if float32 is enough for that."""

    id: str
    metadata: str | bytes
    distance: float | None


class Ranking:
    """The candidates of a search by their exact similarities, equals by id."""

    def __init__(self, query: Query, candidates: Sequence[Candidate], rows: Float32s) -> None:
        """Take the candidates and their vectors, a row each."""
        self._query = query
        self._candidates = candidates
        self._rows = rows
        self._similarities = query.similarities(rows, lengths_of(rows)).tolist()
        self._order = sorted(range(len(rows)), key=lambda row: (-self._similarities[row], candidates[row].id))

    def is_final(self, limit: int, wanted: int) -> bool:
        """Say whether the first `limit` are final, though the server was asked for no more than `wanted`."""
        if len(self._candidates) < wanted:  # all there are
            return True
        distances = (candidate.distance for candidate in self._candidates if candidate.distance is not None)
        farthest = max(distances, default=math.inf)
        if math.isinf(farthest):  # the query is beyond float32, and the distances say nothing
            return False
        worst = self._similarities[self._order[limit - 1]]
        return bool(worst > _highest_beyond(self._query, farthest))

    def results(self, limit: int, min_similarity: float = -math.inf, *, include_vectors: bool) -> list[SearchResult]:
        """Return the best that are similar enough."""
        best = [row for row in self._order[:limit] if self._similarities[row] >= min_similarity]
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


def farthest(query: Query, similarity: float) -> float:
    """Return the distance beyond which the server puts nothing of this similarity: the reverse of the following."""
    match query.metric:
        case "cosine":
            return 1.0 - similarity + query.tolerance
        case "dot":
            return -similarity / (1.0 if query.is_safe else query.length)
        case _:
            distance = 1.0 / similarity - 1.0 + SAME_DISTANCE if similarity > 0 else math.inf
            return distance / (1.0 - query.tolerance)


def _highest_beyond(query: Query, distance: float) -> float:
    """Return the highest similarity that a vector can have which the server puts at this distance or farther.

    The server's distances are wrong by up to the tolerance; from those of dot
    products it was subtracted in SQL.
    """
    match query.metric:
        case "cosine":
            return 1.0 - distance + query.tolerance
        case "dot":
            return (1.0 if query.is_safe else query.length) * -distance
        case _:
            return 1.0 / (1.0 + distance * (1.0 - query.tolerance))
