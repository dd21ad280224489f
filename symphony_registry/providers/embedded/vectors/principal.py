"""An upper bound of each row's score, from a short head of the row.

The head holds the row's coordinates along the principal directions of a sample;
the tail is what they leave out. By Cauchy-Schwarz,

    q . x  <=  q_head . x_head + |q_tail| |x_tail|

so a row whose bound is too low need not be read. See docs/design/principal-heads.md.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows, picked_dots
from symphony_registry.providers.embedded.vectors import bounds
from symphony_registry.providers.embedded.vectors.bounds import RowBounds

# Rows that the directions are computed from; of these, how many play the query when widths are compared.
_SAMPLE, _TRIED = 4096, 64
# Rounds of orthogonal iteration.
_ROUNDS = 4
# Widths of a head that are compared: at most so many numbers, at most this share of the dimension, multiples of this
# unit, and at most so many of them.
_WIDEST, _PART, _UNIT, _WIDTHS = 256, 3 / 8, 8, 12
# The cost of a number of a survivor, which is read out of order; one that is read in order costs 1.
_PICKED = 4
# A head is kept if a search costs less than this share of reading everything.
_PAYS = 0.6
# Numbers that follow the coordinates in a head: the length of the tail, that of the row, and its square.
_LENGTHS = 3


class PrincipalHead(RowBounds):
    """The heads of a matrix's rows.

    `refresh` recomputes those of rows that changed, in O(dimension x width) each, and
    chooses new directions when as many rows have changed as there were.
    """

    def __init__(self, metric: Metric, rival: float = math.inf) -> None:
        """`rival` is what another bound costs, of reading everything."""
        super().__init__(metric)
        self._basis: Float64s | None = None  # dimension x directions; None where no width pays
        self._heads: Float32s = np.empty((0, 0), np.float32)
        self._rival = rival
        self._updated = 0  # heads computed since the directions were chosen

    def arrays(self, matrix: Float32s, lengths: Float64s) -> dict[str, npt.NDArray[Any]]:
        """Return what `restore` takes; nothing if directions were not chosen yet."""
        if not self._fitted or bounds.is_small(matrix):
            return {}
        self.refresh(matrix, lengths, 0)
        basis = np.empty((matrix.shape[1], 0)) if self._basis is None else self._basis
        return {"basis": basis, "heads": self._heads[: len(matrix) if basis.size else 0]}

    def restore(self, rows: int, basis: Float64s, heads: Float32s) -> None:
        """Take over the arrays of a head of as many rows."""
        self._basis, self._heads = basis if basis.size else None, heads
        self._covered = self._fitted = rows

    @override
    def width(self, matrix: Float32s) -> float:
        used = matrix if self._basis is None or bounds.is_small(matrix) else self._heads
        return int(used.shape[1])

    @override
    def cost(self, matrix: Float32s, searches: int) -> float:
        outdated = self._outdated(matrix)
        if bounds.is_small(matrix) or self._is_waiting(searches) or not outdated:
            return 0
        if self._needs_directions(matrix):
            return matrix.size * _WIDEST
        grown = self._heads.size if len(matrix) > len(self._heads) else 0
        return 0 if self._basis is None else outdated * self._basis.size + grown

    @override
    def refresh(self, matrix: Float32s, lengths: Float64s, searches: int) -> bool:
        return super().refresh(matrix, lengths, searches) and self._basis is not None

    @override
    def bounds(self, queries: Sequence[Query], rows: int | Rows) -> Float32s:
        weights = np.array([self._weights(query) for query in queries], np.float32)
        return weights @ self._heads[:rows].T if isinstance(rows, int) else picked_dots(weights, self._heads, rows)

    def _weights(self, query: Query) -> Float64s:
        """Return what a head is multiplied with to bound the score."""
        assert self._basis is not None
        head = query.vector.astype(np.float64) @ self._basis
        tail = _tails(np.array([query.length]), head[np.newaxis])[0]
        return bounds.weights_of(query, *head, tail)

    def _needs_directions(self, matrix: Float32s) -> bool:
        return self._updated + self._outdated(matrix) > self._fitted

    @override
    def _refresh(self, matrix: Float32s, lengths: Float64s) -> None:
        if self._needs_directions(matrix):
            self._basis = self._fit(matrix, lengths)
            self._heads = np.empty((0, 0 if self._basis is None else self._basis.shape[1] + _LENGTHS), np.float32)
            self._fitted, self._updated, self._covered, self._changed = len(matrix), 0, 0, set()
        else:
            self._updated += self._outdated(matrix)
        if self._basis is not None:
            self._heads = self._roomy(self._heads, len(matrix))
            for part in self._parts(len(matrix)):
                scaled, scaled_lengths = self._scaled(matrix[part], lengths[part])
                self._heads[part] = _heads(scaled @ self._basis, scaled_lengths)

    def _fit(self, matrix: Float32s, lengths: Float64s) -> Float64s | None:
        """Return the directions that make a search cheapest, or `None` where none pays."""
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
        pays = cost < min(_PAYS, self._rival) * dimension
        return np.ascontiguousarray(basis[:, : width - _LENGTHS]) if pays else None

    def _surviving(self, sample: Float64s, lengths: Float64s, basis: Float64s) -> float:
        """Return the share of the sample that a search for some of its rows would have to read in full."""
        heads = sample @ basis
        tails = _tails(lengths, heads)
        scores = sample[:_TRIED] @ sample.T
        most = heads[:_TRIED] @ heads.T + np.outer(tails[:_TRIED], tails)
        if self._metric == "euclidean":
            scores, most = 2 * scores - lengths**2, 2 * most - lengths**2
        second = np.partition(scores, -2, axis=1)[:, -2:-1]  # the best is the query itself
        return float((most >= second).mean())


def _directions(sample: Float64s, count: int, random: np.random.Generator) -> Float64s:
    """Return nearly the first principal directions of a sample, by orthogonal iteration and Rayleigh-Ritz."""
    basis = random.normal(size=(sample.shape[1], count))
    for _ in range(_ROUNDS):
        basis, _ = np.linalg.qr(sample.T @ (sample @ basis))
    heads = sample @ basis
    _, rotation = np.linalg.eigh(heads.T @ heads)
    result: Float64s = basis @ rotation[:, ::-1]
    return result


def _tails(lengths: Float64s, heads: npt.NDArray[np.float64]) -> Float64s:
    """Return the lengths of what the heads leave out."""
    result: Float64s = np.sqrt(np.maximum(lengths**2 - (heads**2).sum(axis=1), 0.0))
    return result


def _heads(coordinates: Float64s, lengths: Float64s) -> Float64s:
    return np.column_stack([coordinates, _tails(lengths, coordinates), lengths, lengths**2])
