"""Large values are checked at the speed of C, and exactly what the contract allows passes."""

import enum
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends.encoding import encoded, is_plain
from symphony_registry.backends.values import checked_object
from symphony_registry.errors import RegistryError


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


def nested(depth: int) -> Any:
    value: Any = "[{"
    for level in range(depth):
        value = [value] if level % 2 else {'"\\': value}
    return value


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.text('[]{}"\\'),
)
odd = st.sampled_from(
    [
        math.nan,
        math.inf,
        -math.inf,
        2**63,
        2**64 - 1,
        2**64,
        -(2**63) - 1,
        b"",
        {1},
        1j,
        Colour.RED,
        Text("x"),
        ...,
        {1: 2},
    ]
)
values = st.recursive(plain, lambda part: st.lists(part) | st.dictionaries(st.text(), part) | st.tuples(part, part))
depths = st.sampled_from([98, 99, 100, 101, 253, 300]).map(nested)


def accepted(value: Any) -> bytes | None:
    """Return the text of a value that passes at once."""
    try:
        text, marshalled = encoded(value)
    except (TypeError, ValueError):
        return None
    return text if is_plain(marshalled) else None


@given(st.dictionaries(st.text(), st.one_of(values, odd, depths, st.lists(st.one_of(values, odd)))))
def test_what_passes_at_once_is_what_the_check_gives(value: dict[str, Any]) -> None:
    text = accepted(value)
    if text is not None:
        assert orjson.loads(text) == checked_object(value, "value")
        assert text == orjson.dumps(checked_object(value, "value"))


@given(odd)
def test_what_the_contract_refuses_never_passes(value: Any) -> None:
    with pytest.raises(RegistryError):
        checked_object({"k": [value]}, "value")
    assert accepted({"k": [value]}) is None


def test_ordinary_values_pass_at_once() -> None:
    value = {"text": 'a "quoted" \\ [text] {', "numbers": [0.5, -1, 2**40, 1e300], "more": [None, True, ("a", "b")]}
    assert accepted({"messages": [value] * 1000}) is not None


@pytest.mark.parametrize(("depth", "passes"), [(99, True), (100, False)])
def test_depth_is_counted_outside_of_strings(depth: int, passes: bool) -> None:
    assert (accepted({"k": nested(depth)}) is not None) == passes
