"""Sentences about what is no vector."""

from typing import Any

import numpy as np

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.contract.vectors import VectorHarness, precision
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.sentence import Group

vectors = Group("vectors", BackendType.VECTOR_STORE)


async def _refused(store: VectorStoreBackend, *bad: Any) -> None:
    """Expect each vector to be refused by every operation that takes one, in an empty store and in another."""
    good = [3.0, 4.0]
    for fill in (False, True):
        if fill:
            await store.add("a", good)
        for vector in bad:
            what = f"{type(vector).__name__} {str(vector)[:50]}"
            before = repr(vector)
            with refused(f"add of {what}", kinds=(ValueError,)):
                await store.add("x", vector)
            with refused(f"add_many of {what}", kinds=(ValueError,)):
                await store.add_many([("y", good, None), ("x", vector, None)])
            with refused(f"search of {what}", kinds=(ValueError,)):
                await store.search(vector)
            with refused(f"search_many of {what}", kinds=(ValueError,)):
                await store.search_many([good, vector])
            assert repr(vector) == before, "the argument was changed"
        assert await store.count() == int(fill), "something was written"


@vectors.sentence("NaN and infinities raise ValueError")
async def finite(harness: VectorHarness) -> None:
    nan, infinity = float("nan"), float("inf")
    async with harness.open(dimension=2) as store:
        await _refused(
            store, [nan, 1.0], [1.0, infinity], [-infinity, 1.0], np.array([nan, nan]), np.array([1, infinity])
        )


@vectors.sentence("a number beyond what is promised raises ValueError")
async def beyond(harness: VectorHarness) -> None:
    async with harness.open(dimension=2) as store:
        largest = float(precision(store).max)
        too_large = [largest * 1.1, 1.0]
        with refused(f"add of {too_large}", kinds=(ValueError,)):
            await store.add("x", too_large)
        await _refused(store, [1e39, 1.0], [1.0, -1e300], [10**400, 1.0], np.array([1e200, 1.0]))


@vectors.sentence("what is not 1-D raises ValueError, and so does an empty vector")
async def one_axis(harness: VectorHarness) -> None:
    async with harness.open(dimension=2) as store:
        await _refused(
            store, [], (), np.empty(0), [[1.0, 2.0]], [[1.0], [2.0]], np.ones((2, 2)), np.array(1.0), 1.0,
            [[1.0], 2.0], np.empty((0, 2)),
        )  # fmt: skip


@vectors.sentence("what is not numbers raises ValueError")
async def numbers_only(harness: VectorHarness) -> None:
    async with harness.open(dimension=2) as store:
        await _refused(
            store, None, "12", b"12", ["1", "2"], [None, 1.0], [1j, 2.0], {1.0, 2.0}, {0: 1.0}, [object(), 1.0],
            np.array(["1", "2"]), np.array([1, 2], object),
        )  # fmt: skip


@vectors.sentence("for cosine a vector of length zero raises ValueError")
async def zero(harness: VectorHarness) -> None:
    for options in ({"metric": "cosine"}, {}):
        async with harness.open(dimension=2, **options) as store:
            await _refused(store, [0.0, 0.0], [0, 0], [-0.0, 0.0], np.zeros(2))


@vectors.sentence("for dot and euclidean a vector of length zero is like any other")
async def zero_elsewhere(harness: VectorHarness) -> None:
    for metric, similarity in (("dot", 0.0), ("euclidean", 1.0)):
        async with harness.open(metric=metric) as store:
            await store.add("a", [0.0, 0.0, 0.0])
            (found,) = await store.search([0.0, 0.0, 0.0])
            expected = {"id": "a", "similarity": similarity, "metadata": {}, "vector": [0.0, 0.0, 0.0]}
            assert_same(found, expected, f"the result for {metric}")
