"""Exact search: nothing is missed, whatever the numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.selection import Range
from symphony_registry.backends.vector_store.base import Metric
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.embedded.replica import CLEAR, Change
from symphony_registry.providers.embedded.vectors import bounds, principal
from symphony_registry.providers.embedded.vectors.codec import merged
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.quantized import QuantizedRows
from tests.helpers.fakes import search

METRICS: list[Metric] = ["cosine", "dot", "euclidean"]
numbers = st.floats(-4, 4, width=32) | st.sampled_from([0.0, 1e-20, -1e-30, 1e-42, 3e38, -1e30, 1e-17])


def index_of(vectors: "list[list[float]]", metric: Metric) -> VectorIndex:
    index = VectorIndex(HNSWOptions(metric=metric))
    for number, vector in enumerate(vectors):
        stored = np.array(vector, np.float32)
        if metric != "cosine" or stored.any():
            index.apply({"op": "put", "ids": [f"{number:04}"], "vectors": stored[np.newaxis], "metadata": [{}]})
    return index


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=40), st.sampled_from(METRICS))
def test_the_best_are_the_beginning_of_all_sorted(vectors: list[list[float]], metric: Metric) -> None:
    index = index_of(vectors, metric)
    if not len(index):
        return
    query = np.array([1.5, -0.25, 1e-20], np.float32)
    everything = search(index, query, len(index))
    assert everything == sorted(everything, key=lambda found: (-found[0], found[1]))
    for limit in range(1, len(index)):
        assert search(index, query, limit) == everything[:limit]


@pytest.mark.parametrize("dimension", [256, 4096, 8192])
def test_rounding_in_long_vectors_misses_nothing(dimension: int) -> None:
    query = np.full(dimension, 4.8515, np.float32)
    vectors = [np.full(dimension, value).tolist() for value in (0.342174, 7.349803, 7.349803)]
    index = index_of(vectors, "cosine")
    assert search(index, query, 1) == search(index, query, 3)[:1]


def test_equal_vectors_are_equals_wherever_they_stand() -> None:
    random = np.random.default_rng(1)
    vector = random.normal(size=384)
    rows = [vector if number % 7 == 0 else random.normal(size=384) for number in range(1000)]
    for metric in METRICS:
        found = search(index_of([row.tolist() for row in rows], metric), vector.astype(np.float32), 143)
        assert len({similarity for similarity, _ in found}) == 1
        assert [id for _, id in found] == [f"{number:04}" for number in range(0, 1000, 7)]


def test_vectors_of_one_direction_are_equals_whatever_their_lengths() -> None:
    vectors = [[factor * part for part in (1.0, 2.0, 3.0)] for factor in (3.0, 1.0, 7.0, 0.1)]
    found = search(index_of(vectors, "cosine"), np.array([0.5, 1.0, 1.0], np.float32), 4)
    assert [id for _, id in found] == ["0000", "0001", "0002", "0003"]


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=3) | st.none(), max_size=12))
def test_merged_changes_do_the_same(puts: "list[list[str] | None]") -> None:
    """Puts, and deletions of everything."""
    random = np.random.default_rng(1)
    one_by_one, at_once, copy = (VectorIndex(HNSWOptions(dimension=3, metric="dot")) for _ in range(3))
    changes: list[Change] = []
    for ids in puts:
        change: Change = {"op": "delete_many", "ids": list(one_by_one.rows)}
        if ids is not None:
            vectors = random.normal(size=(len(ids), 3)).astype(np.float32)
            metadata = [{"n": random.random()} for _ in ids]
            change = {"op": "put", "ids": ids, "vectors": vectors, "metadata": metadata}
        changes.append(change)
        one_by_one.apply(change)
    for change in merged(changes):
        at_once.apply(change)
    for change in merged([CLEAR, *one_by_one.changes()]):
        copy.apply(change)
    first, *others = (
        {name: array.tobytes() for name, array in index.arrays().items()} for index in (one_by_one, at_once, copy)
    )
    assert others == [first, first]


def test_puts_that_stand_together_become_one() -> None:
    put: Change = {"op": "put", "ids": ["a"], "vectors": np.ones((1, 2), np.float32), "metadata": [{}]}
    assert [change["op"] for change in merged([put, put, CLEAR, put])] == ["put", "clear", "put"]


def test_a_deleted_row_is_filled_and_found_again() -> None:
    index = index_of([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "dot")
    index.apply({"op": "delete", "id": "0000"})
    assert search(index, np.array([1.0, 0.0], np.float32), 10) == [(1.0, "0002"), (0.0, "0001")]
    with pytest.raises(ValueError, match="no change"):
        index.apply({"op": "explode"})


@pytest.mark.parametrize("pays", [True, False])
def test_an_index_is_restored_from_its_arrays(pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuantizedRows, "is_installed", lambda: False)
    monkeypatch.setattr(bounds, "_SMALL", 0)
    monkeypatch.setattr(bounds, "_PATIENCE", 0)
    monkeypatch.setattr(principal, "_PAYS", 100 if pays else 0)
    random = np.random.default_rng(3)
    rows = random.normal(size=(3000, 32)).astype(np.float32)
    ids = [f"{number:04}" for number in range(3000)]
    index = index_of(rows.tolist(), "cosine")
    assert set(index.arrays()) == {"matrix", "lengths", "order", "ids", "ends", "metadata"}
    expected = search(index, rows[5], 10)
    for number, id in enumerate(ids):
        index.apply({"op": "update", "id": id, "metadata": {"n": number}})
    restored = VectorIndex.restored(HNSWOptions(metric="cosine"), index.arrays())
    assert restored.numbers(3000, 1, 10) == index.numbers(3000, 1, 10)
    assert search(restored, rows[5], 10) == expected
    assert len(restored.matching(parse_filter({"n": {"$lt": 3}}))) == 3
    restored.apply({"op": "put", "ids": ["0007", "new"], "vectors": rows[[5, 5]], "metadata": [{}, {}]})
    restored.apply({"op": "delete", "id": "0000"})
    assert [id for _, id in search(restored, rows[5], 3)] == ["0005", "0007", "new"]


def test_a_restored_index_has_its_ids_in_order() -> None:
    index = VectorIndex(HNSWOptions(metric="dot"))
    ids = ["b/2", "a", "b/1", "c"]
    index.apply({"op": "put", "ids": ids, "vectors": np.ones((4, 2), np.float32), "metadata": [{}] * 4})
    restored = VectorIndex.restored(HNSWOptions(metric="dot"), index.arrays())
    assert list(restored.in_order.within(Range())) == ["a", "b/1", "b/2", "c"]
    restored.apply({"op": "delete_many", "ids": ["b/2", "a"]})
    assert list(restored.in_order.within(Range("b"))) == ["b/1"]


def test_metadata_stays_with_its_id_through_changes_and_another_snapshot() -> None:
    index = VectorIndex(HNSWOptions(metric="dot"))
    expected: dict[str, dict[str, Any]] = {"a": {}, "b": {"n": 1}, "c": {"text": "ü\n"}, "d": {"n": [2]}}
    vectors = np.ones((4, 2), np.float32)
    index.apply({"op": "put", "ids": [*expected], "vectors": vectors, "metadata": [*expected.values()]})
    for id, more in ("a", {"new": True}), ("c", {"n": 3}):
        index = VectorIndex.restored(HNSWOptions(metric="dot"), index.arrays())
        assert {id: index.metadata(row) for id, row in index.rows.items()} == expected
        index.apply({"op": "delete", "id": id})  # the last row takes its place
        index.apply({"op": "update", "id": "b", "metadata": more})
        del expected[id]
        expected["b"] = {**expected["b"], **more}
        assert {id: index.metadata(row) for id, row in index.rows.items()} == expected


def test_arrays_are_refused_as_changes_are() -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "matrix": np.zeros((1, 2), np.float32),
        "lengths": np.zeros(1),
        "ids": np.frombuffer(b"a", np.uint8),
    }
    with pytest.raises(InvalidValueError, match="'a' has length zero"):
        VectorIndex.restored(HNSWOptions(metric="cosine"), arrays)
    with pytest.raises(InvalidValueError, match="dimension is 3"):
        VectorIndex.restored(HNSWOptions(dimension=3, metric="dot"), arrays)
