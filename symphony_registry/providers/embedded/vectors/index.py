"""The state of an embedded vector store: rows of one matrix, searched exactly, or by a graph as well."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from symphony_registry.backends.cost import NUMBERS
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.selection import Range
from symphony_registry.backends.values import JSONObject, copied
from symphony_registry.backends.vector_store.base import Float32s
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows, are_ordinary, lengths_of, outliers
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.embedded.ids import SortedIds
from symphony_registry.providers.embedded.replica import Change
from symphony_registry.providers.embedded.vectors.approximate import ApproximateRows
from symphony_registry.providers.embedded.vectors.bounds import RowBounds
from symphony_registry.providers.embedded.vectors.candidates import CandidateFinder
from symphony_registry.providers.embedded.vectors.columns import Columns
from symphony_registry.providers.embedded.vectors.neighbours import Adding
from symphony_registry.providers.embedded.vectors.principal import PrincipalHead
from symphony_registry.providers.embedded.vectors.quantized import CODES_COST, QuantizedRows

# Rows that are made into Python's numbers, scored exactly, or given as a change, at a time.
_CHUNK = 1024


class VectorIndex:
    """Vectors and metadata by row. A deleted row is filled with the last one.

    A change puts a block of vectors: `ids`, `vectors` (a row each, the index's own
    from then on) and `metadata`; of equal ids the last counts. `put` is amortised
    O(dimension) a row, and deleting one, too; `search` is O(rows x dimension), most
    of which it need not read.
    """

    def __init__(self, options: HNSWOptions) -> None:
        self._options = options
        self.clear()

    @classmethod
    def restored(cls, options: HNSWOptions, arrays: Mapping[str, npt.NDArray[Any]]) -> "VectorIndex":
        """Return an index that is as the one that gave `arrays`, which it takes for its own.

        They have to be writable; a memory-mapped copy (mode `c`) is. Metadata is
        read when it is asked for.
        """
        index = cls(options)
        matrix, lengths = arrays["matrix"], arrays["lengths"]
        ids: list[str] = str(arrays["ids"].data, "utf-8").split("\0")
        index._take(ids, matrix, lengths)
        rows = list(range(len(ids)))
        index._ids, index._metadata, index.rows = ids, [*rows], dict(zip(ids, rows, strict=True))
        index._ends, index._text = arrays["ends"].data, arrays["metadata"].data
        index._matrix, index._lengths = matrix, lengths
        index.in_order = SortedIds(np.array(ids, object)[arrays["order"]].tolist())
        if "basis" in arrays:
            index._head.restore(len(ids), arrays["basis"], arrays["heads"])
        if index._approximate is not None:
            index._approximate.restore(len(ids), arrays)
        return index

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `restored` takes, that of the rows in their order; ids with U+0000 between, metadata as JSON."""
        matrix, lengths, *_ = self._finder()
        directions = {} if self._extreme else self._head.arrays(matrix, lengths)
        graph = self._approximate.arrays() if self._approximate is not None else {}
        texts = [self._stored(each) if isinstance(each, int) else orjson.dumps(each) for each in self._metadata]
        return {
            "matrix": matrix,
            "lengths": lengths,
            "ids": np.frombuffer("\0".join(self._ids).encode(), np.uint8),
            "order": np.fromiter((self.rows[id] for id in self.in_order.within(Range())), np.int32, len(self)),
            "ends": np.cumsum([len(text) for text in texts]),
            "metadata": np.frombuffer(b"".join(texts), np.uint8),
            **directions,
            **graph,
        }

    def emptied(self) -> "VectorIndex":
        """Return a new one with the same options."""
        return VectorIndex(self._options)

    def clear(self) -> None:
        """Forget everything, the dimension too unless an option fixed it."""
        self.dimension = self._options.dimension
        self.rows: dict[str, int] = {}
        self.in_order = SortedIds()
        self._ids: list[str] = []
        self._metadata: list[JSONObject | int] = []  # or its place in the text
        self._ends = self._text = memoryview(b"")
        self._matrix: Float32s = np.empty((0, self.dimension or 0), np.float32)
        self._lengths: Float64s = np.empty(0)
        self._extreme: set[str] = set()  # ids of vectors whose lengths are not safe
        codes = [QuantizedRows(self._options.metric)] if QuantizedRows.is_installed() else []
        self._head = PrincipalHead(self._options.metric, CODES_COST if codes else math.inf)
        self._bounds: tuple[RowBounds, ...] = (self._head, *codes)
        self._columns = Columns()
        self._approximate = ApproximateRows(self._options) if self._options.index == "hnsw" else None

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
        if self._approximate is not None:
            self._approximate.append(len(ids))
        return slice(before, len(self._ids))

    def _take(self, ids: Sequence[str], vectors: Float32s, lengths: Float64s) -> None:
        """Adapt to vectors that come in, or refuse them."""
        self._fix_dimension(vectors.shape[1])
        if are_ordinary(lengths) and not self._extreme:
            return
        if self._options.metric == "cosine" and not lengths.all():  # another metric than when it was stored
            raise InvalidValueError(
                f"The option metric is cosine, but the vector stored under {ids[int(lengths.argmin())]!r} has length "
                "zero. Choose dot or euclidean.",
                options=("metric",),
            )
        extreme = dict(zip(ids, outliers(lengths).tolist(), strict=True))  # of equal ids, the last counts
        self._extreme.difference_update(ids)
        self._extreme.update(filter(extreme.get, extreme))

    def _put_metadata(self, id: str, metadata: JSONObject) -> int:
        row = self.rows.get(id)
        if row is None:
            row = len(self._ids)
            self._append([id], [metadata])
        else:
            self._replace(row, metadata)
            self._note(row)
            if self._approximate is not None:
                self._approximate.replace(row)
        return row

    def _replace(self, row: int, metadata: JSONObject) -> None:
        self._metadata[row] = metadata
        self._columns.replace(row, metadata)

    def _note(self, row: int) -> None:
        for bounds in self._bounds:
            bounds.note(row)

    def _grow(self, capacity: int) -> None:
        rows = len(self._lengths)
        matrix, lengths = np.empty((capacity, self._matrix.shape[1]), np.float32), np.empty(capacity)
        matrix[:rows], lengths[:rows] = self._matrix, self._lengths
        self._matrix, self._lengths = matrix, lengths

    def _delete(self, id: str) -> None:
        row = self.rows.pop(id)
        self._extreme.discard(id)
        self.in_order.remove(id)
        last_id, last_metadata = self._ids.pop(), self._metadata.pop()
        last = len(self._ids)
        if row != last:
            self._ids[row], self._metadata[row] = last_id, last_metadata
            self._matrix[row], self._lengths[row] = self._matrix[last], self._lengths[last]
            self.rows[last_id] = row
            self._note(row)
        for bounds in self._bounds:
            bounds.drop(last)
        self._columns.move(row)
        if self._approximate is not None:
            self._approximate.move(row)

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
        return orjson.loads(self._stored(document)) if isinstance(document, int) else document

    def document(self, id: str) -> JSONObject:
        """Return a copy of the metadata of an id that is there."""
        document = self._metadata[self.rows[id]]
        copy: JSONObject = orjson.loads(self._stored(document)) if isinstance(document, int) else copied(document)
        return copy

    def _stored(self, place: int) -> memoryview:
        return self._text[self._ends[place - 1] if place else 0 : self._ends[place]]

    def matching(self, condition: Condition) -> Rows:
        """Return the rows whose metadata match, in order."""
        return self._columns.matching(condition, len(self), self.metadata)

    def ids_of(self, rows: Rows) -> list[str]:
        """Return the ids of some rows."""
        return [self._ids[row] for row in rows.tolist()]

    def matching_cost(self, condition: Condition) -> float:
        """Return about how long `matching` takes, in steps of 0.1 µs."""
        return self._columns.cost(condition, len(self))

    def numbers(self, count: int, queries: int, limit: int) -> float:
        """Return about how many numbers a search with so many queries reads, by which `count` rows may be found."""
        if self._approximate is not None and self._approximate.can_find(count, limit):
            return self._approximate.numbers(queries, limit, self._matrix.shape[1])
        return self._finder().numbers(count, queries)

    def search_many(
        self, vectors: Sequence[Float32s], limit: int, rows: Rows | None = None, most: float = math.inf
    ) -> list[list[tuple[float, str]]] | None:
        """Return, for each query, the `limit` most similar ids of some rows (all by default) with their similarity.

        Rows that can be among the best within the error of float32 are scored
        again in float64, so that the result does not depend on where a row stands
        in the matrix, nor on how the candidates were found. Of near-equal vectors
        these are many: where they are more than `most`, the answer is `None`.
        """
        queries = [Query(vector, self._options.metric) for vector in vectors]
        results: list[list[tuple[float, str]]] = []
        found: Iterable[Rows] | None = None
        if self._approximate is not None:
            found = self._approximate.candidates(queries, limit, rows)
        if found is None:
            found = self._finder().candidates(queries, limit, rows)
        for query, near in zip(queries, found, strict=True):
            most -= len(near)
            if most < 0:
                return None
            results.append(self._best(query, near, limit))
        return results

    def _best(self, query: Query, rows: Rows, limit: int) -> list[tuple[float, str]]:
        parts = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
        negative = [  # so that the best come first, equals by id
            value
            for part in parts
            for value in (-query.similarities(self._matrix.take(part, 0), self._lengths.take(part))).tolist()
        ]
        return [(-value, id) for value, id in sorted(zip(negative, self.ids_of(rows), strict=True))[:limit]]

    @property
    def approximate(self) -> ApproximateRows:
        """The graph of the vectors, where the options ask for one."""
        assert self._approximate is not None
        return self._approximate

    @property
    def unsaved(self) -> int:
        """How many vectors the graph has got since the index was restored."""
        return 0 if self._approximate is None else self._approximate.unsaved

    def next_part(self) -> Adding | None:
        """Return what adds the next vectors to the graph, on a thread; `None` where none wait."""
        return self.approximate.next_part(self._matrix, self._lengths)

    def _finder(self) -> CandidateFinder:
        rows = len(self._ids)
        return CandidateFinder(self._matrix[:rows], self._lengths[:rows], () if self._extreme else self._bounds)

    def __len__(self) -> int:
        return len(self._ids)
