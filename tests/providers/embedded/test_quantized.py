"""The codes of a row bound its score: what is searched by them is what is there, to the bit."""

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_registry.backends.vector_store.base import Metric
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.backends.vector_store.scoring import Query, lengths_of
from symphony_registry.providers.embedded.vectors import bounds, candidates, principal
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.quantized import QuantizedRows
from tests.helpers.fakes import search
from tests.providers.embedded.test_principal import KINDS, METRICS, check, put, rows_of

pytest.importorskip("numkong")


@pytest.fixture(autouse=True, scope="module")
def small_matrices_have_codes_and_no_heads() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_SMALL", 0)
        patch.setattr(bounds, "_NARROW", 0)
        patch.setattr(bounds, "_PATIENCE", 0)
        patch.setattr(bounds, "_CHUNK", 16)
        patch.setattr(principal, "_PAYS", 0)
        patch.setattr(candidates, "_FEW", 0)
        yield


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.sampled_from(METRICS), st.sampled_from(KINDS), st.integers(0, 2**32), st.integers(1, 8))
def test_what_is_found_is_what_is_there_whatever_was_written(metric: Metric, kind: str, seed: int, limit: int) -> None:
    random = np.random.default_rng(seed)
    index = VectorIndex(HNSWOptions(metric=metric))
    names = [f"{name:03}" for name in range(150)]
    for change in range(3):
        count = int(random.integers(80, 150))
        put(index, names[:count], rows_of(kind, count, random) * np.float32(10.0 ** (change - 1)), metric)
        if len(index) < 20:
            return
        for id in list(index.rows)[:: int(random.integers(2, 9))]:
            index.apply({"op": "delete", "id": id})
        near = index._matrix[random.integers(len(index))] * np.float32(1.01)
        check(index, [near, *rows_of("noise", 2, random)], limit, random.random(len(index)) < random.random())


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-11, 1, 1e11])
def test_no_score_is_above_its_bound(metric: Metric, kind: str, scale: float) -> None:
    random = np.random.default_rng(3)
    matrix = rows_of(kind, 500, random)
    matrix[7, 3] = 100  # makes all codes but one of its row nearly zero
    matrix = (matrix * scale).astype(np.float32) if kind != "scales" else matrix
    if metric == "cosine":
        matrix = matrix[matrix.any(axis=1)]
    lengths = lengths_of(matrix)
    codes = QuantizedRows(metric)
    assert codes.refresh(matrix, lengths, 1)
    queries = [Query(row, metric) for row in (*matrix[:8], *rows_of("noise", 5, random))]
    some = np.arange(0, len(matrix), 3)
    for rows in (len(matrix), some):
        chosen = slice(None) if isinstance(rows, int) else rows
        for query, most in zip(queries, codes.bounds(queries, rows), strict=True):
            dots = matrix[chosen].astype(np.float64) @ query.vector.astype(np.float64)
            exact, _ = query.scores(dots, lengths[chosen])
            assert (exact <= most.astype(np.float64) + bounds.slack(query)).all()
            if kind == "noise" and scale == 1:
                reach = query.length * (np.ones(len(dots)) if metric == "cosine" else lengths[chosen])
                assert (most - exact <= 0.05 * reach + 1).all()


def test_rows_of_any_length_have_codes_whose_products_add_up() -> None:
    matrix = np.ones((2, 140_000), np.float32)  # 127² x 140,000 is more than an int32 holds
    codes = QuantizedRows("dot")
    codes.refresh(matrix, lengths_of(matrix), 1)
    assert (codes.bounds([Query(matrix[0], "dot")], 2) >= 140_000).all()


def test_rows_are_coded_when_a_search_needs_it_and_only_those_that_changed() -> None:
    random = np.random.default_rng(3)
    matrix = rows_of("noise", 500, random)
    codes = QuantizedRows("dot")
    codes.refresh(matrix, lengths_of(matrix), 1)
    query = Query(matrix[0].copy(), "dot")
    before = codes.bounds([query], 500)[0]
    matrix[[7, 8]] *= -2
    codes.note(7)
    assert 0 < codes.cost(matrix, 1) < codes.cost(np.tile(matrix, (2, 1)), 1)
    codes.refresh(matrix, lengths_of(matrix), 1)
    assert np.flatnonzero(before != codes.bounds([query], 500)[0]).tolist() == [7]
    assert codes.cost(matrix, 1) == 0


def test_an_index_that_was_restored_makes_its_codes_again() -> None:
    rows = rows_of("noise", 200, np.random.default_rng(3))
    index = VectorIndex(HNSWOptions(metric="dot"))
    put(index, [f"{row:03}" for row in range(200)], rows, "dot")
    found = search(index, rows[5], 3)
    restored = VectorIndex.restored(HNSWOptions(metric="dot"), index.arrays())
    assert search(restored, rows[5], 3) == found
    check(restored, [rows[7]], 5, np.ones(200, np.bool_))


def test_a_library_that_cannot_be_used_is_done_without_and_that_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "numkong", ModuleType("numkong"))
    assert not QuantizedRows.is_installed.__wrapped__()
    assert "numkong is there, but cannot be used" in caplog.text


def test_a_processor_on_which_products_are_not_exact_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("numkong")
    vars(module).update(dots_pack=lambda rows: rows, dots_packed=lambda rows, packed: rows @ packed.T)
    monkeypatch.setitem(sys.modules, "numkong", module)
    assert not QuantizedRows.is_installed.__wrapped__()
