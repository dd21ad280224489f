"""Langchain's own kits for key-value stores over every engine, and what they do not ask."""

import asyncio

import pytest
from langchain_core.stores import BaseStore
from langchain_tests.integration_tests import BaseStoreAsyncTests, BaseStoreSyncTests

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import InvalidValueError
from symphony_registry.integrations.langchain import RegistryByteStore


class TestSync(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"foo", b"bar", b"\0\xff"

    @pytest.fixture
    def kv_store(self, blocking_registry: BlockingRegistry) -> BaseStore[str, bytes]:
        return RegistryByteStore(blocking_registry.checkpoint_store())


class TestAsync(BaseStoreAsyncTests[bytes]):
    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"foo", b"bar", b"\0\xff"

    @pytest.fixture
    async def kv_store(self, checkpoint_store: CheckpointStoreBackend) -> BaseStore[str, bytes]:
        return RegistryByteStore(checkpoint_store)


async def test_stores_of_two_prefixes_do_not_see_each_other(checkpoint_store: CheckpointStoreBackend) -> None:
    one, other = RegistryByteStore(checkpoint_store, "one/"), RegistryByteStore(checkpoint_store, "other/")
    await one.amset([("a", b"1"), ("b", b"")])
    await other.amset([("a", b"2")])
    assert await one.amget(["a", "b", "a", "c"]) == [b"1", b"", b"1", None]
    assert [key async for key in one.ayield_keys()] == ["a", "b"]
    await one.amdelete(["a", "b"])
    assert await other.amget(["a"]) == [b"2"]


async def test_more_keys_than_a_page_are_each_given_once(checkpoint_store: CheckpointStoreBackend) -> None:
    store = RegistryByteStore(checkpoint_store, "one/")
    keys = [f"{number:04}" for number in range(2500)]
    await store.amset([(key, b"") for key in keys])
    assert [key async for key in store.ayield_keys()] == keys
    assert await asyncio.to_thread(lambda: list(store.yield_keys())) == keys
    assert [key async for key in store.ayield_keys(prefix="1")] == keys[1000:2000]


async def test_a_pair_that_cannot_be_stored_stops_all(checkpoint_store: CheckpointStoreBackend) -> None:
    store = RegistryByteStore(checkpoint_store)
    with pytest.raises(InvalidValueError):
        await store.amset([("a", b"1"), ("", b"2")])
    assert await store.amget(["a"]) == [None]
