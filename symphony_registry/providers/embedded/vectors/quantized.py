"""An upper bound of each row's score, from a copy of the rows in int8.

A row is x = s c + e, with a scale s, codes c from -127 to 127, and an error e whose
length is known. With the same for the query, by Cauchy-Schwarz,

    q . x  <=  s_q s (c_q . c) + |e_q| |s c| + |q| |e|

where c_q . c is exact in int32. See docs/design/quantized-rows.md.
"""

import logging
import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows
from symphony_registry.providers.embedded.vectors import bounds
from symphony_registry.providers.embedded.vectors.bounds import RowBounds

# How long reading the codes takes, of what reading the matrix takes: more than their share of its size.
CODES_COST = 0.4
# The largest code, how many of it are multiplied on trial, and the largest sum of products: of long rows, codes are
# smaller.
_MOST, _TRIED, _LARGEST_SUM = 127, 512, 2**31 - 1
# Dot products that are computed at a time: they stay in the cache.
_PRODUCTS = 2**18
# Numbers of a matrix that are read in the time that one takes to get its code.
_QUANTIZING = 8

logger = logging.getLogger(__name__)

Codes = npt.NDArray[np.int8]


class QuantizedRows(RowBounds):
    """The codes of a matrix's rows, multiplied by `numkong`, which is faster the narrower the numbers are."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._codes: Codes = np.empty((0, 0), np.int8)
        self._scales: Float32s = np.empty(0, np.float32)
        self._lengths: Float32s = np.empty((0, 4), np.float32)  # |s c|, |e|, |x|, |x|^2
        self._picked: tuple[Rows, Codes, Float32s, Float32s] | None = None  # the last rows that were, side by side

    @staticmethod
    @cache
    def is_installed() -> bool:
        """Say whether the library is there, the extra `fast`, and multiplies exactly on this processor."""
        try:
            kernels = import_module("numkong")
            rows = np.array([[_MOST], [-_MOST]], np.int8).repeat(_TRIED, axis=1)
            products = np.asarray(kernels.dots_packed(rows, kernels.dots_pack(rows[:1])))
        except ModuleNotFoundError:
            return False
        except (ImportError, AttributeError) as error:
            logger.warning("numkong is there, but cannot be used; searches do without it: %r", error)
            return False
        return products.ravel().tolist() == [_TRIED * _MOST**2, -_TRIED * _MOST**2]

    @override
    def width(self, matrix: Float32s) -> float:
        return float(matrix.shape[1] * (CODES_COST if self._fitted and not bounds.is_small(matrix) else 1))

    @override
    def cost(self, matrix: Float32s, searches: int) -> float:
        if bounds.is_small(matrix) or self._is_waiting(searches):
            return 0
        grown = self._codes.nbytes / matrix.itemsize if len(matrix) > len(self._codes) else 0
        outdated = self._outdated(matrix)
        return outdated * matrix.shape[1] * _QUANTIZING + grown if outdated else 0

    @override
    def bounds(self, queries: Sequence[Query], rows: int | Rows) -> Float32s:
        kernels = import_module("numkong")
        asked = np.array([query.vector for query in queries], np.float64)
        codes, scales, lengths = _quantized(asked, np.array([query.length for query in queries]))
        packed = kernels.dots_pack(codes)
        errors = lengths[:, 1].tolist()
        weights = [bounds.weights_of(query, error, query.length) for query, error in zip(queries, errors, strict=True)]
        factors = scales * np.float32(2 if self._metric == "euclidean" else 1)
        row_codes, row_scales, row_lengths = self._of(rows)
        result: Float32s = np.array(weights, np.float32) @ row_lengths.T
        step = max(1, _PRODUCTS // len(queries))
        for start in range(0, result.shape[1], step):
            part = slice(start, min(start + step, result.shape[1]))
            dots = np.asarray(kernels.dots_packed(row_codes[part], packed))
            products = np.multiply(dots.T, row_scales[part], dtype=np.float32)
            products *= factors[:, np.newaxis]
            result[:, part] += products
        return result

    def _of(self, rows: int | Rows) -> tuple[Codes, Float32s, Float32s]:
        """Return what is kept of the first rows, or of those that are picked: a filter picks the same again."""
        if isinstance(rows, int):
            return self._codes[:rows], self._scales[:rows], self._lengths[:rows]
        picked = self._picked
        if picked is None or picked[0] is not rows:
            picked = self._picked = rows, self._codes[rows], self._scales[rows], self._lengths[rows]
        return picked[1:]

    @override
    def _refresh(self, matrix: Float32s, lengths: Float64s) -> None:
        if not self._fitted:
            self._codes = np.empty((0, matrix.shape[1]), np.int8)
            self._fitted = len(matrix)
        rows, self._picked = len(matrix), None
        self._codes, self._scales = self._roomy(self._codes, rows), self._roomy(self._scales, rows)
        self._lengths = self._roomy(self._lengths, rows)
        for part in self._parts(rows):
            self._codes[part], self._scales[part], self._lengths[part] = _quantized(
                *self._scaled(matrix[part], lengths[part])
            )


def _quantized(rows: Float64s, lengths: Float64s) -> tuple[Codes, Float32s, Float32s]:
    """Return codes, scales, and the lengths |s c|, |e|, |x| and |x|^2 of rows whose lengths are given."""
    most = min(_MOST, math.isqrt(_LARGEST_SUM // rows.shape[1]))
    scales = (np.abs(rows).max(axis=1) / most).astype(np.float32)
    scales[scales == 0] = 1
    wide = scales.astype(np.float64)[:, np.newaxis]
    codes = np.rint(rows / wide).clip(-most, most)
    coded = codes * wide
    parts = [np.sqrt(np.square(part).sum(axis=1)) for part in (coded, rows - coded)]
    return codes.astype(np.int8), scales, np.column_stack([*parts, lengths, lengths**2]).astype(np.float32)
