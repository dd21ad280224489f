"""The state of an embedded vector store: rows of one matrix, searched exactly."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from symphony_registry.backends.cost import NUMBERS
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.selection import Range
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows, are_ordinary, are_safe, lengths_of
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.embedded.ids import SortedIds
from symphony_registry.providers.embedded.replica import Change
from symphony_registry.providers.embedded.vectors.candidates import CandidateFinder
from symphony_registry.providers.embedded.vectors.columns import Columns, Mask
from symphony_registry.providers.embedded.vectors.principal import PrincipalHead

# Rows that are made into Python's numbers, scored exactly, or given as a change, at a time.
_CHUNK = 1024


class VectorIndex:
    """Vectors and metadata by row. A deleted row is filled with the last one.

    A change puts a block of vectors: `ids`, `vectors` (a row each, the index's own
    from then on) and `metadata`; of equal ids the last counts. `put` is amortised
    O(dimension) a row, and deleting one, too; `search` is O(rows x dimension), most
    of which it need not read.
    """

    def __init__(self, dimension: int | None, metric: Metric) -> None:
        self._option_dimension = dimension
        self._metric: Metric = metric
        self.clear()

    @classmethod
    def restored(
        cls,
        dimension: int | None,
        metric: Metric,
        ids: list[str],
        metadata: Iterable[JSONObject | bytes],
        arrays: Mapping[str, npt.NDArray[Any]],
    ) -> "VectorIndex":
        """Return an index that is as the one that gave `arrays`, which it takes for its own.

        They have to be writable; a memory-mapped copy (mode `c`) is. Metadata may
        be JSON, which is read when it is asked for.
        """
        index = cls(dimension, metric)
        matrix, lengths = arrays["matrix"], arrays["lengths"]
        index._take(ids, matrix, lengths)
        index._ids, index._metadata, index.rows = ids, list(metadata), dict(zip(ids, range(len(ids)), strict=True))
        index._matrix, index._lengths = matrix, lengths
        order = arrays.get("order")  # which older ones do not have
        index.in_order = SortedIds(ids if order is None else np.array(ids, object)[order].tolist())
        if "basis" in arrays:
            index._head.restore(len(ids), arrays["basis"], arrays["heads"])
        return index

    def items(self) -> tuple[list[str], list[JSONObject | bytes]]:
        """Return the ids and metadata that `restored` takes; the index's own objects."""
        return self._ids, self._metadata

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the numbers that `restored` takes, those of the rows in their order."""
        matrix, lengths, head = self._finder()
        order = np.fromiter((self.rows[id] for id in self.in_order.within(Range())), np.int32, len(self))
        directions = head.arrays(matrix, lengths) if head else {}
        return {"matrix": matrix, "lengths": lengths, "order": order, **directions}

    def emptied(self) -> "VectorIndex":
        """Return a new one with the same options."""
        return VectorIndex(self._option_dimension, self._metric)

    def clear(self) -> None:
        """Forget everything, the dimension too unless an option fixed it."""
        self.dimension = self._option_dimension
        self.rows: dict[str, int] = {}
        self.in_order = SortedIds()
        self._ids: list[str] = []
        self._metadata: list[JSONObject | bytes] = []
        self._matrix: Float32s = np.empty((0, self.dimension or 0), np.float32)
        self._lengths: Float64s = np.empty(0)
        self._extreme = False  # a length was not safe
        self._head = PrincipalHead(self._metric)
        self._columns = Columns()

    def apply(self, change: Change) -> None:
        """Make one change: put, update, delete_many, dimension or clear; delete is what was written once."""
        match change["op"]:
            case "put":
                self._put(change["ids"], change["vectors"], change["metadata"])
            case "update":
                row = self.rows[change["id"]]
                self._replace(row, self.metadata(row) | change["metadata"])
            case "delete_many":
                for id in change["ids"]:
                    self._delete(id)
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
        for start in range(0, len(self), _CHUNK):
            ids = self._ids[start : start + _CHUNK]
            rows = range(start, start + len(ids))
            vectors = self._matrix[start : start + len(ids)]
            yield {"op": "put", "ids": ids, "vectors": vectors, "metadata": [self.metadata(row) for row in rows]}

    def _fix_dimension(self, dimension: int) -> None:
        if self.dimension is None:
            self.dimension = dimension
            self._matrix = np.empty((0, dimension), np.float32)
        elif dimension != self.dimension:  # other options than when it was stored
            raise InvalidValueError(
                f"The option dimension is {self.dimension}, but what is stored has dimension {dimension}. "
                "Leave the option out, or name another place.",
                options=("dimension",),
            )

    def _put(self, ids: Sequence[str], vectors: Float32s, metadata: Sequence[JSONObject]) -> None:
        lengths = lengths_of(vectors)
        self._take(ids, vectors, lengths)
        before = len(self._ids)
        where: slice | list[int]
        if self.rows.keys().isdisjoint(ids) and len(set(ids)) == len(ids):
            where = self._append(ids, metadata)
        else:
            where = [self._put_metadata(id, item) for id, item in zip(ids, metadata, strict=True)]
        if where == slice(0, len(vectors)):  # the block is the matrix
            self._matrix, self._lengths = vectors, lengths
        else:
            if len(self._ids) > len(self._matrix):
                self._grow(max(64, 2 * before, len(self._ids)))
            self._matrix[where] = vectors
            self._lengths[where] = lengths

    def _append(self, ids: Sequence[str], metadata: Sequence[JSONObject]) -> slice:
        """Add rows with new ids, and return where."""
        before = len(self._ids)
        for row, id in enumerate(ids, before):
            self.rows[id] = row
        self.in_order.add_many(ids)
        self._ids += ids
        self._metadata += metadata
        self._columns.append(metadata)
        return slice(before, len(self._ids))

    def _take(self, ids: Sequence[str], vectors: Float32s, lengths: Float64s) -> None:
        """Adapt to vectors that come in, or refuse them."""
        self._fix_dimension(vectors.shape[1])
        if are_ordinary(lengths):
            return
        if self._metric == "cosine" and not lengths.all():  # another metric than when it was stored
            raise InvalidValueError(
                f"The option metric is cosine, but the vector stored under {ids[int(lengths.argmin())]!r} has length "
                "zero. Choose dot or euclidean.",
                options=("metric",),
            )
        self._extreme = self._extreme or not are_safe(lengths)

    def _put_metadata(self, id: str, metadata: JSONObject) -> int:
        row = self.rows.get(id)
        if row is None:
            row = len(self._ids)
            self._append([id], [metadata])
        else:
            self._replace(row, metadata)
            self._head.note(row)
        return row

    def _replace(self, row: int, metadata: JSONObject) -> None:
        self._metadata[row] = metadata
        self._columns.replace(row, metadata)

    def _grow(self, capacity: int) -> None:
        rows = len(self._lengths)
        matrix, lengths = np.empty((capacity, self._matrix.shape[1]), np.float32), np.empty(capacity)
        matrix[:rows], lengths[:rows] = self._matrix, self._lengths
        self._matrix, self._lengths = matrix, lengths

    def _delete(self, id: str) -> None:
        row = self.rows.pop(id)
        self.in_order.remove(id)
        last_id, last_metadata = self._ids.pop(), self._metadata.pop()
        last = len(self._ids)
        if row != last:
            self._ids[row], self._metadata[row] = last_id, last_metadata
            self._matrix[row], self._lengths[row] = self._matrix[last], self._lengths[last]
            self.rows[last_id] = row
            self._head.note(row)
        self._head.drop(last)
        self._columns.move(row)

    def growing_cost(self, changes: Sequence[Change]) -> float:
        """Return what moving the matrix costs, where it is too small for what is put."""
        more = 0
        for change in changes:
            more += len(change["ids"]) if change["op"] == "put" else 0
        return self._matrix.size / NUMBERS if len(self._ids) + more > len(self._matrix) else 0

    def vector(self, id: str) -> list[float]:
        """Return the vector of an id that is there, as it was stored."""
        vector: list[float] = self._matrix[self.rows[id]].tolist()
        return vector

    def metadata(self, row: int) -> JSONObject:
        """Return the metadata of a row; the index's own object."""
        document = self._metadata[row]
        return orjson.loads(document) if isinstance(document, bytes) else document

    def mask(self, condition: Condition) -> Mask:
        """Return which rows' metadata match."""
        return self._columns.mask(condition, len(self), self.metadata)

    def ids_of(self, mask: Mask) -> list[str]:
        """Return the ids of the rows of a mask."""
        return [self._ids[row] for row in np.flatnonzero(mask).tolist()]

    def mask_cost(self, condition: Condition) -> float:
        """Return about how long `mask` takes, in steps of 0.1 µs."""
        return self._columns.cost(condition, len(self))

    def numbers(self, count: int, queries: int) -> float:
        """Return about how many numbers a search with so many queries reads, by which `count` rows may be found."""
        return self._finder().numbers(count, queries)

    def search_many(
        self, vectors: Sequence[Float32s], limit: int, mask: Mask | None = None, most: float = math.inf
    ) -> list[list[tuple[float, str]]] | None:
        """Return, for each query, the `limit` most similar ids of a mask (all by default) with their similarity.

        Rows that can be among the best within the error of float32 are scored
        again in float64, so that the result does not depend on where a row stands
        in the matrix, nor on how the candidates were found. Of near-equal vectors
        these are many: where they are more than `most`, the answer is `None`.
        """
        queries = [Query(vector, self._metric) for vector in vectors]
        results: list[list[tuple[float, str]]] = []
        for query, rows in zip(queries, self._finder().candidates(queries, limit, mask), strict=True):
            most -= len(rows)
            if most < 0:
                return None
            results.append(self._best(query, rows, limit))
        return results

    def _best(self, query: Query, rows: Rows, limit: int) -> list[tuple[float, str]]:
        parts = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
        similarities = [
            value for part in parts for value in query.similarities(self._matrix[part], self._lengths[part]).tolist()
        ]
        ids = [self._ids[row] for row in rows.tolist()]
        return sorted(zip(similarities, ids, strict=True), key=_best_first)[:limit]

    def _finder(self) -> CandidateFinder:
        rows = len(self._ids)
        return CandidateFinder(self._matrix[:rows], self._lengths[:rows], None if self._extreme else self._head)

    def __len__(self) -> int:
        return len(self._ids)


def merged(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield changes that do the same: puts that stand together as one, which takes a fraction of the time."""
    for op, alike in groupby(changes, itemgetter("op")):
        group = list(alike)
        if op != "put" or len(group) == 1:
            yield from group
            continue
        yield {
            "op": "put",
            "ids": list(chain.from_iterable(put["ids"] for put in group)),
            "vectors": np.concatenate([put["vectors"] for put in group]),
            "metadata": list(chain.from_iterable(put["metadata"] for put in group)),
        }


def _best_first(result: tuple[float, str]) -> tuple[float, str]:
    return -result[0], result[1]
