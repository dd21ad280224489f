"""Items that have a time to live."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from langgraph.store.base import TTLConfig

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend, InMemoryCheckpointStore
from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.integrations.langgraph import RegistryStore, expiry, items


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets minutes pass."""
    time = items.now()

    def pass_(minutes: float) -> None:
        nonlocal time
        time += minutes * 60

    for module in (items, expiry):
        monkeypatch.setattr(module, "now", lambda: time)
    return pass_


PassTime = Callable[[float], None]


@pytest.fixture
def store(checkpoint_store: CheckpointStoreBackend) -> RegistryStore:
    return RegistryStore(checkpoint_store, ttl={"default_ttl": 10})


async def test_an_expired_item_is_nowhere(store: RegistryStore, pass_time: PassTime) -> None:
    await store.aput(("a",), "k", {})
    await store.aput(("a", "b"), "k", {}, ttl=None)
    pass_time(10)
    assert await store.aget(("a",), "k") is None
    assert [item.namespace for item in await store.asearch(("a",))] == [("a", "b")]
    assert await store.alist_namespaces() == [("a", "b")]


async def test_the_page_is_full_where_items_before_it_have_expired(store: RegistryStore, pass_time: PassTime) -> None:
    for number in range(20):
        await store.aput(("a",), f"{number:02}", {}, ttl=5 if number < 15 else None)
    pass_time(5)
    assert [item.key for item in await store.asearch(("a",), limit=3, offset=1)] == ["16", "17", "18"]


async def test_an_item_lives_on_from_when_it_was_read(store: RegistryStore, pass_time: PassTime) -> None:
    for key in ("got", "searched", "left"):
        await store.aput(("a",), key, {"key": key})
    for _ in range(3):
        pass_time(6)
        assert await store.aget(("a",), "got")
        await store.asearch(("a",), filter={"key": "searched"})
    assert [item.key for item in await store.asearch(("a",))] == ["got", "searched"]


async def test_reading_leaves_the_time_when_it_was_updated(store: RegistryStore, pass_time: PassTime) -> None:
    await store.aput(("a",), "k", {})
    before = await store.aget(("a",), "k")
    pass_time(1)
    assert await store.aget(("a",), "k") == before


async def test_reading_does_not_prolong_what_was_told_not_to(
    checkpoint_store: CheckpointStoreBackend, pass_time: PassTime
) -> None:
    store = RegistryStore(checkpoint_store, ttl={"default_ttl": 10, "refresh_on_read": False})
    await store.aput(("a",), "k", {})
    await store.aput(("a",), "refreshed", {})
    pass_time(6)
    await store.aget(("a",), "k")
    await store.asearch(("a",))
    await store.aget(("a",), "refreshed", refresh_ttl=True)
    pass_time(6)
    assert [item.key for item in await store.asearch(("a",))] == ["refreshed"]


async def test_what_is_put_again_lives_by_its_new_time(store: RegistryStore, pass_time: PassTime) -> None:
    await store.aput(("a",), "k", {}, ttl=1)
    created = await store.aget(("a",), "k")
    await store.aput(("a",), "k", {}, ttl=None)
    pass_time(1000)
    kept = await store.aget(("a",), "k")
    assert kept
    assert created
    assert kept.created_at == created.created_at


async def test_what_is_put_after_it_expired_is_new(store: RegistryStore, pass_time: PassTime) -> None:
    await store.aput(("a",), "k", {})
    pass_time(11)
    await store.aput(("a",), "k", {})
    item = await store.aget(("a",), "k")
    assert item
    assert item.created_at == item.updated_at


async def test_a_sweep_deletes_what_has_expired(
    store: RegistryStore, checkpoint_store: CheckpointStoreBackend, pass_time: PassTime
) -> None:
    await checkpoint_store.save_checkpoint("a checkpointer's", {})
    await store.aput(("a",), "short", {}, ttl=1)
    await store.aput(("a",), "long", {})
    await store.aput(("a",), "ever", {}, ttl=None)
    pass_time(1)
    assert await store.asweep_ttl() == 1
    assert await store.asweep_ttl() == 0
    assert await checkpoint_store.count() == 3


class PutWhileRead(InMemoryCheckpointStore):
    """Lets another write an item between a read and its refresh."""

    async def get_checkpoints(self, ids: object) -> object:  # type: ignore[override]
        found = await super().get_checkpoints(ids)  # type: ignore[arg-type]
        for each in found:
            if each:
                newer = {**items.record_of(each), "value": {"n": 2}}
                await self.save_checkpoint(each["checkpoint_id"], {}, dict(newer))
        return found


