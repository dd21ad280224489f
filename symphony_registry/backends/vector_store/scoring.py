"""How near rows are to a query: quickly, within known errors, and exactly. See docs/design/final-ranking.md."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s, Metric

Float64s = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

# Euclidean similarities that differ by less may be equal as float64.
SAME_DISTANCE = 4e-16
# The error of a float32 dot product, relative to the lengths, in any order of summation: per term, and at least.
_TERM_ERROR, _LEAST_ERROR = 1.2e-7, 1e-5
# Between these lengths, squares and products neither overflow nor underflow float32.
_SAFE_LENGTHS = (1e-15, 1e15)
# Cosines are rounded to so many digits, so that vectors of one direction are equal whatever their lengths.
_COSINE_DIGITS = 12
# Rows that are picked or measured at a time, while they are in the cache.
_CHUNK = 512
# Of many scores, only the best of each block of so many are sorted.
_BLOCK = 64


class Query:
    """A vector that is searched for.

    A score orders rows as their similarity does, and is cheaper: the dot product,
    for cosine divided by the row's length, and 2 q.x - |x|^2 for euclidean.
    """

    def __init__(self, vector: Float32s, metric: Metric) -> None:
        self.vector = vector
        self.metric: Metric = metric
        self.length = float(lengths_of(vector[np.newaxis])[0])
        self.tolerance = max(_LEAST_ERROR, _TERM_ERROR * vector.size)
        self.is_safe = are_safe([self.length])

    def scores(self, dots: npt.NDArray[Any], lengths: Float64s) -> tuple[npt.NDArray[Any], Float64s | float]:
        """Return the scores of rows, given their dot products and lengths, and by how much these may be wrong."""
        if self.metric == "cosine":
            return dots / lengths, self.tolerance * self.length
        errors = self.tolerance * self.length * lengths
        if self.metric == "dot":
            return dots, errors
        squares = lengths**2
        reach = self.length + lengths
        errors = 2 * errors + self.tolerance * squares + SAME_DISTANCE * (reach + reach**2 + SAME_DISTANCE)
        return 2 * dots.astype(np.float64) - squares, errors

    def direction(self) -> Float32s:
        """Return the vector at length 1, which orders cosines and dot products alike; one of zeros as it is."""
        direction: Float32s = (self.vector.astype(np.float64) / (self.length or 1.0)).astype(np.float32)
        return direction

    def similarities(self, rows: Float32s, lengths: Float64s) -> Float64s:
        """Return the exact similarities of rows. That of a row does not depend on the other rows."""
        wide, query = rows.astype(np.float64), self.vector.astype(np.float64)
        result: Float64s
        if self.metric == "euclidean":
            result = 1.0 / (1.0 + np.sqrt(((wide - query) ** 2).sum(axis=1)))
            return result
        result = (wide * query).sum(axis=1)
        if self.metric == "cosine":
            result = (result / (lengths * self.length)).round(_COSINE_DIGITS)
            np.minimum(np.maximum(result, -1.0, out=result), 1.0, out=result)  # np.clip takes twice as long to begin
        return result


def lengths_of(rows: npt.NDArray[Any]) -> Float64s:
    """Return the length of each row: finite if its float32 numbers are, and 0 only if all of them are 0."""
    squares = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        wide = rows[start : start + _CHUNK].astype(np.float64)
        np.add.reduce(np.square(wide, out=wide), axis=1, out=squares[start : start + _CHUNK])
    return np.sqrt(squares, out=squares)


def are_ordinary(lengths: Float64s) -> bool:
    """Say whether float32 is enough for rows of these lengths, and none is 0; faster than `are_safe`."""
    least, most = _SAFE_LENGTHS
    if len(lengths) == 1:  # numpy takes longer to begin
        return bool(least < lengths[0] < most)
    return bool(least < np.minimum.reduce(lengths) and np.maximum.reduce(lengths) < most)


def are_safe(lengths: Sequence[float]) -> bool:
    """Say whether float32 is enough for rows of these lengths."""
    least, most = _SAFE_LENGTHS
    return all(least < length < most or length == 0 for length in lengths)


def outliers(lengths: Float64s) -> npt.NDArray[np.bool_]:
    """Return which lengths are outside what `are_safe` allows."""
    least, most = _SAFE_LENGTHS
    result: npt.NDArray[np.bool_] = (lengths != 0) & ~((least < lengths) & (lengths < most))
    return result


def picked_dots(queries: Float32s, matrix: Float32s, rows: Rows) -> Float32s:
    """Return the dot products of queries with some rows of a matrix, a line for each query."""
    parts = [
        queries @ matrix.take(rows[start : start + _CHUNK], axis=0).T for start in range(0, max(1, len(rows)), _CHUNK)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def threshold(scores: npt.NDArray[Any], limit: int) -> float:
    """Return a number that at least `limit` scores reach, close to the `limit`-th best of them."""
    blocks = len(scores) // _BLOCK
    if blocks >= limit:
        scores = scores[: blocks * _BLOCK].reshape(_BLOCK, blocks).max(axis=0)
    return float(np.partition(scores, len(scores) - limit)[len(scores) - limit])
