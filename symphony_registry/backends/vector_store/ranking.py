"""Putting what a server found in its exact order."""

import math
from collections.abc import Sequence

import orjson

from symphony_registry.backends.vector_store.base import SearchResult
from symphony_registry.backends.vector_store.scoring import Query, lengths_of
from symphony_registry.engines.postgres.connections import Record
from symphony_registry.engines.postgres.vectors import decoded


class Ranking:
    """Candidates of a search (id, vector, metadata, distance), ordered by their exact similarities, equals by id."""

    def __init__(self, query: Query, records: Sequence[Record]) -> None:
        self._query = query
        self._records = records
        self._rows = decoded(record[1] for record in records)
        self._similarities = query.similarities(self._rows, lengths_of(self._rows)).tolist()
        self._order = sorted(range(len(records)), key=lambda row: (-self._similarities[row], records[row][0]))

    def is_final(self, limit: int, wanted: int) -> bool:
        """Say whether nothing that the server left out can belong to the first `limit`."""
        if len(self._records) < wanted:
            return True
        farthest = max((record[3] for record in self._records if record[3] is not None), default=math.inf)
        if math.isinf(farthest):  # beyond float32, as a query may be
            return False
        worst = self._similarities[self._order[limit - 1]]
        return bool(worst > _highest(self._query, farthest))

    def results(self, limit: int, *, include_vectors: bool) -> list[SearchResult]:
        """Return the best."""
        best = self._order[:limit]
        found: list[SearchResult] = [
            {
                "id": self._records[row][0],
                "similarity": self._similarities[row],
                "metadata": orjson.loads(self._records[row][2]),
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
