"""Sentences about the filter language, for every backend type."""

import copy
from collections.abc import Mapping
from typing import Any

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

filters = Group("filters", needs=("filters", "listing entities"))

DOCUMENTS: dict[str, JSONObject] = {
    "nothing": {},
    "english": {"lang": "en", "year": 2019, "tags": ["a", "b"], "author": {"name": "Ada", "born": {"year": 1815}}},
    "german": {"lang": "de", "year": 2020, "tags": ["b"], "author": {"name": "Emmy"}, "draft": False},
    "capital": {"lang": "EN", "year": 2021, "tags": [], "author": {}, "draft": True},
    "floats": {"lang": "é", "year": 2020.0, "tags": [1.0, 2.5], "draft": 0},
    "halves": {"lang": "e\u0301", "year": 2020.5, "tags": [1, True, None], "draft": 1},
    "texts": {"lang": "\uffff", "year": "2020", "tags": "a", "draft": "true"},
    "truth": {"lang": "\U00010000", "year": True, "tags": [True], "draft": None},
    "null": {"lang": None, "year": None, "tags": None, "author": None},
    "lists": {"lang": ["en"], "year": [2020], "tags": [["a"], {"k": 1}, []], "author": [{"name": "Ada"}]},
    "objects": {"lang": {"en": 1}, "year": {"$gte": 1}, "tags": {"a": 1}, "author": {"name": {"first": "Ada"}}},
    "dotted": {"author.name": "Ada", "a.b": 1},
    "odd keys": {"": 1, " ": 2, "a'b": 3, 'a"b': 4, "a\\b": 5, "a%b": 6, "a[0]": 7, "ключ": 8, "a/b": 9, "0": 10},
    "large": {"year": 2**63 - 1, "lang": "", "tags": [2**53 + 1]},
    "small": {"year": -(2**63), "lang": " ", "tags": [0.1, -0.0]},
    "nearly": {"year": 2**53, "tags": [2**53]},
}


async def finds(harness: Harness[Any], *filters: JSONObject) -> None:
    """Expect each filter to find what the reference evaluator finds, in every operation that takes filters."""
    await finds_these(
        harness,
        [
            (filter, [id for id, document in DOCUMENTS.items() if parse_filter(filter).matches(document)])
            for filter in filters
        ],
    )


async def finds_these(
    harness: Harness[Any],
    cases: list[tuple[JSONObject, list[str]]],
    documents: Mapping[str, JSONObject] = DOCUMENTS,
) -> None:
    """Expect each filter to find these documents."""
    async with harness.open() as store:
        adapter = adapt(store)
        for id, document in documents.items():
            await adapter.put_for_filter(id, copy.deepcopy(document))
        for filter, expected in cases:
            wanted = sorted(expected) if adapter.ordered_by_id else [id for id in documents if id in expected]
            found = await adapter.find(copy.deepcopy(filter))
            assert found == wanted, f"{filter} found {found}, expected {wanted}"
            counted = await adapter.count(copy.deepcopy(filter))
            assert counted is None or counted == len(wanted), f"{filter} counted {counted}, expected {len(wanted)}"


@filters.sentence("a value means equal, and so does $eq")
async def equal(harness: Harness[Any]) -> None:
    operands: list[Any] = [
        "en",
        "",
        None,
        2020,
        "2020",
        0,
        ["en"],
        ["a", "b"],
        [],
        {"en": 1},
        {},
        {"name": "Emmy"},
        "\uffff",
        "é",
    ]
    for key in ("lang", "year", "tags", "author", "draft"):
        await finds(harness, *({key: operand} for operand in operands), *({key: {"$eq": each}} for each in operands))


@filters.sentence("equality is JSON equality: 1 equals 1.0, True does not equal 1, nor null a missing key")
async def json_equality(harness: Harness[Any]) -> None:
    documents: dict[str, JSONObject] = {
        "int": {"x": 1}, "float": {"x": 1.0}, "true": {"x": True}, "text": {"x": "1"}, "list": {"x": [1]},
        "list of true": {"x": [True]}, "object": {"x": {"y": 1.0}}, "null": {"x": None}, "missing": {},
        "zero": {"x": 0}, "false": {"x": False}, "minus zero": {"x": -0.0},
    }  # fmt: skip
    cases: list[tuple[JSONObject, list[str]]] = [
        ({"x": 1}, ["int", "float"]),
        ({"x": 1.0}, ["int", "float"]),
        ({"x": True}, ["true"]),
        ({"x": "1"}, ["text"]),
        ({"x": [1.0]}, ["list"]),
        ({"x": [True]}, ["list of true"]),
        ({"x": {"y": 1}}, ["object"]),
        ({"x": None}, ["null"]),
        ({"x": 0}, ["zero", "minus zero"]),
        ({"x": False}, ["false"]),
        ({"x": {"$in": [1, False]}}, ["int", "float", "false"]),
        ({"x": {"$contains": 1.0}}, ["list"]),
    ]
    await finds_these(harness, cases, documents)


