"""Sentences about errors, for every backend type."""

from typing import Any

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import BackendNotOpenError, RegistryError, UnsupportedFilterError
from symphony_registry.testing.adapters import adapt, sample
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import BACKEND_NAME, Harness
from symphony_registry.testing.sentence import Group

errors = Group("errors")


@errors.sentence("an error about an argument names the backend, is a RegistryError and what a Python user would catch")
async def kinds(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for operation in adapt(store).with_id("").values():
            with refused("an empty id", BACKEND_NAME, kinds=(ValueError,)):
                await operation()
        for operation in adapt(store).with_id(1).values():
            with refused("an int as id", BACKEND_NAME, kinds=(TypeError, ValueError)):
                await operation()


@errors.sentence("the error of a backend that is not open names the backend")
async def names_backend(harness: Harness[Any]) -> None:
    for name, operation in adapt(harness.storage().build()).operations().items():
        with refused(name, BACKEND_NAME, kinds=(BackendNotOpenError,)):
            await operation()


@errors.sentence("after an error the store works as before")
async def goes_on(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        before = {name: await read() for name, read in adapter.reads().items()}
        wrong = {**adapter.with_id(""), **adapter.with_limit(0)}
        for name, operation in wrong.items():
            try:
                await operation()
            except RegistryError:
                continue
            raise AssertionError(f"{name} was not refused")
        for name, read in adapter.reads().items():
            assert_same(await read(), before[name], name)
        await adapter.put("d", sample())
        assert_same(await adapter.get("d"), sample(), "the object stored after errors")


@errors.sentence("a filter is answered rightly or refused with UnsupportedFilterError", needs="listing entities")
async def never_ignored(harness: Harness[Any]) -> None:
    filters: list[JSONObject] = [
        {"a.b": 1}, {"a.b": {"$ne": 1}}, {"n": {"$gt": 1}}, {"n": {"$in": [1, 2.0]}}, {"n": {"$exists": False}},
        {"tags": {"$contains": "x"}}, {"$or": [{"n": 1}, {"a.b": 1}]}, {"$not": {"n": 1}},
    ]  # fmt: skip
    documents: dict[str, JSONObject] = {
        "one": {"n": 1, "a": {"b": 1}},
        "two": {"n": 2, "tags": ["x"]},
        "three": {"n": 3, "a": {"b": 2}, "tags": []},
    }
    async with harness.open() as store:
        for id, document in documents.items():
            await adapt(store).put_for_filter(id, document)
        for filter in filters:
            expected = {id for id, document in documents.items() if parse_filter(filter).matches(document)}
            try:
                found = await adapt(store).find(filter)
            except UnsupportedFilterError:
                continue
            assert set(found) == expected, f"{filter} found {found}, expected {sorted(expected)}"
