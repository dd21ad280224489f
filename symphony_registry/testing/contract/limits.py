"""Sentences about limits and the order of results, for every backend type."""

from typing import Any

from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

limits = Group("limits")


@limits.sentence("a limit of 0 or less raises")
async def too_small(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        for limit in (0, -1, -(2**70)):
            for name, operation in adapt(store).with_limit(limit).items():
                with refused(f"{name} with the limit {limit}"):
                    await operation()


@limits.sentence("a limit that is not an int raises, a bool too")
async def not_an_int(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        for limit in (True, False, 1.0, "1", [1]):
            for name, operation in adapt(store).with_limit(limit).items():
                with refused(f"{name} with the limit {limit!r}"):
                    await operation()


@limits.sentence("a limit gives the first results of the order, one beyond the number of them gives all")
async def first_results(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        largest = store.guarantees.largest_limit or 2**62
        for name, operation in adapter.with_limit(adapter.large_limit).items():
            everything = await operation()
            assert len(everything) > 1
            assert_same(await adapter.with_limit(largest)[name](), everything, f"{name} with a huge limit")
            for limit in range(1, len(everything) + 1):
                cut = await adapter.with_limit(limit)[name]()
                assert_same(cut, everything[:limit], f"{name} with the limit {limit}")


@limits.sentence("a limit beyond the largest is refused, the largest is not", needs="a largest limit")
async def largest_limit(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        largest = store.guarantees.largest_limit
        for name, operation in adapt(store).with_limit(largest).items():
            assert len(await operation()) > 1, f"{name} with the limit {largest}"
        for name, operation in adapt(store).with_limit(largest + 1).items():
            with refused(f"{name} with the limit {largest + 1}", largest, kinds=(ValueError,)):
                await operation()


@limits.sentence(
    "an object of more JSON text than the largest is refused, and nothing is written; the largest is not",
    needs="a largest value",
)
async def largest_value(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        largest = store.guarantees.largest_value
        value = {"text": "x" * (largest - len('{"text":""}'))}
        larger = {"text": "x" + value["text"]}
        for place in adapt(store).places():
            await place.put("there", value)
            for id in ("there", "not there"):
                with refused(f"an object of {largest + 1} bytes through {place.name}", largest, kinds=(ValueError,)):
                    await place.put(id, larger)
            assert_same(await place.get("there"), value, f"what was there before, through {place.name}")
            assert not await place.get("not there"), f"{place.name} wrote what it refused"


order = Group("order")
# In code-point order, which is neither that of UTF-16, nor of a locale, nor of numbers.
_IN_ORDER = [" ", "10", "9", "Z", "_", "a", "a b", "aa", "b", "z", "é", "ﬀ", "\uffff", "\U00010000", "\U0001f600"]
_SHUFFLED = _IN_ORDER[::2] + _IN_ORDER[1::2] + _IN_ORDER[::-2]


@order.sentence(
    "results come in the order that the operation states, ties by id in code-point order", needs="listing entities"
)
async def code_points(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        assert sorted(_IN_ORDER) == _IN_ORDER
        for id in _SHUFFLED:
            await adapter.put(id)
        expected = _IN_ORDER if adapter.ordered_by_id else list(dict.fromkeys(reversed(_SHUFFLED)))[::-1]
        assert await adapter.find() == expected


@order.sentence("the order does not depend on what was deleted and stored again before", needs="listing entities")
async def history(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for id in "dbeca":
            await adapter.put(id)
        for id in "bd":
            await adapter.delete(id)
        for id in "db":
            await adapter.put(id)
        assert await adapter.find() == list("abcde" if adapter.ordered_by_id else "ecadb")
