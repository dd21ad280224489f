"""The state of an embedded vector store: rows of one matrix, searched exactly."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.embedded import Change
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.errors import InvalidValueError

Rows = npt.NDArray[np.intp]

# Bounds the relative error of a float32 dot product, in any order of summation: per term, and at least.
_TERM_ERROR, _LEAST_ERROR = 1.2e-7, 1e-5
# Similarities by distance that differ by less are equal as float64.
_SAME_DISTANCE = 4e-16
# Fewer rows than one in so many are gathered before they are scored, more are picked from the scores of all.
_GATHER = 8
# Rows that are scored exactly at a time, and scores of which the best is looked for.
_CHUNK, _BLOCK = 4096, 64
# Lengths between which squares and products stay inside float32.
_SAFE_LENGTHS = (1e-15, 1e15)
# Cosines are rounded here, so that vectors of one direction are equals, whatever their lengths.
_COSINE_DIGITS = 12


class VectorIndex:
    """Vectors and metadata by row. A deleted row is filled with the last one.

    `put` is amortised O(dimension), `delete` O(dimension), `search` O(rows x dimension).
    """

    def __init__(self, dimension: int | None, metric: Metric) -> None:
        self._option_dimension = dimension
        self._metric = metric
        self.clear()

    def clear(self) -> None:
        """Forget everything, the dimension too unless an option fixed it."""
        self.dimension = self._option_dimension
        self.rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._metadata: list[JSONObject] = []
        self._matrix: Float32s = np.empty((0, self.dimension or 0), np.float32)
        self._lengths: npt.NDArray[np.float64] = np.empty(0)
        self._inverse: Float32s = np.empty(0, np.float32)  # 1 / length
        self._extreme = False  # a length was not safe

    def apply(self, change: Change) -> None:
        """Make one change: put, delete, dimension or clear."""
        match change["op"]:
            case "put":
                self._put(change["id"], change["vector"], change["metadata"])
            case "delete":
                self._delete(change["id"])
            case "dimension":
                self._fix_dimension(change["dimension"])
            case "clear":
                self.clear()
            case other:
                raise ValueError(f"There is no change {other!r}.")

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty index equal to this one."""
        if self.dimension is not None:
            yield {"op": "dimension", "dimension": self.dimension}
        for row, id in enumerate(self._ids):
            yield {"op": "put", "id": id, "vector": self._matrix[row], "metadata": self._metadata[row]}

    def _fix_dimension(self, dimension: int) -> None:
        if self.dimension is None:
            self.dimension = dimension
            self._matrix = np.empty((0, dimension), np.float32)
        elif dimension != self.dimension:  # other options than when it was stored
            raise InvalidValueError(
                f"The option dimension is {self.dimension}, but what is stored has dimension {dimension}. "
                "Leave the option out, or name another place."
            )

    def _put(self, id: str, vector: Float32s, metadata: JSONObject) -> None:
        self._fix_dimension(vector.size)
        length: np.float64 = _lengths(vector[np.newaxis])[0]
        if length == 0 and self._metric == "cosine":  # another metric than when it was stored
            raise InvalidValueError(
                f"The option metric is cosine, but the vector stored under {id!r} has length zero. "
                "Choose dot or euclidean."
            )
        row = self.rows.get(id)
        if row is None:
            row = len(self._ids)
            if row == len(self._matrix):
                self._grow(max(64, 2 * row))
            self.rows[id] = row
            self._ids.append(id)
            self._metadata.append(metadata)
        else:
            self._metadata[row] = metadata
        self._matrix[row] = vector
        self._lengths[row] = length
        self._inverse[row] = 1.0 / length if _SAFE_LENGTHS[0] < length < _SAFE_LENGTHS[1] else 0.0
        self._extreme = self._extreme or not _is_safe(length)

    def _grow(self, capacity: int) -> None:
        rows = len(self._ids)
        matrix = np.empty((capacity, self._matrix.shape[1]), np.float32)
        matrix[:rows] = self._matrix[:rows]
        lengths, inverse = np.empty(capacity), np.empty(capacity, np.float32)
        lengths[:rows] = self._lengths[:rows]
        inverse[:rows] = self._inverse[:rows]
        self._matrix, self._lengths, self._inverse = matrix, lengths, inverse

    def _delete(self, id: str) -> None:
        row = self.rows.pop(id)
        last_id, last_metadata = self._ids.pop(), self._metadata.pop()
        if last_id != id:
            last = len(self._ids)
            self._ids[row], self._metadata[row] = last_id, last_metadata
            for array in (self._matrix, self._lengths, self._inverse):
                array[row] = array[last]
            self.rows[last_id] = row

    def growth(self, more: int) -> int:
        """Return how many numbers are moved when that many rows are added."""
        return self._matrix.size if len(self._ids) + more > len(self._matrix) else 0

    def vector(self, row: int) -> list[float]:
        """Return the vector of a row, as it was stored."""
        result: list[float] = self._matrix[row].tolist()
        return result

    def metadata(self, row: int) -> JSONObject:
        """Return the metadata of a row; the index's own object."""
        return self._metadata[row]

    def matching(self, condition: Condition) -> Rows:
        """Return the rows whose metadata match, in ascending order."""
        found = (row for row, metadata in enumerate(self._metadata) if condition.matches(metadata))
        return np.fromiter(found, np.intp)

    def search(self, query: Float32s, limit: int, rows: Rows | None = None) -> list[tuple[float, str]]:
        """Return the `limit` most similar ids among `rows` (all by default) with their similarity.

        All rows are scored in float32; those that could be among the best within
        the rounding error are scored again in float64, so that the result does
        not depend on where a row stands in the matrix.
        """
        if len(self._ids if rows is None else rows) > limit:
            rows = self._candidates(query, limit, rows)
        elif rows is None:
            rows = np.arange(len(self._ids))
        similarities = self._similarities(query, rows).tolist()
        best = sorted(zip(similarities, (self._ids[row] for row in rows.tolist()), strict=True), key=_best_first)
        return best[:limit]

    def _candidates(self, query: Float32s, limit: int, rows: Rows | None) -> Rows:
        """Return the rows that can be among the `limit` best: `limit` and a few more."""
        query_length: np.float64 = _lengths(query[np.newaxis])[0]
        scores = self._dots(query, query_length, rows)
        tolerance = max(_LEAST_ERROR, _TERM_ERROR * query.size)
        if self._metric == "cosine":
            scores = scores / self._of(self._lengths, rows) if self._extreme else scores * self._of(self._inverse, rows)
            chosen = np.flatnonzero(scores >= _floor(scores, limit) - 2 * tolerance * query_length)
        else:
            lengths = self._of(self._lengths, rows)
            errors = tolerance * query_length * lengths
            if self._metric == "euclidean":
                scores = 2 * scores.astype(np.float64) - lengths**2
                errors = 2 * errors + tolerance * lengths**2
                reach = query_length + lengths
                errors += _SAME_DISTANCE * (reach + reach**2 + _SAME_DISTANCE)
            chosen = np.flatnonzero(scores + errors >= _floor(scores - errors, limit))
        return chosen if rows is None else rows[chosen]

    def _of(self, values: npt.NDArray[Any], rows: Rows | None) -> npt.NDArray[Any]:
        """Return the values of some rows, or of all."""
        return values[: len(self._ids)] if rows is None else values[rows]

    def _dots(self, query: Float32s, query_length: np.float64, rows: Rows | None) -> npt.NDArray[Any]:
        """Return the dot product of the query with each row: in float32 where that is safe."""
        matrix = self._matrix[: len(self._ids)]
        few = rows is not None and len(rows) < len(matrix) // _GATHER
        if few:
            matrix = matrix[rows]
        dots: npt.NDArray[Any]
        if self._extreme or not _is_safe(query_length):
            dots = matrix.astype(np.float64) @ query.astype(np.float64)
        else:
            dots = matrix @ query
        return dots if rows is None or few else dots[rows]

    def _similarities(self, query: Float32s, rows: Rows) -> npt.NDArray[np.float64]:
        """Return exact similarities; a row's does not depend on the others."""
        parts = [self._exact(query, rows[start : start + _CHUNK]) for start in range(0, len(rows), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _exact(self, query: Float32s, rows: Rows) -> npt.NDArray[np.float64]:
        matrix = self._matrix[rows].astype(np.float64)
        wide = query.astype(np.float64)
        result: npt.NDArray[np.float64]
        if self._metric == "euclidean":
            result = 1.0 / (1.0 + np.sqrt(((matrix - wide) ** 2).sum(axis=1)))
            return result
        result = (matrix * wide).sum(axis=1)
        if self._metric == "cosine":
            scale = self._lengths[rows] * _lengths(query[np.newaxis])[0]
            result = np.clip((result / scale).round(_COSINE_DIGITS), -1.0, 1.0)
        return result

    def __len__(self) -> int:
        return len(self._ids)


def _lengths(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    wide = matrix.astype(np.float64)
    result: npt.NDArray[np.float64] = np.sqrt((wide * wide).sum(axis=1))
    return result


def _is_safe(length: np.float64) -> bool:
    return bool(length == 0 or _SAFE_LENGTHS[0] < length < _SAFE_LENGTHS[1])


def _floor(scores: npt.NDArray[Any], limit: int) -> float:
    """Return a bound that at least `limit` scores reach, near the `limit`-th best.

    Of many scores only the best of each block are ordered.
    """
    if len(scores) > _BLOCK * limit:
        scores = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))
    return float(np.partition(scores, len(scores) - limit)[len(scores) - limit])


def _best_first(result: tuple[float, str]) -> tuple[float, str]:
    return -result[0], result[1]
