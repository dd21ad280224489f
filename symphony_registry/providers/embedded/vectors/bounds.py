"""Upper bounds of rows' scores, from numbers that are kept of each row and follow what is written."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.scoring import SAME_DISTANCE, Float64s, Query, Rows

# Below so many numbers, or columns, reading the whole matrix is faster than any bound.
_SMALL, _NARROW = 2**21, 32
# Searches that read everything before bounds are prepared; that takes about as long as these.
_PATIENCE = 16
# Rows whose numbers are computed at a time.
_CHUNK = 2048


class RowBounds(ABC):
    """What bounds the scores of a matrix's rows, brought up to date when a search needs it.

    `note` and `drop` record which rows changed, in O(1). `refresh` computes their
    numbers again. Several threads may search at once, while nothing else is called.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric: Metric = metric
        self._refreshing = Lock()
        self._covered = 0  # the first rows, which have numbers
        self._changed: set[int] = set()  # of these, the ones whose numbers are out of date
        self._fitted = 0  # rows when bounds were prepared; 0 before that
        self._searches = 0

    def note(self, row: int) -> None:
        """Record that a row has changed."""
        if row < self._covered:
            self._changed.add(row)

    def drop(self, row: int) -> None:
        """Record that the last row was deleted."""
        self._covered = min(self._covered, row)
        self._changed.discard(row)

    @abstractmethod
    def width(self, matrix: Float32s) -> float:
        """Return how many numbers of each row a search reads, in float32."""

    @abstractmethod
    def cost(self, matrix: Float32s, searches: int) -> float:
        """Return how many numbers `refresh` reads or writes for so many more searches."""

    @abstractmethod
    def bounds(self, queries: Sequence[Query], rows: int | Rows) -> Float32s:
        """Return an upper bound of the score of each row, less `slack`; a line for each query.

        `rows` is how many, or which ones. Rounding is part of the bound.
        """

    def refresh(self, matrix: Float32s, lengths: Float64s, searches: int) -> bool:
        """Bring the numbers up to date for so many more searches; say whether there are bounds to use."""
        self._searches += searches
        if is_small(matrix) or self._is_waiting(0):
            return False
        if self._outdated(matrix):
            with self._refreshing:
                self._refresh(matrix, lengths)
                self._covered, self._changed = len(matrix), set()
        return True

    @abstractmethod
    def _refresh(self, matrix: Float32s, lengths: Float64s) -> None:
        """Compute the numbers of the rows that have none, or old ones."""

    def _is_waiting(self, searches: int) -> bool:
        return not self._fitted and self._searches + searches <= _PATIENCE

    def _outdated(self, matrix: Float32s) -> int:
        """Return how many rows have no numbers, or old ones."""
        return len(matrix) - self._covered + len(self._changed)

    def _parts(self, rows: int) -> Iterator[slice | Rows]:
        """Yield the rows that are out of date, some at a time."""
        for start in range(self._covered, rows, _CHUNK):
            yield slice(start, min(start + _CHUNK, rows))
        changed = np.fromiter(self._changed, np.intp, len(self._changed))
        for start in range(0, len(changed), _CHUNK):
            yield changed[start : start + _CHUNK]

    def _roomy(self, numbers: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """Return an array with room for so many rows that holds the covered ones."""
        if rows <= len(numbers):
            return numbers
        grown = np.empty((rows + rows // 2, *numbers.shape[1:]), numbers.dtype)
        grown[: self._covered] = numbers[: self._covered]
        return grown

    def _scaled(self, rows: Float32s, lengths: Float64s) -> tuple[Float64s, Float64s]:
        """Return rows and lengths as scores use them: of length 1 for cosine."""
        wide = rows.astype(np.float64)
        return (wide / lengths[:, np.newaxis], np.ones(len(rows))) if self._metric == "cosine" else (wide, lengths)


def is_small(matrix: Float32s) -> bool:
    """Say whether reading all of a matrix is faster than bounds."""
    return matrix.size < _SMALL or matrix.shape[1] < _NARROW


def slack(query: Query) -> float:
    """Return by how much a score may exceed its bound."""
    if query.metric != "euclidean":
        return 0.0
    return SAME_DISTANCE * (query.length + query.length**2 + SAME_DISTANCE)


def weights_of(query: Query, *products: float) -> Float64s:
    """Return what a row's numbers are multiplied with: those of its dot product, its length, and its square.

    The score is 2 q.x - |x|^2 for euclidean, else q.x; the length is there for rounding.
    """
    weights = np.array([*products, query.tolerance * query.length, 0.0])
    if query.metric == "euclidean":
        weights *= 2
        weights[-2] += SAME_DISTANCE * (1 + 2 * query.length)
        weights[-1] = query.tolerance + SAME_DISTANCE - 1
    return weights