@filters.sentence("$ne is what $eq is not")
async def not_equal(harness: Harness[Any]) -> None:
    operands: list[Any] = ["en", None, 2020, True, 1, 0, [], ["a", "b"], {}]
    await finds(harness, *({key: {"$ne": each}} for key in ("lang", "year", "tags", "draft") for each in operands))


def _ordered(operator: str) -> list[JSONObject]:
    operands = [2020, 2019.5, 0, -(2**63), 2**63 - 1, 2**53, 2**53 + 1, 9.3e18, "2020", "", "e", "en", "\uffff", True]
    return [{key: {operator: operand}} for key in ("lang", "year", "draft") for operand in operands]


@filters.sentence("$gt is greater")
async def greater(harness: Harness[Any]) -> None:
    await finds(harness, *_ordered("$gt"))


@filters.sentence("$gte is greater or equal")
async def greater_or_equal(harness: Harness[Any]) -> None:
    await finds(harness, *_ordered("$gte"))


@filters.sentence("$lt is less")
async def less(harness: Harness[Any]) -> None:
    await finds(harness, *_ordered("$lt"))


@filters.sentence("$lte is less or equal")
async def less_or_equal(harness: Harness[Any]) -> None:
    await finds(harness, *_ordered("$lte"))


@filters.sentence("several operators on a key hold together")
async def together(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"year": {"$gte": 2020, "$lt": 2021}},
        {"year": {"$gt": 2019, "$lte": 2020.5, "$ne": 2020}},
        {"lang": {"$gte": "d", "$lt": "f"}, "year": {"$gt": 2018}},
        {"year": {"$gt": 3000, "$lt": 1000}},
        {"tags": {"$contains": "a", "$exists": True}},
    )


@filters.sentence("an order operator between different types does not match")
async def order_between_types(harness: Harness[Any]) -> None:
    documents: dict[str, JSONObject] = {
        "int": {"x": 5}, "float": {"x": 5.5}, "text": {"x": "5"}, "true": {"x": True}, "null": {"x": None},
        "list": {"x": [5]}, "object": {"x": {"y": 5}}, "missing": {},
    }  # fmt: skip
    cases: list[tuple[JSONObject, list[str]]] = [
        ({"x": {"$gt": 0}}, ["int", "float"]),
        ({"x": {"$gte": 5}}, ["int", "float"]),
        ({"x": {"$lt": 100.0}}, ["int", "float"]),
        ({"x": {"$gt": ""}}, ["text"]),
        ({"x": {"$lte": "zzz"}}, ["text"]),
        ({"x": {"$gte": False}}, ["true"]),
        ({"x": {"$gte": None}}, []),
        ({"x": {"$lte": None}}, []),
        ({"x": {"$gte": [0]}}, []),
        ({"x": {"$lte": [5]}}, []),
        ({"x": {"$gte": {}}}, []),
    ]
    await finds_these(harness, cases, documents)


@filters.sentence("$in is equal to one of the values")
async def one_of(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"lang": {"$in": ["en", "de", None]}},
        {"lang": {"$in": []}},
        {"year": {"$in": [2020, True, "2020"]}},
        {"year": {"$in": [1, 2**63 - 1]}},
        {"tags": {"$in": [["b"], [], "a"]}},
        {"draft": {"$in": [1, False]}},
        {"author": {"$in": [{}, {"name": "Emmy"}]}},
    )


@filters.sentence("$nin is equal to none of the values")
async def none_of(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"lang": {"$nin": ["en", "de", None]}},
        {"lang": {"$nin": []}},
        {"year": {"$nin": [2020, True, "2020"]}},
        {"tags": {"$nin": [["b"], [], "a"]}},
        {"draft": {"$nin": [1, False]}},
    )


@filters.sentence("$exists says whether the key is there, null too")
async def exists(harness: Harness[Any]) -> None:
    keys = ["lang", "year", "draft", "author.name", "author.born.year", "missing", "lang.x"]
    await finds(harness, *({key: {"$exists": there}} for key in keys for there in (True, False)))


