"""Sentences about filters made of filters, and about filters that mean nothing."""

import copy
from typing import Any

from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.contract.filters import filters, finds, finds_these
from symphony_registry.testing.expectations import refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

logic = Group("filters", needs=filters.needs)


@logic.sentence("$and holds where all parts hold")
async def all_of(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"$and": [{"year": {"$gte": 2020}}, {"year": {"$lt": 2021}}]},
        {"$and": [{"lang": "en"}], "year": 2019},
        {"$and": []},
        {"$and": [{}]},
        {"$and": [{"lang": "en"}, {"lang": "de"}]},
    )


@logic.sentence("$or holds where a part holds")
async def any_of(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"$or": [{"lang": "en"}, {"year": 2020}]},
        {"$or": [{"lang": "en"}, {"lang": "de"}], "year": {"$gt": 2019}},
        {"$or": []},
        {"$or": [{}]},
        {"$or": [{"missing": 1}, {"missing": {"$exists": False}}]},
    )


@logic.sentence("$not holds where its part does not, missing keys included")
async def negation(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"$not": {"lang": "en"}},
        {"$not": {"lang": "en", "year": 2019}},
        {"$not": {}},
        {"$not": {"$not": {"lang": "en"}}},
        {"year": {"$not": {"$gte": 2020}}},
        {"year": {"$not": {"$gte": 2020, "$lt": 2021}, "$exists": True}},
        {"$not": {"tags": {"$contains": "a"}}},
        {"$not": {"year": {"$gt": "a"}}},
    )


@logic.sentence("$and, $or and $not nest")
async def nesting(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"$or": [{"$and": [{"lang": "en"}, {"$not": {"year": 2020}}]}, {"$not": {"$or": [{"year": {"$lt": 1}}]}}]},
        {"$not": {"$or": [{"lang": {"$in": ["en", "de"]}}, {"$and": [{"draft": True}, {"year": {"$gt": 0}}]}]}},
        {"$and": [{"$or": [{"tags": {"$contains": "b"}}, {"tags": []}]}, {"$or": [{"draft": False}, {"draft": True}]}]},
        {"$not": {"$not": {"$not": {"author.name": "Ada"}}}},
    )


@logic.sentence("an empty filter matches everything, and so does none")
async def empty_filter(harness: Harness[Any]) -> None:
    await finds(harness, {})
    async with harness.open() as store:
        await adapt(store).fill()
        assert sorted(await adapt(store).find(None)) == ["a", "b", "c"]
        assert sorted(await adapt(store).find({})) == ["a", "b", "c"]


async def _refused(harness: Harness[Any], *wrong: Any) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for fill in (False, True):
            if fill:
                await adapter.fill()
            for filter in wrong:
                for name, operation in adapter.with_filter(filter).items():
                    with refused(f"{name} with the filter {filter}"):
                        await operation()


@logic.sentence("no filter is ever changed")
async def unchanged(harness: Harness[Any]) -> None:
    condition = {"$or": [{"tags": {"$in": [1, ["x"]]}}, {"a.b": {"c": []}}], "$not": {"x": {"$exists": True}}}
    before = copy.deepcopy(condition)
    async with harness.open() as store:
        await adapt(store).fill()
        for name, operation in adapt(store).with_filter(condition).items():
            await operation()
            assert condition == before, f"{name} changed its filter"


@logic.sentence(
    "operators without their dollar raise, and the one that is meant is named; among other keys they are keys"
)
async def without_a_dollar(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        for name in ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "contains", "not"):
            given_like: list[JSONObject] = [{"year": {name: 1}}, {"$or": [{"a.b": {name: []}}]}]
            for given in (*given_like, {"year": {"$not": {name: 1}}}):
                for call_name, call in adapter.with_filter(given).items():
                    with refused(f"{call_name} with {given}", f"${name}"):
                        await call()
        parts: dict[str, Any] = {"and": [{"a": 1}], "or": [{"a": 1}, {"b": 2}], "not": {"a": 1}}
        for name, part in parts.items():
            for logical in ({name: part}, {"a": 1, name: part}, {"$and": [{name: part}]}, {"$not": {name: part}}):
                for call_name, call in adapter.with_filter(logical).items():
                    with refused(f"{call_name} with {logical}", f"${name}"):
                        await call()
    cases: list[tuple[JSONObject, list[str]]] = [
        ({"year": {"gte": 1, "x": 2}}, ["both"]),
        ({"year": {"$eq": {"gte": 1}}}, ["one"]),
        ({"gte": 1}, ["top"]),
        ({"or": 3, "not": "x", "and": [1]}, ["logical"]),
        ({"not": {"$in": ["x"]}, "or": {"$gt": 2}}, ["logical"]),
        ({"or": {"$eq": [{"a": 1}]}, "not": {"$eq": {"a": 1}}}, ["objects"]),
        ({"or": []}, ["empty"]),
    ]
    documents: dict[str, JSONObject] = {
        "both": {"year": {"gte": 1, "x": 2}},
        "one": {"year": {"gte": 1}},
        "top": {"gte": 1},
        "logical": {"or": 3, "not": "x", "and": [1]},
        "objects": {"or": [{"a": 1}], "not": {"a": 1}},
        "empty": {"or": []},
    }
    await finds_these(harness, cases, documents)


@logic.sentence("an unknown operator raises ValueError and is named")
async def unknown_operators(harness: Harness[Any]) -> None:
    unknown = [
        {"x": {"$regex": "a"}}, {"$where": "1"}, {"$nor": []}, {"x": {"$GT": 1}}, {"x": {"$": 1}}, {"$eq": 1},
        {"x": {"$eq": 1, "$what": 2}}, {"$and": [{"x": {"$what": 1}}]}, {"x": {"$not": {"$what": 1}}},
        {"x": {"$gt": 1, "plain": 2}},
    ]  # fmt: skip
    async with harness.open() as store:
        await adapt(store).fill()
        for filter in unknown:
            for name, operation in adapt(store).with_filter(filter).items():
                with refused(f"{name} with the filter {filter}", kinds=(ValueError,)):
                    await operation()
        for name, operation in adapt(store).with_filter({"x": {"$regex": "a"}}).items():
            with refused(name, "$regex"):
                await operation()


@logic.sentence("an operator with an operand of the wrong type raises")
async def wrong_operands(harness: Harness[Any]) -> None:
    await _refused(
        harness, {"x": {"$in": "abc"}}, {"x": {"$in": {}}}, {"x": {"$nin": 1}}, {"x": {"$exists": 1}}, {"$and": {}},
        {"$or": "x"}, {"$or": [1]}, {"$not": []}, {"x": {"$not": 1}}, {"$and": [None]},
    )  # fmt: skip


@logic.sentence("a filter that is not a JSON object raises")
async def not_an_object(harness: Harness[Any]) -> None:
    await _refused(
        harness, [], "x", 1, *[True, False], [{"x": 1}], {"x": b"x"}, {"x": {1}}, {1: 1},
        {"x": float("nan")}, {"x": 2**63},
        {"x": {"$in": [object()]}}, {"x": {"$gt": float("inf")}},
    )  # fmt: skip
