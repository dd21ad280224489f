"""langgraph's long-term memory over every engine."""

import asyncio
from itertools import chain
from typing import Any

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, Item, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend, InMemoryCheckpointStore
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import BlockingCallError, InvalidTypeError, InvalidValueError
from symphony_registry.integrations.langgraph import RegistryStore


@pytest.fixture
def store(checkpoint_store: CheckpointStoreBackend) -> RegistryStore:
    return RegistryStore(checkpoint_store)


async def keys(store: RegistryStore, namespace: tuple[str, ...] = (), **options: Any) -> list[str]:
    return [item.key for item in await store.asearch(namespace, **options)]


async def test_an_item_comes_back_as_it_was_put(store: RegistryStore) -> None:
    await store.aput(("users", "ada"), "prefs", {"theme": "dark", "sizes": [1, 2.0, None]})
    item = await store.aget(("users", "ada"), "prefs")
    assert item
    assert (item.namespace, item.key, item.value) == (
        ("users", "ada"),
        "prefs",
        {"theme": "dark", "sizes": [1, 2.0, None]},
    )
    assert await store.aget(("users",), "prefs") is None


async def test_an_item_that_is_put_again_keeps_when_it_was_created(store: RegistryStore) -> None:
    await store.aput(("a",), "k", {"n": 1})
    first = await store.aget(("a",), "k")
    await store.aput(("a",), "k", {"n": 2})
    second = await store.aget(("a",), "k")
    assert first
    assert second
    assert second.value == {"n": 2}
    assert first.created_at == second.created_at == first.updated_at < second.updated_at


async def test_what_is_deleted_is_gone(store: RegistryStore) -> None:
    await store.aput(("a",), "k", {})
    await store.adelete(("a",), "k")
    await store.adelete(("a",), "never there")
    assert await store.aget(("a",), "k") is None
    assert await store.alist_namespaces() == []


async def test_the_last_put_of_a_key_in_a_batch_counts_and_reads_see_what_was_before(store: RegistryStore) -> None:
    results = await store.abatch(
        [
            PutOp(("a",), "k", {"n": 1}),
            GetOp(("a",), "k"),
            PutOp(("a",), "k", {"n": 2}),
            PutOp(("a",), "gone", {"n": 3}),
            PutOp(("a",), "gone", None),
            SearchOp(("a",)),
            ListNamespacesOp(),
        ]
    )
    assert results == [None, None, None, None, None, [], []]
    assert [(item.key, item.value) for item in await store.asearch(("a",))] == [("k", {"n": 2})]


async def test_a_namespace_holds_what_is_below_it_and_not_what_begins_alike(store: RegistryStore) -> None:
    for namespace in [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("a/b",), ("a", "b-"), ("a", "b/")]:
        await store.aput(namespace, "k", {})
    found = [item.namespace for item in await store.asearch(("a", "b"))]
    assert found == [("a", "b"), ("a", "b", "c")]
    assert len(await store.asearch(("a",))) == 5
    assert len(await store.asearch(())) == 7


@pytest.mark.parametrize("key", ["", ".", "a.b", "~", "~" + "0" * 64, "k" * 2000, "ключ" * 200, "nul\0", "../x", "*"])
async def test_any_text_is_a_key(store: RegistryStore, key: str) -> None:
    await store.aput(("a",), key, {"is": "it"})
    await store.aput(("a",), f"{key}x", {"is": "another"})
    item = await store.aget(("a",), key)
    assert item
    assert (item.key, item.value) == (key, {"is": "it"})
    assert sorted(await keys(store, ("a",))) == sorted([key, f"{key}x"])


async def test_a_namespace_may_be_longer_than_an_id(store: RegistryStore) -> None:
    long = tuple(f"{place:03}" + "é" * 60 for place in range(12))
    for depth in range(1, 13):
        await store.aput(long[:depth], "k", {"depth": depth})
    assert sorted(item.value["depth"] for item in await store.asearch(long[:7], limit=20)) == list(range(7, 13))
    item = await store.aget(long, "k")
    assert item
    assert item.namespace == long
    assert await store.alist_namespaces(prefix=long[:11]) == [long[:11], long]
    assert await store.alist_namespaces(max_depth=2) == [long[:1], long[:2]]


