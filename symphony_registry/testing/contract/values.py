"""Sentences about values and isolation, for every backend type."""

import copy
import math
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np

from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters import Adapter, adapt, sample
from symphony_registry.testing.expectations import assert_same, refused, vandalise
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

values = Group("values")


async def _round_trip(harness: Harness[Any], objects: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            for id, value in objects.items():
                await place.put(f"{place.name} {id}", value)
            for id, value in expected.items():
                assert_same(await place.get(f"{place.name} {id}"), value, f"{id} through {place.name}")


async def _comes_back(harness: Harness[Any], **objects: JSONObject) -> None:
    await _round_trip(harness, objects, copy.deepcopy(objects))


def nested(depth: int) -> JSONObject:
    """Return an object with `depth` containers inside each other, itself included."""
    value: Any = {"leaf": 1} if depth % 2 else [1]
    for level in range(depth - 1, 0, -1):
        value = {"down": value} if level % 2 else [value]
    return value  # type: ignore[no-any-return]


@values.sentence("every type of JSON comes back equal, with the same type")
async def json_types(harness: Harness[Any]) -> None:
    each = ["text", "", True, False, None, 0, 1, -1, 0.0, 1.0, -1.5, [], {}, [[]], [{}], {"a": []}]
    await _comes_back(
        harness,
        empty={},
        flat={f"key {number}": value for number, value in enumerate(each)},
        listed={"list": each},
        deep={"a": {"b": [{"c": each}, each]}},
        alike={"ints": [0, 1], "floats": [0.0, 1.0], "bools": [False, True], "texts": ["0", "1", "true", "null"]},
    )


@values.sentence("numbers come back exactly: 64-bit integers and finite floats")
async def numbers(harness: Harness[Any]) -> None:
    ints = [2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1, 2**31, 10**18]
    floats = [1e308, -1e308, 5e-324, 2.2250738585072014e-308, 0.1, 1 / 3, 1e16, 1e22, 2.0**63, -0.0, 1e-7, 123456789.0]
    await _comes_back(harness, numbers={"ints": ints, "floats": floats})


@values.sentence("text comes back as it was, as keys and as values")
async def texts(harness: Harness[Any]) -> None:
    strings = [
        "", " ", "\0", "a\0b", "\\u0000", "\\", '"', "'", "\n\r\t", "\x7f\x85\u2028\u2029\ufeff", "é", "e\u0301",
        "\uffff", "\U0001f600", "../x", "a.b", ".", "$eq", "$", "__proto__", "id", "timestamp ", "%s",
        "null", "1", "x" * 10_000,
    ]  # fmt: skip
    await _comes_back(
        harness,
        values={"texts": strings},
        keys=dict.fromkeys(strings, 1),
        both={text: {text: [text]} for text in strings},
    )


@values.sentence("values may be nested 100 deep")
async def deep(harness: Harness[Any]) -> None:
    await _comes_back(harness, deep=nested(100))


@values.sentence("large objects come back", needs="values of a megabyte")
async def large(harness: Harness[Any]) -> None:
    wide = {f"key {number}": [number, str(number), number / 7] for number in range(3000)}
    await _comes_back(harness, wide=wide, long={"text": "é" * 300_000})


@values.sentence("values come back from another backend over the same storage", needs="survives a crash")
async def persisted(harness: Harness[Any]) -> None:
    value: JSONObject = {
        "numbers": [1, 1.0, True, None, 2**63 - 1, -(2**63), 5e-324, 1e308],
        "": {"a.b": "\0", "$eq": ["é", "e\u0301", "\U0001f600"]},
        "deep": nested(99),
    }
    storage = harness.storage()
    async with storage.open() as store:
        for place in adapt(store).places():
            await place.put(place.name, value)
    async with storage.open() as store:
        for place in adapt(store).places():
            assert_same(await place.get(place.name), value, f"what {place.name} stored")


@values.sentence("tuples come back as lists")
async def tuples(harness: Harness[Any]) -> None:
    await _round_trip(
        harness, {"tuples": {"a": (), "b": (1, (2, [(3,)]))}}, {"tuples": {"a": [], "b": [1, [2, [[3]]]]}}
    )


@values.sentence("no metadata or properties means an empty object")
async def left_out(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            if place.optional:
                await place.put(f"fresh {place.name}", None)
                assert_same(await place.get(f"fresh {place.name}"), {}, f"nothing through {place.name}")
                await place.put(place.name, sample())
                await place.put(place.name, None)
                assert_same(await place.get(place.name), {}, f"nothing over something through {place.name}")


async def _refused(harness: Harness[Any], *bad: Any) -> None:
    """Expect each value to be refused wherever an object is stored, with its key path, and nothing to be written."""
    async with harness.open() as store:
        for place in adapt(store).places():
            await place.put("there", {"kept": True})
            for value in bad:
                what = f"{type(value).__name__} {ascii(value)[:50]} through {place.name}"
                for id in ("there", "not there"):
                    with refused(what, "deep"):
                        await place.put(id, {"deep": value})
                    with refused(what, "a.b[1]"):
                        await place.put(id, {"fine": 1, "a": {"b": [0, value]}})
                    with refused(what, "a[2].b"):
                        await place.put(id, {"a": (0, [], {"b": value})})
            assert_same(await place.get("there"), {"kept": True}, f"what was there before, through {place.name}")
            assert not await place.get("not there"), f"{place.name} wrote a part of what it refused"


@values.sentence("what is not JSON raises with its key path, and nothing is written")
async def not_json(harness: Harness[Any]) -> None:
    await _refused(
        harness, b"x", bytearray(b"x"), {1}, frozenset(), object(), 1j, Decimal(1), datetime.now(UTC), range(3), len,
        iter([1]), MappingProxyType({}), np.int64(1), np.float32(1), np.zeros(2), ...,
    )  # fmt: skip


class _Number(IntEnum):
    ONE = 1


@values.sentence("a subclass of a JSON type raises with its key path: it could not come back as it was")
async def subclasses(harness: Harness[Any]) -> None:
    await _refused(harness, _Number.ONE, OrderedDict(a=1), np.float64(1))


@values.sentence("NaN and infinities raise with their key path")
async def not_finite(harness: Harness[Any]) -> None:
    await _refused(harness, math.nan, math.inf, -math.inf)


@values.sentence("an int beyond 64 bits raises with its key path")
async def beyond_64_bits(harness: Harness[Any]) -> None:
    await _refused(harness, 2**63, -(2**63) - 1, 10**40)


@values.sentence("a lone surrogate raises with its key path, in keys and values")
async def surrogates(harness: Harness[Any]) -> None:
    await _refused(harness, "\ud800", "x\udfff", {"\udc80": 1})


@values.sentence("a key that is not a str raises with its key path")
async def keys_not_text(harness: Harness[Any]) -> None:
    await _refused(harness, {1: 1}, {None: 1}, {True: 1}, {b"x": 1}, {(1,): 1}, {"fine": 1, 1.5: 1})


@values.sentence("an object inside itself raises")
async def cycles(harness: Harness[Any]) -> None:
    inside: dict[str, Any] = {}
    inside["down"] = [inside]
    listed: list[Any] = []
    listed.append(listed)
    await _refused(harness, inside, listed)


@values.sentence("values nested more than 100 deep raise")
async def too_deep(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            for depth in (101, 102, 5000):
                with refused(f"{depth} levels through {place.name}", "down"):
                    await place.put("x", nested(depth))
            assert not await place.get("x")


@values.sentence("metadata, properties and data that are not an object raise")
async def not_an_object(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            wrong: list[Any] = [[], [["a", 1]], "text", 1, True, MappingProxyType({}), OrderedDict()]
            for value in wrong:
                with refused(f"{value!r} through {place.name}"):
                    await place.put("x", value)
            assert not await place.get("x")


isolation = Group("isolation")


@isolation.sentence("changing what was passed never changes the store")
async def passed(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for place in adapt(store).places():
            value = sample()
            await place.put("a", value)
            vandalise(value)
            assert_same(await place.get("a"), sample(), f"what {place.name} stored")


@isolation.sentence("changing what was returned never changes the store")
async def returned(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        for name, read in adapter.reads().items():
            before = await _everything(adapter)
            vandalise(await read())
            after = await _everything(adapter)
            assert_same(after, before, f"the store, after the result of {name} was changed,")


async def _everything(adapter: Adapter[Any]) -> JSONObject:
    return {name: copy.deepcopy(await read()) for name, read in adapter.reads().items()}


@isolation.sentence("no argument is ever changed")
async def arguments(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for place in adapter.places():
            value: dict[str, Any] = {"tuple": (1, [2, (3,)]), "object": {"a": {"b": []}}}
            before = copy.deepcopy(value)
            await place.put("a", value)
            await place.put("a", value)
            assert value == before, f"{place.name} changed its argument"
            try:
                await place.put("a", {**value, "bad": {1}})
            except (TypeError, ValueError):
                assert value == before, f"{place.name} changed the argument that it refused"


@isolation.sentence("what two reads return has nothing in common")
async def two_reads(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        for name, read in adapter.reads().items():
            first, second = await read(), await read()
            before = copy.deepcopy(second)
            vandalise(first)
            assert_same(second, before, f"the second result of {name}")
