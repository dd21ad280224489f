"""Sentences about the lifecycle, for every backend type."""

from typing import Any

from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendNotOpenError, RegistryError
from symphony_registry.testing.adapters import adapt, sample
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import BACKEND_NAME, Harness
from symphony_registry.testing.sentence import Group

lifecycle = Group("lifecycle")


async def _all_refused(backend: StorageBackend) -> None:
    for name, operation in adapt(backend).operations().items():
        with refused(f"{name} on a backend that is not open", kinds=(BackendNotOpenError,)):
            await operation()


@lifecycle.sentence("an operation before connect raises BackendNotOpenError")
async def before_connect(harness: Harness[Any]) -> None:
    await _all_refused(harness.storage().build())


@lifecycle.sentence("an operation after disconnect raises BackendNotOpenError")
async def after_disconnect(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        await store.disconnect()
        await _all_refused(store)


@lifecycle.sentence("disconnect twice is harmless, and so is disconnect before connect")
async def disconnect_twice(harness: Harness[Any]) -> None:
    backend = harness.storage().build()
    await backend.disconnect()
    await backend.connect()
    await backend.disconnect()
    await backend.disconnect()
    assert not backend.is_open


@lifecycle.sentence("connect after disconnect works again")
async def connect_again(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for _ in range(2):
            await store.disconnect()
            await store.connect()
            await adapt(store).put("a", sample())
            assert_same(await adapt(store).get("a"), sample(), "the object stored after connecting again")


@lifecycle.sentence("connect on a connected backend keeps what is there")
async def connect_twice(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).put("a", sample())
        await store.connect()
        assert_same(await adapt(store).get("a"), sample(), "the object stored before connecting twice")


@lifecycle.sentence("initialize takes the options before connect, and None keeps those there are")
async def initialize(harness: Harness[Any]) -> None:
    storage = harness.storage()
    backend = storage.build()
    await backend.initialize(dict(storage.options))
    await backend.initialize(None)
    await backend.connect()
    try:
        await adapt(backend).put("a", sample())
        assert_same(await adapt(backend).get("a"), sample(), "the object")
    finally:
        await backend.disconnect()


@lifecycle.sentence("health_check is True while connected, else False")
async def health(harness: Harness[Any]) -> None:
    backend = harness.storage().build()
    assert await backend.health_check() is False
    async with backend:
        assert await backend.health_check() is True
    assert await backend.health_check() is False


@lifecycle.sentence("ensure_healthy raises where health_check is False, and the error names the backend")
async def ensured_health(harness: Harness[Any]) -> None:
    backend = harness.storage().build()
    with refused("ensure_healthy before connect", BACKEND_NAME, kinds=(RegistryError,)):
        await backend.ensure_healthy()
    async with backend:
        await backend.ensure_healthy()


@lifecycle.sentence("version tells what keeps the data")
async def version(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        told = await store.version()
        assert isinstance(told, str)
        assert told


@lifecycle.sentence("async with connects the backend and disconnects it, after an error too")
async def context_manager(harness: Harness[Any]) -> None:
    backend = harness.storage().build()
    try:
        async with backend as entered:
            assert entered is backend
            await adapt(backend).put("a")
            raise LookupError
    except LookupError:
        pass
    await _all_refused(backend)


@lifecycle.sentence("two stores with different storage share nothing")
async def separate_stores(harness: Harness[Any]) -> None:
    async with harness.open() as left, harness.open() as right:
        await adapt(left).put("a", {"store": "left"})
        assert await adapt(right).get("a") is None
        await adapt(right).put("a", {"store": "right"})
        await adapt(right).delete("a")
        assert_same(await adapt(left).get("a"), {"store": "left"}, "the object of the other store")