FOUND_BY = {
    "equality": ({"lang": "en"}, "ac"),
    "several": ({"lang": "en", "year": {"$gt": 2000}}, "c"),
    "operators": ({"year": {"$gte": 1990, "$lt": 2020}}, "ab"),
    "numbers": ({"year": 1990.0}, "a"),
    "not equal, missing too": ({"lang": {"$ne": "en"}}, "bd"),
    "null is as missing": ({"lang": None}, "d"),
    "not null": ({"lang": {"$ne": None}}, "abc"),
    "nested": ({"author": {"name": "Ada"}}, "a"),
    "nested operators": ({"author": {"born": {"$lt": 1900}}}, "a"),
    "nested, where nothing is": ({"author": {"died": None}}, "ab"),
    "an object": ({"author": {}}, "ab"),
    "a list": ({"tags": ["x", "y"]}, "a"),
    "a key with periods": ({"a.b": 1}, "d"),
    "a key with a backslash": ({"a\\b": 1}, "d"),
    "a key with a dollar": ({"$or": 1}, "d"),
    "one of": ({"lang": {"$in": ["en", "de"]}}, "abc"),
}


@pytest.mark.parametrize("name", FOUND_BY)
async def test_items_are_found_by(store: RegistryStore, name: str) -> None:
    wanted, expected = FOUND_BY[name]
    await store.aput(
        ("n",), "a", {"lang": "en", "year": 1990, "author": {"name": "Ada", "born": 1815}, "tags": ["x", "y"]}
    )
    await store.aput(("n",), "b", {"lang": "de", "year": 2000, "author": {"name": "Bo"}, "tags": ["y", "x"]})
    await store.aput(("n",), "c", {"lang": "en", "year": 2020, "author": "Ada"})
    await store.aput(("n",), "d", {"year": "2000", "a.b": 1, "a\\b": 1, "$or": 1})
    assert "".join(await keys(store, ("n",), filter=wanted)) == expected


async def test_an_unknown_operator_is_named(store: RegistryStore) -> None:
    with pytest.raises(InvalidValueError, match=r"no operator \$greater"):
        await store.asearch(("n",), filter={"year": {"$greater": 1}})


async def test_a_filter_that_is_none_is_answered_with_one(store: RegistryStore) -> None:
    with pytest.raises(InvalidTypeError, match=r'A filter is a dict, not a str: \{"colour": "dark"\}'):
        await store.asearch(("n",), filter="colour")  # type: ignore[arg-type]


async def test_pages_of_a_search_follow_each_other(store: RegistryStore) -> None:
    await store.abatch([PutOp(("n",), f"{n:03}", {"n": n, "of": {"n": n}}) for n in range(30)])
    pages = [await keys(store, ("n",), limit=7, offset=offset) for offset in range(0, 35, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert list(chain(*pages)) == [f"{n:03}" for n in range(30)]
    assert await keys(store, ("n",), limit=2, offset=3, filter={"of": {"n": {"$gt": 9}}}) == ["013", "014"]


NAMESPACES = [("a",), ("a", "b"), ("a", "b", "c"), ("a", "x", "c"), ("b", "c"), ("a-",), ("a", "b-", "c")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, sorted(NAMESPACES)),
        ({"prefix": ("a",)}, [("a",), ("a", "b"), ("a", "b", "c"), ("a", "b-", "c"), ("a", "x", "c")]),
        ({"prefix": ("a", "*", "c")}, [("a", "b", "c"), ("a", "b-", "c"), ("a", "x", "c")]),
        ({"suffix": ("c",)}, [("a", "b", "c"), ("a", "b-", "c"), ("a", "x", "c"), ("b", "c")]),
        ({"suffix": ("b", "*")}, [("a", "b", "c"), ("b", "c")]),
        ({"prefix": ("a",), "suffix": ("c",), "max_depth": 2}, [("a", "b"), ("a", "b-"), ("a", "x")]),
        ({"max_depth": 1}, [("a",), ("a-",), ("b",)]),
        ({"limit": 2, "offset": 1}, [("a", "b"), ("a", "b", "c")]),
        ({"prefix": ("nothing",)}, []),
    ],
)
async def test_namespaces_are_listed(store: RegistryStore, options: Any, expected: list[tuple[str, ...]]) -> None:
    await store.abatch([PutOp(namespace, f"{n}", {}) for namespace in NAMESPACES for n in range(40)])
    assert await store.alist_namespaces(**options) == expected