async def test_a_read_that_prolongs_never_undoes_what_another_wrote_meanwhile() -> None:
    async with PutWhileRead() as backend:
        store = RegistryStore(backend, ttl={"default_ttl": 10})
        await store.aput(("a",), "k", {"n": 1})
        await store.aget(("a",), "k")
        assert [item.value for item in await store.asearch(("a",))] == [{"n": 2}]


class SweptStore(InMemoryCheckpointStore):
    """Tells when a sweep has deleted something; the first that is tried fails."""

    failed = False

    def __init__(self) -> None:
        super().__init__()
        self.swept = asyncio.Event()

    async def delete_checkpoints(self, *ids: Any, **selection: Any) -> int:
        if not self.failed:
            self.failed = True
            raise ConnectionError
        deleted = await super().delete_checkpoints(*ids, **selection)
        if deleted:
            self.swept.set()
        return deleted


async def test_a_sweeper_sweeps_until_it_is_stopped_and_goes_on_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with SweptStore() as backend, asyncio.timeout(30):
        store = RegistryStore(backend)
        await store.astart_ttl_sweeper(1e-9)
        await store.astart_ttl_sweeper(1e-9)
        for _ in range(2):
            await store.aput(("a",), "k", {}, ttl=1e-9)
            await backend.swept.wait()
            backend.swept.clear()
        assert "were not deleted. They will be at the next sweep." in caplog.text
        await store.astop_ttl_sweeper()
        await store.astop_ttl_sweeper()
        await store.aput(("a",), "k", {}, ttl=1e-9)
        for _ in range(10):
            await asyncio.sleep(0)
        assert await backend.count() == 1


class StuckStore(InMemoryCheckpointStore):
    """Begins to find what has expired, and ends when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def find_checkpoints(self, **options: Any) -> Any:
        self.begun.set()
        await delaying_cancellation(self.go_on.wait())
        return await super().find_checkpoints(**options)


async def test_stopping_a_sweeper_waits_for_its_sweep_as_long_as_it_is_told() -> None:
    async with StuckStore() as backend:
        store = RegistryStore(backend)
        assert await store.astop_ttl_sweeper()
        await store.astart_ttl_sweeper(1e-6)
        await backend.begun.wait()
        assert not await store.astop_ttl_sweeper(timeout=0.01)
        backend.go_on.set()
        assert await store.astop_ttl_sweeper()


def test_a_sweeper_of_a_loop_that_ended_is_forgotten() -> None:
    backend = InMemoryCheckpointStore()
    store = RegistryStore(backend)

    async def start() -> None:
        await backend.connect()
        await store.astart_ttl_sweeper()

    async def stop() -> None:
        await backend.connect()
        async with asyncio.timeout(10):
            assert await store.astop_ttl_sweeper()

    first = asyncio.new_event_loop()
    first.run_until_complete(start())
    (sweeper,) = asyncio.all_tasks(first)
    second = asyncio.new_event_loop()
    backend.abandon()  # as in a forked child
    second.run_until_complete(stop())
    sweeper.cancel()
    first.run_until_complete(asyncio.wait([sweeper]))
    for loop in (first, second):
        loop.close()


@pytest.mark.parametrize(
    ("minutes", "error"),
    [(-1, InvalidValueError), (0, InvalidValueError), (float("nan"), InvalidValueError), ("5", InvalidTypeError)],
)
async def test_what_is_no_time_is_refused(store: RegistryStore, minutes: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="ttl is a number of minutes"):
        await store.aput(("a",), "k", {}, ttl=minutes)
    with pytest.raises(error, match="sweep_interval_minutes is a number of minutes"):
        await store.astart_ttl_sweeper(minutes)
    with pytest.raises(error, match=r"ttl\['default_ttl'\] is a number of minutes"):
        RegistryStore(InMemoryCheckpointStore(), ttl={"default_ttl": minutes})


def test_a_misspelt_key_of_the_times_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"ttl has no 'default_tll'\. Did you mean \"default_ttl\""):
        RegistryStore(InMemoryCheckpointStore(), ttl=cast("TTLConfig", {"default_tll": 1}))


async def test_a_sweeper_ends_with_its_backend() -> None:
    backend = InMemoryCheckpointStore()
    await backend.connect()
    store = RegistryStore(backend)
    await store.astart_ttl_sweeper(1e-9)
    await backend.disconnect()
    sweeper = store._expiry._sweeper
    assert sweeper
    async with asyncio.timeout(30):
        await sweeper


def test_threads_sweep_without_await(blocking_registry: BlockingRegistry) -> None:
    backend = blocking_registry.checkpoint_store()
    store = RegistryStore(backend, ttl={"sweep_interval_minutes": 1})
    store.put(("a",), "k", {}, ttl=1e-9)
    assert store.sweep_ttl() == 1
    store.start_ttl_sweeper()
    store.stop_ttl_sweeper()
    store.start_ttl_sweeper()
