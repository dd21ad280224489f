"""The filter language: errors, and laws that hold for any document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends.filters import json_equal, parse_filter
from symphony_registry.errors import InvalidTypeError, InvalidValueError

scalars = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5]) | st.sampled_from(["", "a", "b"])
)
values = st.recursive(scalars, lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from("ab"), part))
documents = st.dictionaries(st.sampled_from(["a", "b"]), values)
operators = st.sampled_from(["$eq", "$gt", "$gte", "$lt", "$lte", "$contains"])


def matches(document: dict[str, Any], **conditions: Any) -> bool:
    return parse_filter(conditions).matches(document)


@given(documents, scalars)
def test_ne_is_the_opposite_of_eq_and_nin_of_in(document: dict[str, Any], value: Any) -> None:
    assert matches(document, a={"$ne": value}) is not matches(document, a={"$eq": value})
    assert matches(document, a={"$nin": [value, 1]}) is not matches(document, a={"$in": [value, 1]})
    assert matches(document, a=value) is matches(document, a={"$in": [value]})


@given(documents, operators, scalars)
def test_not_turns_any_condition_round(document: dict[str, Any], operator: str, value: Any) -> None:
    condition = {"a": {operator: value}}
    expected = not parse_filter(condition).matches(document)
    assert parse_filter({"$not": condition}).matches(document) is expected
    assert parse_filter({"a": {"$not": {operator: value}}}).matches(document) is expected


@given(documents, operators, scalars, operators, scalars)
def test_several_conditions_are_an_and(document: dict[str, Any], first: str, one: Any, second: str, other: Any) -> None:
    both = {"$and": [{"a": {first: one}}, {"b": {second: other}}]}
    either = {"$or": [{"a": {first: one}}, {"b": {second: other}}]}
    a, b = (parse_filter(part).matches(document) for part in both["$and"])
    assert parse_filter({"a": {first: one}, "b": {second: other}}).matches(document) is (a and b)
    assert parse_filter(both).matches(document) is (a and b)
    assert parse_filter(either).matches(document) is (a or b)


@given(documents, operators, scalars)
def test_a_missing_key_matches_none_of_the_positive_operators(
    document: dict[str, Any], operator: str, value: Any
) -> None:
    document.pop("a", None)
    assert not matches(document, a={operator: value})
    assert not matches(document, **{"a.b": {operator: value}})


@given(values, values)
def test_equality_is_that_of_json(left: Any, right: Any) -> None:
    assert json_equal(left, left)
    assert json_equal(left, right) is json_equal(right, left)
    if json_equal(left, right):
        assert left == right
    if isinstance(left, bool) is not isinstance(right, bool):
        assert not json_equal(left, right)


@pytest.mark.parametrize(
    ("document", "condition", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": [True]}, {"a": [1]}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1.0}}, True),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, False),
        ({"a": {"b": 1}}, {"a.b": 1}, True),
        ({"a.b": 1}, {"a.b": 1}, False),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"a": None}, {"a": {"$exists": True}}, True),
        ({"a": 2**53 + 1}, {"a": {"$gt": 2.0**53}}, True),
        ({"a": "b"}, {"a": {"$gt": 1}}, False),
        ({"a": True}, {"a": {"$gt": False}}, True),
        ({"a": True}, {"a": {"$gt": 0}}, False),
        ({"a": [2]}, {"a": {"$gt": [1]}}, False),
        ({"a": None}, {"a": {"$gte": None}}, False),
        ({"a": "\U00010000"}, {"a": {"$gt": "\uffff"}}, True),
        ({"a": "xyz"}, {"a": {"$contains": "y"}}, False),
        ({"a": [[1]]}, {"a": {"$contains": [1.0]}}, True),
        ({"a": 1}, {}, True),
        ({"a": 1}, {"$and": []}, True),
        ({"a": 1}, {"$or": []}, False),
        ({"a": 5}, {"a": {"$gte": 1, "$lt": 5}}, False),
        ({"a": {}}, {"a": {}}, True),
    ],
)
def test_the_meaning_of(document: dict[str, Any], condition: dict[str, Any], expected: bool) -> None:
    assert parse_filter(condition).matches(document) is expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"a": {"$gtt": 1}}, r'metadata_filter\.a: there is no operator \$gtt\. Did you mean "\$gt"\?'),
        ({"a": {"$gt": 1, "b": 2}}, r"metadata_filter\.a: there is no operator b\."),
        ({"$near": {}}, r"metadata_filter\.\$near: there is no operator \$near here"),
        ({"$or": {"a": 1}}, r"metadata_filter\.\$or must be a list, not dict"),
        ({"$or": [{"$and": [1]}]}, r"metadata_filter\.\$or\[0\]\.\$and\[0\] must be a dict, not int"),
        ({"$not": [1]}, r"metadata_filter\.\$not must be a dict"),
        ({"a": {"$in": 1}}, r"metadata_filter\.a\.\$in must be a list, not int"),
        ({"a": {"$exists": 1}}, r"metadata_filter\.a\.\$exists must be a bool, not int"),
        ({"a": float("nan")}, r"metadata_filter\.a: nan is not a finite number"),
    ],
)
def test_what_is_wrong_in_a_filter_is_named_with_its_place(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        parse_filter(condition)


@pytest.mark.parametrize("condition", [[], "a", 1, {"a": b""}, {1: 2}])
def test_a_filter_is_a_json_object(condition: Any) -> None:
    with pytest.raises(InvalidTypeError):
        parse_filter(condition)