async def test_an_unknown_way_to_match_is_refused(store: RegistryStore) -> None:
    await store.aput(("a",), "k", {})
    with pytest.raises(InvalidValueError, match="infix"):
        await store.abatch([ListNamespacesOp((MatchCondition("infix", ("a",)),))])  # type: ignore[arg-type]


async def test_a_label_with_a_period_is_refused_in_a_batch_too(store: RegistryStore) -> None:
    with pytest.raises(InvalidNamespaceError, match="periods"):
        await store.abatch([GetOp(("a.b",), "k")])


async def test_what_is_no_operation_is_refused(store: RegistryStore) -> None:
    with pytest.raises(InvalidTypeError, match="no operation"):
        await store.abatch(["get"])  # type: ignore[list-item]


async def test_what_is_returned_belongs_to_the_caller(store: RegistryStore) -> None:
    await store.aput(("a",), "k", {"list": [1]})
    one, other = await asyncio.gather(store.aget(("a",), "k"), store.aget(("a",), "k"))
    assert one
    assert other
    one.value["list"].append(2)
    assert other.value == {"list": [1]}


async def test_nobody_fails_by_anothers_mistake(store: RegistryStore) -> None:
    good, bad = await asyncio.gather(
        store.aput(("a",), "good", {"n": 1}), store.aput(("a",), "bad", {"n": object()}), return_exceptions=True
    )
    assert good is None
    assert isinstance(bad, TypeError)
    assert await keys(store) == ["good"]


async def test_another_goes_on_when_one_is_cancelled(store: RegistryStore) -> None:
    cancelled = asyncio.create_task(store.aput(("a",), "one", {}))
    other = asyncio.create_task(store.aput(("a",), "other", {}))
    await asyncio.sleep(0)
    cancelled.cancel()
    await other
    assert "other" in await keys(store)


class CountingStore(InMemoryCheckpointStore):
    """Counts the calls, those that run at once, and the checkpoints that are found."""

    calls = running = most = found = 0

    async def get_checkpoints(self, ids: Any) -> Any:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            return await super().get_checkpoints(ids)
        finally:
            self.running -= 1

    async def find_checkpoints(self, **options: Any) -> Any:
        page = await super().find_checkpoints(**options)
        self.found += len(page)
        return page


async def test_a_search_reads_its_page_and_a_list_of_namespaces_skips_what_is_in_them() -> None:
    async with CountingStore() as backend:
        store = RegistryStore(backend)
        await store.abatch([PutOp(("a", f"{n % 3}"), f"{n}", {}) for n in range(3000)])
        assert len(await store.asearch(("a", "1"), limit=5, offset=5)) == 5
        assert backend.found == 10
        assert await store.alist_namespaces() == [("a", "0"), ("a", "1"), ("a", "2")]
        assert backend.found == 310
        assert await store.alist_namespaces(max_depth=1) == [("a",)]
        assert backend.found == 410


async def test_thousands_of_operations_at_once_need_one_connection() -> None:
    async with CountingStore() as backend:
        store = RegistryStore(backend)
        await asyncio.gather(*(store.aput(("a",), f"{n}", {"n": n}) for n in range(2000)))

        async def get(number: int) -> Item | None:
            for _ in range(number % 7):  # not all in one turn of the event loop
                await asyncio.sleep(0)
            return await store.aget(("a",), f"{number}")

        items = await asyncio.gather(*map(get, range(2000)))
        assert [item and item.value["n"] for item in items] == list(range(2000))
        assert backend.most == 1
        assert backend.calls < 20


def test_threads_use_the_store_without_await(blocking_registry: BlockingRegistry) -> None:
    store = RegistryStore(blocking_registry.checkpoint_store())
    store.put(("a",), "k", {"n": 1})
    item = store.get(("a",), "k")
    assert item
    assert item.value == {"n": 1}
    assert [found.key for found in store.search(("a",))] == ["k"]
    assert store.list_namespaces() == [("a",)]
    store.delete(("a",), "k")
    assert store.get(("a",), "k") is None


async def test_on_the_loop_of_the_backend_waiting_raises_and_names_what_to_await(store: RegistryStore) -> None:
    with pytest.raises(BlockingCallError, match=r"Await aput\(\) instead"):
        store.put(("a",), "k", {})
    with pytest.raises(BlockingCallError, match=r"Await abatch\(\) instead"):
        store.batch([])
