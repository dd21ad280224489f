"""Errors about values that are no JSON: they say how to convert them."""

import array
import datetime as dt
import enum
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import InvalidTypeError, InvalidValueError


class Model(BaseModel):
    x: int = 1


@dataclass
class Data:
    x: int = 1


class Level(enum.IntEnum):
    LOW = 1


CASES: list[tuple[Any, str]] = [
    (dt.datetime(2024, 5, 1, tzinfo=dt.UTC), ".isoformat()"),
    (dt.date(2024, 5, 1), ".isoformat()"),
    (dt.timedelta(1), ".total_seconds()"),
    (b"x", "base64"),
    (Decimal("1.5"), "float(...)"),
    (uuid.UUID(int=1), "str(...)"),
    (Path("x"), "str(...)"),
    ({"x"}, "sorted(...)"),
    (np.float64(1), ".item()"),
    (np.ones(2), ".tolist()"),
    (np.datetime64("2024-05-01"), "str(...)"),
    (array.array("d", [1.0]), ".tolist()"),
    (deque([1]), "list(...)"),
    (OrderedDict(x=1), "dict(...)"),
    (type("Text", (str,), {})("x"), "str(...)"),
    (Model(), '.model_dump(mode="json")'),
    (Data(), "dataclasses.asdict(...)"),
    (Level.LOW, ".value"),
]


@pytest.mark.parametrize(("value", "advice"), CASES, ids=[type(value).__name__ for value, _ in CASES])
@pytest.mark.parametrize("size", [0, 5_000], ids=["small", "large"])
async def test_the_error_names_the_place_and_the_conversion(value: Any, advice: str, size: int) -> None:
    async with InMemoryCheckpointStore() as store:
        with pytest.raises(InvalidTypeError, match=r"data\.a\.b: ") as caught:
            await store.save_checkpoint("c", {"list": list(range(size)), "a": {"b": value}})
        assert advice in str(caught.value)


@pytest.mark.parametrize("value", [Model(), Data()])
async def test_what_stands_for_the_whole_object_is_converted_too(value: Any) -> None:
    async with InMemoryVectorStore() as store:
        with pytest.raises(InvalidTypeError, match=r"metadata must be a dict, not \w+\. Use .*(model_dump|asdict)"):
            await store.add("a", [1.0], value)


@pytest.mark.parametrize("value", [[("x", 1)], '{"x": 1}', {"x"}])
async def test_what_no_conversion_makes_an_object_of_gets_no_advice(value: Any) -> None:
    async with InMemoryVectorStore() as store:
        with pytest.raises(InvalidTypeError, match=r"metadata must be a dict, not \w+\.$"):
            await store.add("a", [1.0], value)


@pytest.mark.parametrize(
    ("value", "advice"), [(float("nan"), "Use None."), (2**64, "Use str(...)."), ({1: 2}, "Use str(...).")]
)
async def test_a_value_that_no_store_could_keep_gets_advice_too(value: Any, advice: str) -> None:
    async with InMemoryVectorStore() as store:
        with pytest.raises((InvalidValueError, InvalidTypeError)) as caught:
            await store.add("a", [1.0], {"x": value})
    assert str(caught.value).endswith(advice)


@pytest.mark.parametrize(
    "vector", [["x", "y"], [[1.0], [1.0, 2.0]], [None], np.array(["2024-05-01"], "datetime64[D]"), [True], [1j]]
)
async def test_an_error_about_a_vector_has_no_name_that_only_numpy_knows(vector: Any) -> None:
    async with InMemoryVectorStore() as store:
        with pytest.raises(InvalidValueError) as caught:
            await store.add("a", vector)
    for name in ("<U", "datetime64", "object,", "complex128", "dtype", "array", "inhomogeneous"):
        assert name not in str(caught.value)
