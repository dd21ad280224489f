"""What may be stored: ids, limits and JSON values."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends.selection import check_range
from symphony_registry.backends.values import (
    MAX_DEPTH,
    MAX_LIMIT,
    check_id,
    check_items,
    check_limit,
    checked_object,
    checked_value,
    copied,
    is_large,
)
from symphony_registry.errors import InvalidTypeError, InvalidValueError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
json_values = st.recursive(scalars, lambda part: st.lists(part) | st.dictionaries(st.text("ab.$\0é"), part))


def same(left: Any, right: Any) -> bool:
    """Compare with types and signs."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return bool(left == right)


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"k": value}
    return value


@given(json_values)
def test_a_copy_is_equal_with_the_same_types_and_shares_nothing(value: Any) -> None:
    for copy in (checked_value(value, "metadata"), copied(value)):
        assert same(copy, value)
        if isinstance(value, dict | list) and value:
            assert copy is not value


@pytest.mark.slow
@given(st.dictionaries(st.text("ab"), json_values))
def test_changing_a_copy_never_changes_the_original(value: dict[str, Any]) -> None:
    before = checked_object(value, "metadata")
    copy = checked_object(value, "metadata")
    for part in copy.values():
        if isinstance(part, list | dict):
            part.clear()
    copy["new"] = 1
    assert same(value, before)


def test_tuples_become_lists() -> None:
    assert checked_object({"a": (1, (2,))}, "metadata") == {"a": [1, [2]]}


def test_none_is_an_empty_object() -> None:
    assert checked_object(None, "metadata") == {}


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1, b"x"]}}, r"metadata\.a\.b\[1\]: builtins\.bytes is not a JSON value\. Use base64"),
        ({"a": {1, 2}}, r"metadata\.a: builtins\.set"),
        ({"a": Text("x")}, r"metadata\.a: .*Text is not a JSON value"),
        ({"a": {1: 2}}, r"metadata\.a\.1: a key must be a str, not int"),
        ({Text("a"): 1}, r"metadata\.'a': a key must be a str, not Text"),
        ([], "metadata must be a dict, not list"),
        ("x", "metadata must be a dict, not str"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidTypeError, match=message):
        checked_object(value, "metadata")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [math.nan]}, r"metadata\.a\[0\]: nan is not a finite number"),
        ({"a": -math.inf}, r"metadata\.a: -inf is not a finite number"),
        ({"a": 2**63}, r"metadata\.a: an int must fit 64 bits"),
        ({"a": -(2**63) - 1}, r"metadata\.a: an int must fit 64 bits"),
        ({"a": "x\ud800"}, r"metadata\.a: a lone surrogate at 1 is not text"),
        ({"\ud800": 1}, r"metadata\.\\ud800: a lone surrogate at 0 is not text"),
        (nested(MAX_DEPTH + 1), r"metadata\.k\.k\.k\.k\.k\.k\.k\.k\.\.\.: nested more than 100 deep"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        checked_object(value, "metadata")


def test_values_may_be_nested_a_hundred_deep() -> None:
    assert checked_object(nested(MAX_DEPTH), "metadata") == nested(MAX_DEPTH)


def test_a_value_inside_itself_is_refused() -> None:
    cycle: dict[str, Any] = {"items": []}
    cycle["items"].append(cycle)
    with pytest.raises(InvalidValueError, match="or inside itself"):
        checked_object(cycle, "metadata")


@pytest.mark.parametrize("id", ["a", "../x", "a/b", "'; --", " ", "\n", "e\u0301", "x" * 512, "€" * 170, "\U0010ffff"])
def test_an_id_is_any_text_that_is_short_enough(id: str) -> None:
    assert check_id(id) is id


@pytest.mark.parametrize("id", ["", "x" * 513, "€" * 171, "a\0b", "\ud800"])
def test_a_bad_id_is_refused(id: str) -> None:
    with pytest.raises(InvalidValueError):
        check_id(id)


@pytest.mark.parametrize("id", [None, 1, b"a", Text("a"), ["a"]])
def test_an_id_is_a_str(id: object) -> None:
    with pytest.raises(InvalidTypeError, match="The entity_id must be a str, not "):
        check_id(id, "entity_id")


def test_an_item_of_the_wrong_shape_hears_of_every_right_one() -> None:
    with pytest.raises(InvalidValueError, match=r"^items\[0\] must be \(id, data\) or \(\.\.\., payload\), not "):
        check_items([("a",)], ("id", "data", "payload"), lambda *parts: parts, optional=1)
    with pytest.raises(InvalidValueError, match=r"^items\[0\] must be \(id, data\), not "):
        check_items([("a",)], ("id", "data"), lambda *parts: parts)


@pytest.mark.parametrize("bound", ["after", "before"])
def test_a_bound_that_is_no_text_is_named_as_the_argument_that_it_is(bound: str) -> None:
    with pytest.raises(InvalidTypeError, match=f"^The argument {bound} must be a str, not int"):
        check_range("", **{bound: 3})


@pytest.mark.parametrize("limit", [True, 1.0, "1", None])
def test_a_limit_is_an_int(limit: object) -> None:
    with pytest.raises(InvalidTypeError, match="limit must be an int of at least 1, not "):
        check_limit(limit)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_at_least_one(limit: int) -> None:
    with pytest.raises(InvalidValueError, match=f"limit must be at least 1, not {limit}"):
        check_limit(limit)


def test_a_limit_beyond_what_any_store_holds_is_the_largest_that_drivers_take() -> None:
    assert [check_limit(limit) for limit in (1, MAX_LIMIT, MAX_LIMIT + 1, 2**70)] == [
        1,
        MAX_LIMIT,
        MAX_LIMIT,
        MAX_LIMIT,
    ]


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ({}, False),
        ({"a": [1] * 90}, False),
        ({"a": [1] * 200}, True),
        ({"a": "x" * 20_000}, True),
        ([[[]] * 200], True),
    ],
)
def test_a_large_value_is_told_without_walking_all_of_it(value: Any, large: bool) -> None:
    assert is_large(value, 100) is large
