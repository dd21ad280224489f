"""Finding the rows that can be the best by reading a third of the matrix.

Rows and queries are turned so that the first numbers, the head, hold most of
them: these are the parts along the principal directions of a sample. What is
left, the tails, can add no more to a dot product than the product of their
lengths (Cauchy-Schwarz):

    q . x  <=  q_head . x_head + |q_tail| |x_tail|

A row whose bound stays below what the best are known to reach is not one of them.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.scoring import SAME_DISTANCE, Float64s, Query, Rows, picked_dots

# A matrix of fewer numbers, or of fewer columns, is read before a head saves anything.
_SMALL, _NARROW = 2**21, 32
# Rows that the directions are taken from; of them, those that the width is tried with.
_SAMPLE, _TRIED = 4096, 64
# Rounds that bring a random basis near the principal directions.
_ROUNDS = 4
# The width of a head: at the most, and as a part of the dimension; a multiple of what is read at once; how many tried.
_WIDEST, _PART, _UNIT, _WIDTHS = 256, 3 / 8, 8, 12
# What a number costs that is picked from the matrix, where one that is read in order costs 1.
_PICKED = 4
# The part of the cost of reading everything below which a head pays.
_PAYS = 0.6
# Searches that read everything before directions are chosen, which takes about as long.
_PATIENCE = 16
# Rows that are turned at a time.
_CHUNK = 2048
# Beside its parts, a row's head holds the length of the tail, its own, and the square of that.
_LENGTHS = 3


class PrincipalHead:
    """The heads of a matrix's rows, kept up when a search asks for it.

    `note` and `drop` follow the rows: O(1). `refresh` turns the rows that changed,
    O(dimension x width) each, and chooses the directions anew when as many have
    changed as there were. Threads may search at once, while nothing else is called.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric: Metric = metric
        self._refreshing = Lock()
        self._basis: Float64s | None = None  # dimension x directions; None where a head does not pay
        self._heads: Float32s = np.empty((0, 0), np.float32)
        self._covered = 0  # rows that have a head, but for those that changed
        self._changed: set[int] = set()
        self._fitted, self._turned = 0, 0  # rows when the directions were chosen, rows turned since
        self._searches = 0  # before that

    def arrays(self, matrix: Float32s, lengths: Float64s) -> dict[str, npt.NDArray[Any]]:
        """Return what `restore` takes; nothing if no search asked for a head yet."""
        if not self._fitted or _is_small(matrix):
            return {}
        self.refresh(matrix, lengths, 0)
        basis = np.empty((matrix.shape[1], 0)) if self._basis is None else self._basis
        return {"basis": basis, "heads": self._heads[: len(matrix) if basis.size else 0]}

    def restore(self, rows: int, basis: Float64s, heads: Float32s) -> None:
        """Be as the head of as many rows that gave its arrays."""
        self._basis, self._heads = basis if basis.size else None, heads
        self._covered = self._fitted = rows

    def note(self, row: int) -> None:
        """Follow a row that has changed."""
        if row < self._covered:
            self._changed.add(row)

    def drop(self, row: int) -> None:
        """Follow the last row, which is deleted."""
        self._covered = min(self._covered, row)
        self._changed.discard(row)

    def width(self, matrix: Float32s) -> int:
        """Return how many numbers of a row a search reads, before it picks rows of the matrix."""
        used = matrix if self._basis is None or _is_small(matrix) else self._heads
        return int(used.shape[1])

    def cost(self, matrix: Float32s) -> float:
        """Return how many numbers `refresh` reads or writes."""
        stale = self._stale(matrix)
        if _is_small(matrix) or self._waits() or not stale:
            return 0
        if self._is_due(matrix):
            return matrix.size * _WIDEST
        grown = self._heads.size if len(matrix) > len(self._heads) else 0
        return 0 if self._basis is None else stale * self._basis.size + grown

    def refresh(self, matrix: Float32s, lengths: Float64s, searches: int) -> bool:
        """Let the heads be those of the matrix for as many more searches; say whether there are any."""
        self._searches += searches
        if _is_small(matrix) or self._waits():
            return False
        if self._stale(matrix):
            with self._refreshing:
                self._refresh(matrix, lengths)
        return self._basis is not None

    def bounds(self, queries: Sequence[Query], rows: int | Rows) -> Float32s:
        """Return what the score of each row can be at the most, but for `slack`; a line for each query.

        `rows` is how many, or which ones. Rounding is accounted for: a bound holds
        for every score within its error.
        """
        weights = np.array([self._weights(query) for query in queries], np.float32)
        return weights @ self._heads[:rows].T if isinstance(rows, int) else picked_dots(weights, self._heads, rows)

    def slack(self, query: Query) -> float:
        """Return by how much a row's score can be above its bound."""
        if query.metric != "euclidean":
            return 0.0
        return SAME_DISTANCE * (query.length + query.length**2 + SAME_DISTANCE)

    def _weights(self, query: Query) -> Float64s:
        """Return what a row's head is multiplied with: 2 q.x - |x|^2 for euclidean, else q.x, and the error of it."""
        assert self._basis is not None
        head = query.vector.astype(np.float64) @ self._basis
        tail = _tails(np.array([query.length]), head[np.newaxis])[0]
        weights = np.array([*head, tail, query.tolerance * query.length, 0.0])
        if query.metric == "euclidean":
            weights *= 2
            weights[-2] += SAME_DISTANCE * (1 + 2 * query.length)
            weights[-1] = query.tolerance + SAME_DISTANCE - 1
        return weights

    def _waits(self) -> bool:
        return not self._fitted and self._searches <= _PATIENCE

    def _stale(self, matrix: Float32s) -> int:
        return len(matrix) - self._covered + len(self._changed)

    def _is_due(self, matrix: Float32s) -> bool:
        return self._turned + self._stale(matrix) > self._fitted

    def _refresh(self, matrix: Float32s, lengths: Float64s) -> None:
        if self._is_due(matrix):
            self._basis = self._fit(matrix, lengths)
            self._heads = np.empty((0, 0 if self._basis is None else self._basis.shape[1] + _LENGTHS), np.float32)
            self._fitted, self._turned, self._covered, self._changed = len(matrix), 0, 0, set()
        else:
            self._turned += self._stale(matrix)
        if self._basis is not None:
            self._turn(matrix, lengths, self._basis)
        self._covered, self._changed = len(matrix), set()

    def _turn(self, matrix: Float32s, lengths: Float64s, basis: Float64s) -> None:
        rows = len(matrix)
        if rows > len(self._heads):
            heads = np.empty((rows + rows // 2, self._heads.shape[1]), np.float32)
            heads[: self._covered] = self._heads[: self._covered]
            self._heads = heads
        changed = np.fromiter(self._changed, np.intp, len(self._changed))
        new = range(self._covered, rows, _CHUNK)
        parts: list[slice | Rows] = [slice(start, min(start + _CHUNK, rows)) for start in new]
        parts += [changed[start : start + _CHUNK] for start in range(0, len(changed), _CHUNK)]
        for part in parts:
            scaled, scaled_lengths = self._scaled(matrix[part], lengths[part])
            self._heads[part] = _heads(scaled @ basis, scaled_lengths)

    def _scaled(self, rows: Float32s, lengths: Float64s) -> tuple[Float64s, Float64s]:
        """Return rows and lengths as they stand in a score."""
        wide = rows.astype(np.float64)
        return (wide / lengths[:, np.newaxis], np.ones(len(rows))) if self._metric == "cosine" else (wide, lengths)

    def _fit(self, matrix: Float32s, lengths: Float64s) -> Float64s | None:
        """Return the directions that make a search cheapest, if any pay."""
        dimension = matrix.shape[1]
        random = np.random.default_rng(0)
        rows = random.choice(len(matrix), min(_SAMPLE, len(matrix)), replace=False, shuffle=False)
        sample, sample_lengths = self._scaled(matrix[rows], lengths[rows])
        units = min(int(dimension * _PART), _WIDEST) // _UNIT
        widths = range(_UNIT, units * _UNIT + 1, -(-units // _WIDTHS) * _UNIT)
        basis = _directions(sample, widths[-1] - _LENGTHS, random)
        cost, width = min(
            (width + _PICKED * dimension * self._surviving(sample, sample_lengths, basis[:, : width - _LENGTHS]), width)
            for width in widths
        )
        return np.ascontiguousarray(basis[:, : width - _LENGTHS]) if cost < _PAYS * dimension else None

    def _surviving(self, sample: Float64s, lengths: Float64s, basis: Float64s) -> float:
        """Return the part of the sample whose bound reaches the second best, as seen from some rows of it."""
        heads = sample @ basis
        tails = _tails(lengths, heads)
        scores = sample[:_TRIED] @ sample.T
        bounds = heads[:_TRIED] @ heads.T + np.outer(tails[:_TRIED], tails)
        if self._metric == "euclidean":
            scores, bounds = 2 * scores - lengths**2, 2 * bounds - lengths**2
        second = np.partition(scores, -2, axis=1)[:, -2:-1]  # the best is the row itself
        return float((bounds >= second).mean())


def _is_small(matrix: Float32s) -> bool:
    return matrix.size < _SMALL or matrix.shape[1] < _NARROW


def _directions(sample: Float64s, count: int, random: np.random.Generator) -> Float64s:
    """Return about the first principal directions of a sample, by orthogonal iteration and Rayleigh-Ritz."""
    basis = random.normal(size=(sample.shape[1], count))
    for _ in range(_ROUNDS):
        basis, _ = np.linalg.qr(sample.T @ (sample @ basis))
    heads = sample @ basis
    _, turn = np.linalg.eigh(heads.T @ heads)
    result: Float64s = basis @ turn[:, ::-1]
    return result


def _tails(lengths: Float64s, heads: npt.NDArray[np.float64]) -> Float64s:
    """Return the lengths of what the heads leave."""
    result: Float64s = np.sqrt(np.maximum(lengths**2 - (heads**2).sum(axis=1), 0.0))
    return result


def _heads(parts: Float64s, lengths: Float64s) -> Float64s:
    return np.column_stack([parts, _tails(lengths, parts), lengths, lengths**2])
