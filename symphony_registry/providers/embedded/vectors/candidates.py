"""Finding the rows that can be among the best, without reading each in full: see docs/design/principal-heads.md."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows, picked_dots, threshold
from symphony_registry.providers.embedded.vectors.bounds import RowBounds, slack

# If more rows than one in so many are wanted, reading all of them in order is faster than picking.
_PICK = 8
# So few rows are scored without computing bounds first.
_FEW = 1024
# The floor is what the rows of the best bounds reach: about so many times the limit, and at most.
_FLOOR_ROWS, _MOST_ROWS = 4, 32


class CandidateFinder(NamedTuple):
    """The rows of a matrix while nobody changes them.

    Of the bounds, the first is the best one for reading all rows, the last for
    picking some. There is none where float32 is not enough.
    """

    matrix: Float32s
    lengths: Float64s
    bounds: tuple[RowBounds, ...]

    def numbers(self, count: int, queries: int) -> float:
        """Estimate how many numbers `candidates` reads for queries over `count` rows."""
        rows = count if self._are_picked(count) else len(self.matrix)
        cost, width = 0.0, float(self.matrix.shape[1])
        for bounds in self._preferred(count):
            if width == self.matrix.shape[1]:
                cost, width = cost + bounds.cost(self.matrix, queries), bounds.width(self.matrix)
        return cost + queries * rows * width

    def candidates(self, queries: Sequence[Query], limit: int, rows: Rows | None) -> Iterator[Rows]:
        """Yield, for each query, those of the rows that can be among the `limit` best, and few others."""
        count = len(self.matrix) if rows is None else len(rows)
        if count <= limit:
            yield from repeat(np.arange(count) if rows is None else rows, len(queries))
        elif used := self._used(queries, limit, count):
            if rows is not None and self._are_picked(count):
                bounds = used.bounds(queries, rows)
            else:
                bounds = used.bounds(queries, len(self.matrix))
                bounds = bounds if rows is None else bounds[:, rows]
            for query, line in zip(queries, bounds, strict=True):
                survivors = self._survivors(query, line, limit, rows)
                left = rows if survivors is None else survivors
                (dots,) = self._dots([query], left)
                yield self._best(query, limit, left, dots)
        else:
            for query, dots in zip(queries, self._dots(queries, rows), strict=True):
                yield self._best(query, limit, rows, dots)

    def _are_picked(self, count: int) -> bool:
        return count * _PICK < len(self.matrix)

    def _preferred(self, count: int) -> tuple[RowBounds, ...]:
        """Return the bounds for so many rows, the best first."""
        if count <= _FEW:
            return ()
        return self.bounds[::-1] if self._are_picked(count) else self.bounds

    def _used(self, queries: Sequence[Query], limit: int, count: int) -> RowBounds | None:
        """Return the best bounds that there are for a search, brought up to date."""
        if limit * _PICK > count or not all(query.is_safe for query in queries):
            return None
        preferred = self._preferred(count)
        return next((each for each in preferred if each.refresh(self.matrix, self.lengths, len(queries))), None)

    def _survivors(self, query: Query, bounds: Float32s, limit: int, rows: Rows | None) -> Rows | None:
        """Return the rows whose bound is not below the floor; `None` if they are too many to pick."""
        best = np.flatnonzero(bounds >= threshold(bounds, _FLOOR_ROWS * limit))[: _MOST_ROWS * limit]
        best = best if rows is None else rows[best]
        scores, errors = query.scores(self._dots([query], best)[0], self.lengths[best])
        floor = np.partition(scores - errors, len(best) - limit)[len(best) - limit] - slack(query)
        survivors = np.flatnonzero(bounds >= np.nextafter(np.float32(floor), np.float32(-np.inf)))
        if len(survivors) * _PICK > len(self.matrix):
            return None
        return survivors if rows is None else rows[survivors]

    def _best(self, query: Query, limit: int, rows: Rows | None, dots: npt.NDArray[Any]) -> Rows:
        """Return the rows that can be among the best, however their scores were rounded."""
        scores, errors = query.scores(dots, self.lengths if rows is None else self.lengths[rows])
        chosen = np.flatnonzero(scores + errors >= threshold(scores - errors, limit))
        return chosen if rows is None else rows[chosen]

    def _dots(self, queries: Sequence[Query], rows: Rows | None) -> npt.NDArray[Any]:
        """Return the dot products of each query with the rows, in float32 where that is accurate enough."""
        if rows is not None and not self._are_picked(len(rows)):
            return self._dots(queries, None)[:, rows]
        asked = np.array([query.vector for query in queries])
        if self.bounds and all(query.is_safe for query in queries):
            return asked @ self.matrix.T if rows is None else picked_dots(asked, self.matrix, rows)
        matrix = self.matrix if rows is None else self.matrix[rows]
        return asked.astype(np.float64) @ matrix.astype(np.float64).T