@filters.sentence("$contains is an element of a list, never a part of a text or a key of an object")
async def contains(harness: Harness[Any]) -> None:
    operands = ["a", "b", 1, 1.0, True, None, 2.5, ["a"], [], {"k": 1}, {"k": 1.0}, {}, 2**53, 2**53 + 1, 0, "k"]
    await finds(harness, *({"tags": {"$contains": operand}} for operand in operands), {"lang": {"$contains": "e"}})


@filters.sentence("a missing key matches only $ne, $nin, $exists: false and $not")
async def missing_keys(harness: Harness[Any]) -> None:
    here, gone = ["here"], ["here", "gone"]
    cases: list[tuple[JSONObject, list[str]]] = [
        ({"x": 1}, here),
        ({"x": None}, []),
        ({"x": {"$eq": None}}, []),
        ({"x": {"$gt": 0}}, here),
        ({"x": {"$lte": 1}}, here),
        ({"x": {"$in": [1, None]}}, here),
        ({"x": {"$contains": None}}, []),
        ({"x": {"$exists": True}}, here),
        ({"x": {"$ne": 2}}, gone),
        ({"x": {"$ne": 1}}, ["gone"]),
        ({"x": {"$ne": None}}, gone),
        ({"x": {"$nin": [1]}}, ["gone"]),
        ({"x": {"$exists": False}}, ["gone"]),
        ({"x": {"$not": {"$gt": 0}}}, ["gone"]),
        ({"$not": {"x": 1}}, ["gone"]),
        ({"$not": {"x": {"$exists": False}}}, here),
        ({"x.y": {"$ne": 1}}, gone),
        ({"x.y": {"$gt": 0}}, []),
    ]
    await finds_these(harness, cases, {"here": {"x": 1}, "gone": {"other": 1}})


@filters.sentence("keys with dots descend into nested objects, not into lists or keys with dots")
async def dotted_keys(harness: Harness[Any]) -> None:
    await finds(
        harness,
        {"author.name": "Ada"},
        {"author.name": {"$ne": "Ada"}},
        {"author.name": {"$in": ["Ada", "Emmy"]}},
        {"author.born.year": {"$lt": 1900}},
        {"author.born": {"year": 1815.0}},
        {"author.name.first": {"$exists": True}},
        {"a.b": 1},
        {"tags.0": "a"},
        {"lang.en": 1},
        {"year.$gte": 1},
        *({"a" + ".a" * 300: condition} for condition in ({"$exists": True}, {"$ne": 1}, {"$not": {"$gt": 1}}, 1)),
    )


@filters.sentence("a backslash takes the dot or the backslash after it for part of the key")
async def escaped_dots(harness: Harness[Any]) -> None:
    document = {"a.b": 1, "a": {"b": 2, "c.d": {"e": 3}}, "b\\": {"c": 4}, "b\\.c": 5, "\\x": 6, "..": 7}
    cases: list[tuple[JSONObject, list[str]]] = [
        ({"a\\.b": 1}, ["here"]),
        ({"a.b": 1}, ["other"]),
        ({"a.b": 2}, ["here"]),
        ({"a.c\\.d.e": {"$gt": 2}}, ["here"]),
        ({"a.c.d.e": 3}, []),
        ({"b\\\\.c": 4}, ["here"]),
        ({"b\\\\\\.c": 5}, ["here"]),
        ({"\\x": {"$in": [6]}}, ["here"]),
        ({"\\\\x": 6}, ["here"]),
        ({"\\.\\.": 7}, ["here"]),
        ({"a\\.b": {"$exists": False}}, ["other"]),
        ({"a\\.b": {"$ne": 1}}, ["other"]),
    ]
    await finds_these(harness, cases, {"here": document, "other": {"a": {"b": 1}}})


@filters.sentence("a key is data, never a piece of a query")
async def odd_keys(harness: Harness[Any]) -> None:
    odd = [{key: value} for key, value in DOCUMENTS["odd keys"].items()]
    hostile = ["'; --", "x' OR '1'='1", '"', "%", "*", "a) OR (1=1", "{}", "\0", "@.x", "[*]"]
    await finds(harness, *odd, *({key: 1} for key in hostile), *({key: {"$exists": False}} for key in hostile))
    await finds(harness, *({"lang": text} for text in hostile), *({"tags": {"$contains": text}} for text in hostile))
