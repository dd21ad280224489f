"""The head of a row bounds its score: what is left out cannot be among the best."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.backends.vector_store.scoring import Query, lengths_of
from symphony_registry.providers.embedded.vectors import bounds, candidates, principal
from symphony_registry.providers.embedded.vectors.columns import Mask
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.principal import PrincipalHead
from symphony_registry.providers.embedded.vectors.quantized import QuantizedRows
from tests.helpers.fakes import search

METRICS: list[Metric] = ["cosine", "dot", "euclidean"]
DIMENSION = 24
KINDS = ["low rank", "clusters", "duplicates", "noise", "one direction", "scales", "zeros"]


@pytest.fixture(autouse=True, scope="module")
def small_matrices_have_heads() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_SMALL", 0)
        patch.setattr(bounds, "_NARROW", 0)
        patch.setattr(principal, "_PAYS", 100)
        patch.setattr(bounds, "_PATIENCE", 0)
        patch.setattr(bounds, "_CHUNK", 16)
        patch.setattr(QuantizedRows, "is_installed", lambda: False)
        patch.setattr(candidates, "_FEW", 0)
        yield


def rows_of(kind: str, count: int, random: np.random.Generator) -> Float32s:
    base = random.normal(size=(count, DIMENSION))
    match kind:
        case "low rank":
            base = random.normal(size=(count, 4)) @ np.random.default_rng(7).normal(size=(4, DIMENSION)) + base * 0.01
        case "clusters":
            base = np.random.default_rng(7).normal(size=(5, DIMENSION))[random.integers(5, size=count)] + base * 1e-4
        case "duplicates":
            base = np.random.default_rng(7).normal(size=(3, DIMENSION))[random.integers(3, size=count)]
        case "one direction":
            base = np.outer(random.normal(size=count) + 0.01, np.arange(1, DIMENSION + 1))
        case "scales":
            base = base * 10.0 ** random.integers(-9, 9, size=(count, 1))
        case "zeros":
            base = base * (random.random((count, DIMENSION)) < 0.05)
    return base.astype(np.float32)


def put(index: VectorIndex, names: list[str], rows: Float32s, metric: Metric) -> None:
    stored = [row for row in range(len(names)) if metric != "cosine" or rows[row].any()]
    if stored:
        ids = [names[row] for row in stored]
        index.apply({"op": "put", "ids": ids, "vectors": rows[stored], "metadata": [{} for _ in stored]})


def check(index: VectorIndex, queries: list[Float32s], limit: int, mask: Mask) -> None:
    """Compare with the scores of all rows in float64, sorted."""
    allowed, rows = {id for id, row in index.rows.items() if mask[row]}, np.flatnonzero(mask)
    for query in queries:
        everything = search(index, query, len(index))
        assert search(index, query, limit) == everything[:limit]
        assert search(index, query, limit, rows) == [found for found in everything if found[1] in allowed][:limit]
    assert index.search_many(queries, limit, rows) == [search(index, query, limit, rows) for query in queries]


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(METRICS),
    st.sampled_from(KINDS),
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.sampled_from([0.03, 0.3, 1.0]),
    st.lists(st.sampled_from(["put", "replace", "delete", "search"]), max_size=8),
)
def test_nothing_is_missed_whatever_was_written(
    metric: Metric, kind: str, seed: int, limit: int, part: float, changes: list[str]
) -> None:
    random = np.random.default_rng(seed)
    index = VectorIndex(HNSWOptions(metric=metric))
    for change in ["put", "search", *changes, "search"]:
        count = int(random.integers(1, 120))
        if change == "put":
            put(
                index,
                [f"{name:05}" for name in random.integers(10**5, size=count)],
                rows_of(kind, count, random),
                metric,
            )
        elif not len(index):
            return
        elif change == "search":
            near = index._matrix[random.integers(len(index))] * np.float32(1.01)
            queries = [near, *rows_of("noise", 2, random), near + rows_of("noise", 1, random)[0] * np.float32(0.01)]
            check(index, queries, limit, random.random(len(index)) < part)
        else:
            ids = list(random.choice(sorted(index.rows), min(count, len(index)), replace=False))
            if change == "replace":
                put(index, ids, rows_of(kind, len(ids), random), metric)
            for id in ids[:-1] if change == "delete" else []:
                index.apply({"op": "delete", "id": str(id)})


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_score_is_above_its_bound(metric: Metric, kind: str) -> None:
    random = np.random.default_rng(3)
    matrix = rows_of(kind, 500, random)
    if metric == "cosine":
        matrix = matrix[matrix.any(axis=1)]
    lengths = lengths_of(matrix)
    head = PrincipalHead(metric)
    assert head.refresh(matrix, lengths, 1)
    queries = [Query(row, metric) for row in (*rows_of(kind, 5, random), *rows_of("noise", 5, random))]
    for query, most in zip(queries, head.bounds(queries, len(matrix)), strict=True):
        exact, _ = query.scores(matrix.astype(np.float64) @ query.vector.astype(np.float64), lengths)
        assert (exact <= most.astype(np.float64) + bounds.slack(query)).all()


def test_a_row_that_changed_is_turned_again_and_no_other() -> None:
    random = np.random.default_rng(3)
    matrix = rows_of("low rank", 500, random)
    head = PrincipalHead("dot")
    head.refresh(matrix, lengths_of(matrix), 1)
    query = Query(matrix[0].copy(), "dot")
    before = head.bounds([query], 500)[0]
    matrix[[7, 8]] *= -2
    head.note(7)
    assert 0 < head.cost(matrix, 1) < 500 * DIMENSION
    head.refresh(matrix, lengths_of(matrix), 1)
    after = head.bounds([query], 500)[0]
    assert np.flatnonzero(before != after).tolist() == [7]
    assert head.cost(matrix, 1) == 0


def test_new_directions_are_chosen_when_as_many_rows_have_changed() -> None:
    random = np.random.default_rng(3)
    matrix = np.zeros((600, DIMENSION), np.float32)
    matrix[:, 0] = random.normal(size=600)
    head = PrincipalHead("dot")
    head.refresh(matrix[:200], lengths_of(matrix[:200]), 1)
    matrix[:, 0], matrix[:, 1] = 0, random.normal(size=600)
    query = Query(np.eye(DIMENSION, dtype=np.float32)[1] * np.float32(0.5), "dot")
    for row in range(200):
        head.note(row)
    head.refresh(matrix, lengths_of(matrix), 1)
    np.testing.assert_allclose(head.bounds([query], 600)[0], matrix[:, 1] / 2, atol=1e-4)


def test_a_head_that_would_not_pay_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal, "_PAYS", 0.6)
    random = np.random.default_rng(3)
    for kind, pays in (("noise", False), ("low rank", True)):
        matrix = rows_of(kind, 3000, random)
        head = PrincipalHead("cosine")
        assert head.refresh(matrix, lengths_of(matrix), 1) is pays
        assert head.width(matrix) < DIMENSION or not pays
        assert head.cost(matrix, 1) == 0


@pytest.mark.parametrize("bad", [1e-20, 1e20])
def test_lengths_that_float32_does_not_serve_are_searched_without_a_head(bad: float) -> None:
    random = np.random.default_rng(3)
    for metric in METRICS:
        index = VectorIndex(HNSWOptions(metric=metric))
        rows = rows_of("low rank", 200, random)
        put(index, [f"{row:03}" for row in range(200)], rows, metric)
        check(index, [rows[0] * np.float32(bad)], 3, np.ones(200, np.bool_))
        put(index, ["bad"], rows[:1] * np.float32(bad), metric)
        check(index, [rows[0]], 3, np.ones(201, np.bool_))


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 1e-20, 1, 1e20])), max_size=4)))
def test_an_index_has_a_head_whenever_no_length_is_extreme(blocks: "list[list[tuple[str, float]]]") -> None:
    """Blocks are put, with equal ids too; an empty one deletes the largest id."""
    index = VectorIndex(HNSWOptions(metric="dot"))
    put(index, [" "], np.ones((1, 2), np.float32), "dot")
    lengths = {" ": 1.0}
    for block in blocks:
        if block:
            put(index, [id for id, _ in block], np.array([[length, 0] for _, length in block], np.float32), "dot")
            lengths.update(block)
        elif len(lengths) > 1:
            index.apply({"op": "delete_many", "ids": [max(lengths)]})
            del lengths[max(lengths)]
        restored = VectorIndex.restored(HNSWOptions(metric="dot"), index.arrays())
        has_head = [bool(each._finder().bounds) for each in (index, restored)]
        assert has_head == [set(lengths.values()).isdisjoint({1e-20, 1e20})] * 2


def test_directions_are_chosen_only_after_some_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_PATIENCE", 10)
    matrix = rows_of("low rank", 500, np.random.default_rng(3))
    head = PrincipalHead("dot")
    for searches in (1, 8, 1):
        assert head.cost(matrix, searches) == 0
        assert not head.refresh(matrix, lengths_of(matrix), searches)
    assert head.cost(matrix, 1) > 0
    assert head.refresh(matrix, lengths_of(matrix), 1)


def test_what_is_restored_has_no_heads_that_were_not_kept_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that became small is searched without them, and so they grow old."""
    rows = rows_of("low rank", 400, np.random.default_rng(3))
    index = VectorIndex(HNSWOptions(metric="dot"))
    rows[0], rows[399] = rows[0] / 1000, rows[399] * 10
    put(index, [f"{row}" for row in range(400)], rows, "dot")
    search(index, rows[0], 1)
    monkeypatch.setattr(bounds, "_SMALL", 400 * DIMENSION)
    index.apply({"op": "delete", "id": "0"})
    restored = VectorIndex.restored(HNSWOptions(metric="dot"), index.arrays())
    put(restored, ["a", "b"], rows[:2], "dot")
    moved = rows[399]  # took the place of the row that was deleted
    assert "399" in {id for _, id in search(restored, moved, 3)}
    check(restored, [moved, *rows[::40]], 5, np.ones(len(restored), np.bool_))
