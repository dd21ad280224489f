"""Vectors checked together: a block is what the vectors are one by one, or nothing."""

from typing import Any

import numpy as np
import pytest

from symphony_registry.backends.values import check_id, check_items, checked_object
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.backends.vector_store.base import ITEM_PARTS, Metric
from symphony_registry.backends.vector_store.block import checked_rows
from symphony_registry.backends.vector_store.checks import check_vector
from symphony_registry.errors import RegistryError

ROWS = np.arange(1.0, 13.0).reshape(4, 3)


def items(rows: Any, metadata: Any = None) -> list[Any]:
    return [(f"id {number}", row, metadata) for number, row in enumerate(rows)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_one_array_are_a_block(dtype: str, order: Any) -> None:
    block = checked_rows(items(np.array(ROWS, dtype, order=order), {"a": (1,)}), 3, "cosine")
    assert block is not None
    ids, vectors, metadata = block
    assert ids == ["id 0", "id 1", "id 2", "id 3"]
    assert vectors.dtype == np.float32
    assert (vectors == ROWS).all()
    assert metadata == [{"a": [1]}] * 4


def test_a_block_is_a_copy() -> None:
    rows = ROWS.astype(np.float32)
    block = checked_rows(items(rows), None, "dot")
    rows[:] = 0
    assert block is not None
    assert (block[1] == ROWS).all()


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize(
    "given",
    [
        pytest.param(items(ROWS[:, :2]), id="another dimension"),
        pytest.param([*items(ROWS), ("x", ROWS[0, :2], None)], id="two dimensions"),
        pytest.param([*items(ROWS), ("x", ROWS[:2], None)], id="two axes"),
        pytest.param([*items(ROWS), ("", ROWS[0], None)], id="a bad id"),
        pytest.param([*items(ROWS), (["x"], ROWS[0], None)], id="an id that is a list"),
        pytest.param([*items(ROWS), ("x", ROWS[0], {1: 2})], id="bad metadata"),
        pytest.param([*items(ROWS), ("x", ROWS[0] * np.nan, None)], id="a NaN"),
        pytest.param([*items(ROWS), ("x", ROWS[0] * 1e300, None)], id="too large for float32"),
        pytest.param([*items(ROWS), ("x", ROWS[0] * 1e30, None)], id="squares too large for float32"),
        pytest.param([*items(ROWS), ("x", ROWS[0] * 1e-30, None)], id="squares too small for float32"),
        pytest.param([*items(ROWS), ("x", ROWS[0] * 0, None)], id="zero"),
        pytest.param([*items(ROWS), ("x", [1, 2, 3], None)], id="a list"),
        pytest.param([*items(ROWS), ("x", np.array([True] * 3), None)], id="booleans"),
        pytest.param([*items(ROWS), ("x", np.float64(1), None)], id="a scalar"),
        pytest.param([*items(ROWS), ("x", np.array(1.0), None)], id="no axis"),
        pytest.param([*items(ROWS), ("x", ROWS[0])], id="two parts"),
        pytest.param([*items(ROWS), "xyz"], id="a string of three"),
        pytest.param([*items(ROWS), None], id="none"),
        pytest.param(items(np.empty((2, 0))), id="empty vectors"),
        pytest.param(items(ROWS.astype(int)), id="integers"),
        pytest.param(items(ROWS.astype(np.float32)[:, ::-1]), id="rows that are not contiguous"),
    ],
)
def test_a_block_is_what_a_look_at_each_item_gives(given: list[Any], metric: Metric) -> None:
    block = checked_rows(given, 3, metric)
    if block is None:
        return
    checked = check_items(
        given,
        ITEM_PARTS,
        lambda id, vector, metadata: (check_id(id), check_vector(vector, 3, metric), checked_object(metadata, "")),
    )
    for item, id, vector, metadata in zip(checked, *block, strict=True):
        assert item[0] == id
        assert (item[1] == vector).all()
        assert item[2] == metadata


async def test_what_is_no_block_is_added_or_refused_by_item() -> None:
    async with InMemoryVectorStore() as store:
        await store.add_many([*items(ROWS), ("large", ROWS[0] * 1e30, None), ("list", [1, 2, 3], {"a": 1})])
        assert await store.count() == 6
        with pytest.raises(RegistryError, match=r"items\[4\]: .* NaN"):
            await store.add_many([*items(ROWS * 2), ("x", ROWS[0] * np.nan, None)])
        with pytest.raises(RegistryError, match=r"items\[1\]: .* dimension 2, .* dimension 3"):
            await store.add_many([("x", ROWS[0], None), ("y", ROWS[0, :2], None)])
        assert await store.get("id 0") == {"id": "id 0", "vector": [1.0, 2.0, 3.0], "metadata": {}}


@pytest.mark.parametrize("dimensions", [(2, 3), (3, 2)])
async def test_vectors_of_two_dimensions_are_refused_where_none_is_fixed(dimensions: tuple[int, int]) -> None:
    first, other = dimensions
    async with InMemoryVectorStore() as store:
        with pytest.raises(RegistryError, match=rf"items\[1\]: .* dimension {other}, .* dimension {first}"):
            await store.add_many([("x", np.ones(first), None), ("y", np.ones(other), None)])
        assert await store.dimension() is None


async def test_the_last_of_equal_ids_in_a_block_wins() -> None:
    async with InMemoryVectorStore() as store:
        for _ in range(2):
            await store.add_many([("a", ROWS[0], {"n": 0}), ("b", ROWS[1], {"n": 1}), ("a", ROWS[2], {"n": 2})])
            assert await store.count() == 2
            assert await store.get("a") == {"id": "a", "vector": [7.0, 8.0, 9.0], "metadata": {"n": 2}}
            assert [found["id"] for found in await store.search(ROWS[0], 1, {"n": {"$gte": 1}})] == ["b"]
