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
        length = _lengths(vector[np.newaxis])[0]
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

    def _grow(self, capacity: int) -> None:
        rows = len(self._ids)
        matrix = np.empty((capacity, self._matrix.shape[1]), np.float32)
        matrix[:rows] = self._matrix[:rows]
        lengths = np.empty(capacity)
        lengths[:rows] = self._lengths[:rows]
        self._matrix, self._lengths = matrix, lengths

    def _delete(self, id: str) -> None:
        row = self.rows.pop(id)
        last_id, last_metadata = self._ids.pop(), self._metadata.pop()
        if last_id != id:
            last = len(self._ids)
            self._ids[row], self._metadata[row] = last_id, last_metadata
            self._matrix[row], self._lengths[row] = self._matrix[last], self._lengths[last]
            self.rows[last_id] = row

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
        count = len(self._ids)
        if rows is None and count > limit:
            rows = self._candidates(query, limit, np.arange(count))
        elif rows is None:
            rows = np.arange(count)
        elif len(rows) > limit:
            rows = self._candidates(query, limit, rows)
        similarities = self._similarities(query, rows).tolist()
        best = sorted(zip(similarities, (self._ids[row] for row in rows.tolist()), strict=True), key=_best_first)
        return best[:limit]

    def _candidates(self, query: Float32s, limit: int, rows: Rows) -> Rows:
        """Return the rows that can be among the `limit` best: `limit` and a few more."""
        count = len(self._ids)
        lengths = self._lengths[rows]
        query_length = _lengths(query[np.newaxis])[0]
        matrix = self._matrix[:count] if len(rows) == count else self._matrix[rows]
        if not (_are_safe(lengths) and _are_safe(query_length)):
            scores = matrix.astype(np.float64) @ query.astype(np.float64)
        else:
            scores = (matrix @ query).astype(np.float64)
        tolerance = max(_LEAST_ERROR, _TERM_ERROR * query.size)
        error = tolerance * query_length * lengths
        if self._metric == "cosine":
            scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
            scores *= scale
            error *= scale
        elif self._metric == "euclidean":
            scores = 2 * scores - lengths**2
            error = 2 * error + tolerance * lengths**2 + _SAME_DISTANCE * (query_length + lengths + _SAME_DISTANCE)
        floor = np.partition(scores - error, len(scores) - limit)[len(scores) - limit]
        chosen: Rows = rows[scores + error >= floor]
        return chosen

    def _similarities(self, query: Float32s, rows: Rows) -> npt.NDArray[np.float64]:
        """Return exact similarities; a row's does not depend on the others."""
        matrix = self._matrix[rows].astype(np.float64)
        wide = query.astype(np.float64)
        result: npt.NDArray[np.float64]
        if self._metric == "euclidean":
            result = 1.0 / (1.0 + np.sqrt(((matrix - wide) ** 2).sum(axis=1)))
            return result
        result = (matrix * wide).sum(axis=1)
        if self._metric == "cosine":
            scale = self._lengths[rows] * _lengths(query[np.newaxis])[0]
            result = np.divide(result, scale, out=np.zeros_like(result), where=scale > 0)
            result = np.clip(result.round(_COSINE_DIGITS), -1.0, 1.0)
        return result

    def __len__(self) -> int:
        return len(self._ids)


def _lengths(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    wide = matrix.astype(np.float64)
    result: npt.NDArray[np.float64] = np.sqrt((wide * wide).sum(axis=1))
    return result


def _are_safe(lengths: npt.NDArray[np.float64]) -> bool:
    least, most = _SAFE_LENGTHS
    return bool(((lengths == 0) | ((least < lengths) & (lengths < most))).all())


def _best_first(result: tuple[float, str]) -> tuple[float, str]:
    return -result[0], result[1]
