"""Large values are checked at the speed of C, and exactly what the contract allows passes."""

import enum
import math
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.encoding import is_plain, serialized
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
        bytearray(),
        memoryview(b""),
        ormsgpack.Ext(1, b""),
        orjson.Fragment(b"1"),
        UUID(int=0),
        datetime.now(UTC),
        np.float64(1),
        np.zeros(1),
        OrderedDict[str, int](),
        "\ud800",
        {"\ud800": 1},
        {Text("x"): 1},
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
        text, packed = serialized(value)
    except TypeError:
        return None
    return text if text is not None and is_plain(text, packed) else None


@pytest.mark.slow
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
    value = {"text": 'a "quoted" \\ [text] {', "numbers": [0.5, -1, 2**40, 1e300], "more": [None, True, ["a", "b"]]}
    assert accepted({"messages": [value] * 1000}) is not None


@pytest.mark.parametrize(("depth", "passes"), [(99, True), (100, False)])
def test_depth_is_counted_outside_of_strings(depth: int, passes: bool) -> None:
    assert (accepted({"k": nested(depth)}) is not None) == passes


@pytest.mark.parametrize("depth", [99, 101, 1_999, 2_001, 100_000])
def test_tuples_never_pass_at_once_however_deep(depth: int) -> None:
    value: Any = ()
    for _ in range(depth):
        value = (value,)
    assert accepted({"k": value}) is None
    assert accepted({"k": [(), {"l": ()}]}) is None


@pytest.mark.parametrize("part", ["αβγπρστυφ" * 50, 2**63 - 1, -(2**63), 2**53, 1.7e308, [None, 1e308]])
def test_what_lies_near_the_limits_passes_at_once(part: object) -> None:
    assert accepted({"k": [part] * 1000}) is not None


async def test_a_large_checkpoint_takes_what_a_small_one_takes() -> None:
    filler = ["x"] * 3_000
    async with InMemoryCheckpointStore() as store:
        await store.save_checkpoint("a", {"filler": filler, "tuple": ((1, 2.0), ("a",))})
        saved = await store.get_checkpoint("a")
        assert saved is not None
        assert saved["data"] == {"filler": filler, "tuple": [[1, 2.0], ["a"]]}
        deep: Any = 1
        for _ in range(200):
            deep = (deep,)
        for refused in (deep, math.nan, 2**63, b"", bytearray(), Colour.RED, ((), ormsgpack.Ext(1, b""))):
            with pytest.raises(RegistryError, match=r"data\.k"):
                await store.save_checkpoint("b", {"filler": filler, "k": refused})
        assert await store.count() == 1
