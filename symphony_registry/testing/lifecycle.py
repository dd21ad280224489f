"""Sentences about lifecycle, ids, limits, order and errors, for every backend type."""

# ruff: noqa: D103 - the sentence says what a check is about

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


@lifecycle.sentence("connect after disconnect finds what was persisted", needs_persistence=True)
async def connect_again_finds(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).put("a", sample())
        await store.disconnect()
        await store.connect()
        assert_same(await adapt(store).get("a"), sample(), "the object stored before disconnecting")


@lifecycle.sentence("the guarantees say whether what was stored is there after disconnect")
async def persists(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).put("a", sample())
        await store.disconnect()
        await store.connect()
        found = await adapt(store).get("a") is not None
        assert store.guarantees.persists is found


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
async def side_by_side(harness: Harness[Any]) -> None:
    async with harness.open() as left, harness.open() as right:
        await adapt(left).put("a", {"store": "left"})
        assert await adapt(right).get("a") is None
        await adapt(right).put("a", {"store": "right"})
        await adapt(right).delete("a")
        assert_same(await adapt(left).get("a"), {"store": "left"}, "the object of the other store")


limits = Group("limits")


@limits.sentence("a limit of 0 or less raises")
async def limit_too_small(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        for limit in (0, -1, -(2**70)):
            for name, operation in adapt(store).with_limit(limit).items():
                with refused(f"{name} with the limit {limit}"):
                    await operation()


@limits.sentence("a limit that is not an int raises, a bool too")
async def limit_type(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        await adapt(store).fill()
        for limit in (True, False, 1.0, "1", [1]):
            for name, operation in adapt(store).with_limit(limit).items():
                with refused(f"{name} with the limit {limit!r}"):
                    await operation()


@limits.sentence("a limit gives the first results of the order, one beyond the number of them gives all")
async def limit_cuts(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        for name, operation in adapter.with_limit(1000).items():
            everything = await operation()
            assert len(everything) > 1
            assert_same(await adapter.with_limit(2**62)[name](), everything, f"{name} with a huge limit")
            for limit in range(1, len(everything) + 1):
                cut = await adapter.with_limit(limit)[name]()
                assert_same(cut, everything[:limit], f"{name} with the limit {limit}")


order = Group("order")
# In code-point order, which is neither that of UTF-16, nor of a locale, nor of numbers.
_IN_ORDER = [" ", "10", "9", "Z", "_", "a", "a b", "aa", "b", "z", "é", "ﬀ", "\uffff", "\U00010000", "\U0001f600"]
_SHUFFLED = _IN_ORDER[::2] + _IN_ORDER[1::2] + _IN_ORDER[::-2]


@order.sentence("results come in the order that the operation states, ties by id in code-point order")
async def code_points(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        adapter = adapt(store)
        assert sorted(_IN_ORDER) == _IN_ORDER
        for id in _SHUFFLED:
            await adapter.put(id)
        expected = _IN_ORDER if adapter.ordered_by_id else list(dict.fromkeys(reversed(_SHUFFLED)))[::-1]
        assert await adapter.find() == expected


@order.sentence("the order does not depend on what was deleted and stored again before")
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


errors = Group("errors")


@errors.sentence("an error is a RegistryError and the builtin that a Python user would catch")
async def kinds(harness: Harness[Any]) -> None:
    async with harness.open() as store:
        for operation in adapt(store).with_id("").values():
            with refused("an empty id", kinds=(ValueError,)):
                await operation()
        for operation in adapt(store).with_id(1).values():
            with refused("an int as id", kinds=(TypeError, ValueError)):
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
