"""Finding rows that are probably the nearest, by an HNSW graph: see docs/design/approximate-search.md."""

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.backends.vector_store.scoring import Float64s, Query, Rows, threshold
from symphony_registry.providers.embedded.vectors.neighbours import Adding, NeighbourGraph

# Of fewer rows, an exact search is as fast; also where the limit is more than one in so many.
_FEWEST, _SHARE = 50_000, 500
# Rows that are added to the graph at a time, and that may wait before the first is: a search scores each of them.
_PART, _WAITING = 64, 64
# Candidates for each result, the more the better they are; and the best of these that are scored exactly: the graph's
# numbers are rounded, so that its order is not the last word.
_CANDIDATES, _SCORED = 4, 2
# Equal vectors would take all links of one another, so that nothing leads to them: numbers are changed by as much as
# rounding may change them, those near zero as if they were that far from it.
_NOISE, _LEAST = {"cosine": 2e-3, "dot": 2e-3, "euclidean": 5e-4}, 0.004
# A filter that keeps less than one in so many is searched exactly.
_KEPT = 2
# A vector may be so many times as long as the middle one of a sample, since float16 ends at 65,504; for dot products,
# as the last of the longest: where these are fewer, they take all links.
_LONGEST = {"cosine": math.inf, "dot": 4, "euclidean": 1e4}
_SAMPLE, _LONG = 2**16, 100


