"""Rows from columns: those whose documents fulfil the condition."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_registry.backends.filters import parse_filter
from symphony_registry.providers.embedded.vectors import columns as module
from symphony_registry.providers.embedded.vectors.columns import Columns

numbers = st.integers(-2, 2) | st.sampled_from([0.5, -0.0, 1.0, 2**53, 2**53 + 1, 2.0**53, 1e300])
scalars = st.none() | st.booleans() | numbers | st.sampled_from(["", "a", "b", "é", "𝄞", "\ue000"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
documents = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
operators = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"]), values),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=4)),
    st.tuples(st.just("$exists"), st.booleans()),
)
comparisons = st.tuples(st.sampled_from(["a", "b", "a.b", "c"]), operators).map(
    lambda given: {given[0]: {given[1][0]: given[1][1]}}
)
filters: st.SearchStrategy[dict[str, Any]] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"$or": parts}),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=4,
)
writes = st.lists(
    st.tuples(st.sampled_from(["append", "replace", "move", "ask"]), st.integers(0, 9), documents), max_size=12
)


class Rows:
    """Documents by row, and the columns that follow them."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.documents: list[dict[str, Any]] = []

    def append(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            self.documents.append(document)
            self.columns.append([document])

    def replace(self, row: int, document: dict[str, Any]) -> None:
        self.documents[row] = document
        self.columns.replace(row, document)

    def move(self, row: int) -> None:
        last = self.documents.pop()
        if row < len(self.documents):
            self.documents[row] = last
        self.columns.move(row)

    def matching(self, source: dict[str, Any]) -> list[int]:
        condition = parse_filter(source)
        found: list[int] = self.columns.matching(condition, len(self.documents), self.documents.__getitem__).tolist()
        return found

    def check(self, source: dict[str, Any]) -> None:
        condition = parse_filter(source)
        expected = [row for row, document in enumerate(self.documents) if condition.matches(document)]
        assert self.matching(source) == expected
        assert self.matching(source) == expected  # which was kept


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(st.lists(documents, max_size=8), st.lists(filters, min_size=1, max_size=3), writes)
def test_the_rows_are_those_that_fulfil_the_condition(
    stored: list[dict[str, Any]], sources: list[dict[str, Any]], changes: list[tuple[str, int, dict[str, Any]]]
) -> None:
    rows = Rows()
    rows.append(*stored)
    rows.check(sources[0])
    for kind, number, document in changes:
        if kind == "append":
            rows.append(document)
        elif kind == "ask":
            rows.check(sources[number % len(sources)])
        elif rows.documents and kind == "replace":
            rows.replace(number % len(rows.documents), document)
        elif rows.documents:
            rows.move(number % len(rows.documents))
    for source in sources:
        rows.check(source)


@pytest.mark.parametrize("few", [1, 10**9], ids=["inserted", "merged"])
def test_new_values_take_their_place_in_the_order(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INSERTED", few)
    monkeypatch.setattr(module, "_SORTED", 7)
    rows = Rows()
    rows.append(*({"n": number * 37 % 101, "s": str(number)} for number in range(101)))
    for number in range(30):
        rows.replace(number, {"n": number + 0.5, "s": f"{number}!"})
        rows.check({"n": {"$gt": 20, "$lte": 50}, "s": {"$lt": "5"}})


def test_values_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE_VALUES", 4)
    rows = Rows()
    rows.append({"n": 0})
    for number in range(100):
        rows.replace(0, {"n": number})
        rows.check({"n": {"$lt": 1}})
        rows.check({"n": {"$gte": number}})
        assert all(len(column._codes) < 8 for column in rows.columns._columns.values())


def test_many_paths_share_the_columns_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COLUMNS", 3)
    rows = Rows()
    rows.append({"p0": 1}, {"p7": 1}, {})
    for number in range(9):
        rows.check({f"p{number}": 1})
    rows.check({"$or": [{f"p{number}": 1} for number in range(9)]})


def test_a_column_that_is_made_costs_less_than_one_that_is_not() -> None:
    rows = Rows()
    rows.append(*({"n": number % 5} for number in range(1000)))
    condition = parse_filter({"n": 3})
    before = rows.columns.cost(condition, 1000)
    rows.check({"n": 3})
    assert rows.columns.cost(condition, 1000) * 10 < before


def test_what_is_kept_knows_true_from_one() -> None:
    rows = Rows()
    rows.append({"n": 1}, {"n": True})
    for source in ({"n": 1}, {"n": True}, {"n": 1.0}):
        rows.check(source)


def test_as_many_rows_are_kept_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_BYTES", 1000)
    rows = Rows()
    rows.append(*({"n": number} for number in range(100)))
    for number in (*range(100), 5, 99):
        rows.check({"n": {"$lt": number}})
        assert sum(map(module._size, rows.columns._kept.items())) <= 1000
    assert rows.columns._kept