class ApproximateRows:
    """The rows of a matrix as keys in a graph. A key is never used twice: a row whose vector changes gets another.

    The graph takes the keys in their order, so that the last ones wait for it. Those
    that lost their row stay in it, and are passed over, until they are a third; then
    all are added anew. `append`, `replace` and `move` follow the rows: O(1) each,
    amortised. Threads may search at once, while nothing else is called; what
    `next_part` gave may be done at any time.
    """

    def __init__(self, options: HNSWOptions) -> None:
        self._options = options
        self._begin(0)

    def _begin(self, rows: int, reason: str = "") -> None:
        """Give so many rows new keys, for a new graph; what a thread adds to the old one is in vain."""
        self.reason = reason  # why there is a new one
        numbers = np.arange(rows).tobytes()  # a fifth of the time of a range
        self._keys = array("q", numbers)  # by row
        self._rows = array("q", numbers)  # by key; -1 where it has none any more
        self._graph = NeighbourGraph(self._options)
        self._scale = 0.0  # a length, which is 1 in the graph; none before it is begun
        self._measured = 0  # so many rows had to do with it
        self._is_exceeded = False  # by a vector that waits

    def restore(self, rows: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over the arrays of so many rows, where they were made with the same options."""
        recipe = arrays["recipe"].tolist() if "recipe" in arrays else []
        if recipe[:2] != self._recipe():
            self._begin(rows, " anew, since m or ef_construction is another" if recipe else "")
            return
        self._scale = recipe[2]
        added, keys, checksum = map(int, recipe[3:])
        self._measured = added
        by_row, by_key = arrays["keys"], np.full(keys, -1)
        by_key[by_row] = np.arange(rows)
        self._keys, self._rows = array("q", by_row.tobytes()), array("q", by_key.tobytes())
        self._graph = NeighbourGraph(self._options, arrays["graph"], checksum, added)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `restore` takes; nothing where there is no graph."""
        graph, checksum, added = self._graph.stored()
        if graph is None:
            return {}
        recipe = np.array([*self._recipe(), self._scale, added, len(self._rows), checksum], np.float64)
        return {"recipe": recipe, "keys": np.array(self._keys), "graph": graph}

    def _recipe(self) -> list[int]:
        return [self._options.m, self._options.ef_construction]

    @property
    def unsaved(self) -> int:
        """How many keys the graph has that it had not when it was restored."""
        return self._graph.added - self._graph.saved

    def append(self, count: int) -> None:
        """Follow rows that are added at the end."""
        row, key = len(self._keys), len(self._rows)
        self._keys.extend(range(key, key + count))
        self._rows.extend(range(row, row + count))

    def replace(self, row: int) -> None:
        """Follow a row that gets another vector."""
        self._rows[self._keys[row]] = -1
        self._keys[row] = len(self._rows)
        self._rows.append(row)
        self._drop_spent()

    def move(self, row: int) -> None:
        """Follow the last row, which takes the place of `row`."""
        last = self._keys.pop()
        if row < len(self._keys):
            self._rows[self._keys[row]] = -1
            self._keys[row], self._rows[last] = last, row
        else:
            self._rows[last] = -1
        self._drop_spent()

    def _drop_spent(self) -> None:
        if 2 * len(self._rows) > 3 * len(self._keys):
            self._begin(len(self._keys), " anew, since a third of its vectors were replaced or deleted")

    @property
    def is_outgrown(self) -> bool:
        """Whether vectors that are too long for the graph came to a store that has grown by half since it was begun."""
        return self._is_exceeded and 2 * len(self._keys) > 3 * self._measured

    def outgrow(self) -> None:
        """Begin anew; like a change, while nothing else is called."""
        self._begin(len(self._keys), " anew, since longer vectors have come")

    def recover(self) -> None:
        """Begin anew where a thread was using the graph that is gone, or whose end nobody hears of."""
        if self._graph.is_used:
            self._begin(len(self._keys))

    @property
    def is_new(self) -> bool:
        """Whether the graph has no vectors yet, not even stored ones."""
        return not self._graph.added

    @property
    def is_open(self) -> bool:
        """Whether the graph was begun, or loaded."""
        return self._graph.is_open

    def is_behind(self) -> bool:
        """Say whether searches are exact until the graph has what waits."""
        return self._is_possible() and not (self._graph.is_open and self._waiting() <= _WAITING)

    def _is_possible(self) -> bool:
        return not self._graph.is_adding and len(self._keys) >= _FEWEST

    def _waiting(self) -> int:
        return len(self._rows) - self._graph.added

    def next_part(self, matrix: Float32s, lengths: Float64s) -> Adding | None:
        """Return the next part of what waits, to be added on a thread; `None` where nothing does."""
        graph = self._graph
        if not self._is_possible() or (graph.is_open and not self._waiting()):
            return None
        if not self._scale:
            self._measured = len(self._keys)
            self._scale = self._typical(lengths[: self._measured])
        first, end = graph.added, min(graph.added + _PART, len(self._rows))
        rows = np.array(self._rows[first:end])
        keys = np.flatnonzero(rows >= 0)
        rows = rows[keys]
        if lengths[rows].max(initial=0) > _LONGEST[self._options.metric] * self._scale:
            self._is_exceeded = True
            return None  # they wait, and searches are exact
        vectors = self._scaled(matrix[rows], lengths[rows])
        noise = np.random.default_rng(first).uniform(-1, 1, vectors.shape)
        vectors += noise * np.maximum(np.abs(vectors), _LEAST) * _NOISE[self._options.metric]
        return graph.adding(first + keys, vectors, end)

    def _typical(self, lengths: Float64s) -> float:
        """Return the length with which others are compared, in a time that hardly depends on how many there are."""
        if self._options.metric == "dot":
            return threshold(lengths, min(_LONG, len(lengths))) or 1.0
        return float(np.median(lengths[:: 1 + len(lengths) // _SAMPLE])) or 1.0

    def _scaled(self, rows: Float32s, lengths: Float64s) -> Float32s:
        """Return rows as the graph has them: of length 1 for cosine."""
        divisors = lengths[:, np.newaxis] if self._options.metric == "cosine" else self._scale
        return (rows / divisors).astype(np.float32)

    def _scaled_query(self, query: Query) -> "Float32s | None":
        """Return what the graph is asked for, `None` where float16 cannot say it."""
        if self._options.metric != "euclidean":
            return query.direction()
        fits = 1 / _LONGEST["euclidean"] <= query.length / self._scale <= _LONGEST["euclidean"]
        return (query.vector / self._scale).astype(np.float32) if fits else None

    def can_find(self, count: int, limit: int) -> bool:
        """Say whether the `limit` nearest of `count` rows are looked for in the graph."""
        return (
            self._is_possible()
            and not self.is_behind()
            and limit * _SHARE <= len(self._keys)
            and count * _KEPT >= len(self._keys)
        )

    def numbers(self, queries: int, limit: int, dimension: int) -> float:
        """Estimate how many numbers `candidates` reads."""
        options = self._options
        return queries * max(options.ef_search, _CANDIDATES * limit) * 2 * options.m * dimension

    def candidates(self, queries: Sequence[Query], limit: int, chosen: Rows | None) -> list[Rows] | None:
        """Return, for each query, those of the rows that are probably the nearest; `None` to search exactly."""
        count = len(self._keys) if chosen is None else len(chosen)
        if not self.can_find(count, limit):
            return None
        by_key = np.frombuffer(self._rows, np.int64)
        wanted = math.ceil(_CANDIDATES * limit * len(by_key) / count)
        found: list[Rows] = []
        for query in queries:
            scaled = self._scaled_query(query)
            if scaled is None:
                return None
            keys, added = self._graph.search(scaled, wanted)
            near = _chosen(by_key[keys], chosen)
            if len(near) < limit:
                return None
            found.append(np.concatenate([near[: _SCORED * limit], _chosen(by_key[added:], chosen)]))
        return found


def _chosen(rows: Rows, chosen: Rows | None) -> Rows:
    """Return those of the rows that are there, and among the chosen ones, which are in order."""
    rows = rows[rows >= 0]
    return rows if chosen is None else rows[chosen[np.searchsorted(chosen, rows).clip(max=len(chosen) - 1)] == rows]
