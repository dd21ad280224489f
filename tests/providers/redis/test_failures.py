"""A Redis server that is full, forgets scripts, cannot keep what is asked, or has other data under our names."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.errors import BackendSetupError, BackendTimeoutError, BackendUnavailableError
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.testing.adapters import adapt
from tests.helpers.redis_cases import each_type
from tests.helpers.redis_server import Server, running_server

Setting = Callable[[str, str], None]


async def test_a_server_without_an_append_only_file_is_refused_with_the_setting_to_change(
    server: Server, options: dict[str, Any], setting: Setting
) -> None:
    setting("appendonly", "no")
    with pytest.raises(BackendSetupError, match=r"Set appendonly yes.*or write durability: none") as caught:
        await RedisCheckpointStore(options).connect()
    assert caught.value.options == ("durability", "url")
    async with RedisCheckpointStore({**options, "durability": "none"}) as store:
        assert store.guarantees.survives == "crash"
        await store.save_checkpoint("a", {})


async def test_a_server_that_never_confirms_a_write_is_refused(
    server: Server, options: dict[str, Any], setting: Setting
) -> None:
    setting("appendfsync", "no")
    with pytest.raises(BackendTimeoutError, match="Set appendfsync to always"):
        await RedisCheckpointStore(options).connect()


async def test_a_write_that_is_not_confirmed_in_time_may_have_been_made(
    server: Server, options: dict[str, Any], setting: Setting
) -> None:
    async with RedisCheckpointStore({**options, "timeout": 0.2}) as store:
        setting("appendfsync", "no")
        with pytest.raises(BackendTimeoutError, match="The write may have been made"):
            await store.save_checkpoint("a", {})


async def test_a_write_that_the_server_would_not_confirm_may_have_been_made(
    options: dict[str, Any], setting: Setting
) -> None:
    async with RedisCheckpointStore(options) as store:
        version = await store.save_checkpoint("a", {})
        setting("appendonly", "no")
        with pytest.raises(BackendSetupError, match=r"no append-only file\. The write may have been made"):
            await store.save_checkpoint("a", {}, if_version=version)


async def test_a_deletion_whose_confirmation_ends_with_a_failover_is_not_sent_twice_in_silence() -> None:
    with running_server(appendfsync="everysec") as server:
        async with RedisCheckpointStore({"url": server.url}) as store:
            await store.save_checkpoint("a", {})
            deleting = asyncio.create_task(store.delete_checkpoint("a"))
            while server.command("EXISTS", store._data.key("state")):  # noqa: ASYNC110 # no event says so
                await asyncio.sleep(0)
            server.command("REPLICAOF", "127.0.0.1", "1")
            server.command("REPLICAOF", "NO", "ONE")
            with pytest.raises(BackendUnavailableError, match="The write may have been made"):
                await deleting


@pytest.fixture
async def writing(server: Server, options: dict[str, Any]) -> AsyncIterator[tuple[RedisCheckpointStore, Any, bytes]]:
    """Yield a store, a large write of which a part is staged, and the key of that."""
    async with RedisCheckpointStore({**options, "timeout": 2}) as store:
        items = [(f"{number}", {"text": "x" * 1_000}, None) for number in range(10_000)]
        writing = asyncio.create_task(store.save_checkpoints(items))
        while not (keys := server.command("KEYS", store._data.key("staged:*"))):  # noqa: ASYNC110 # no event says so
            await asyncio.sleep(0)
        yield store, writing, *keys


async def test_a_large_write_of_which_parts_are_gone_is_sent_again(
    server: Server, writing: tuple[RedisCheckpointStore, "asyncio.Task[int]", bytes]
) -> None:
    store, saving, staged = writing
    server.command("UNLINK", staged)
    assert await saving == 10_000
    assert await store.count() == 10_000


async def test_a_large_write_is_cancelled_though_the_server_does_not_answer(
    server: Server, writing: tuple[RedisCheckpointStore, "asyncio.Task[int]", bytes]
) -> None:
    store, saving, _ = writing
    server.command("CLIENT", "PAUSE", 5_000)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    server.command("CLIENT", "UNPAUSE")
    assert await store.count() == 0


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_may_throw_data_away_is_refused(
    policy: str, server: Server, options: dict[str, Any], setting: Setting
) -> None:
    setting("maxmemory-policy", policy)
    with pytest.raises(BackendSetupError, match=f"maxmemory-policy is {policy}. Set it to noeviction"):
        await RedisCheckpointStore(options).connect()


async def test_replicas_that_are_not_there_are_missed_at_opening(options: dict[str, Any]) -> None:
    with pytest.raises(BackendSetupError, match="has 0 replicas connected, where durability asks for 2"):
        await RedisCheckpointStore({**options, "durability": {"replicated": 2}}).connect()


@pytest.mark.slow
async def test_a_write_waits_for_the_disk_of_replicas(server: Server, options: dict[str, Any]) -> None:
    with running_server(replicaof=f"127.0.0.1 {server.port}") as replica:
        replica.wait(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
        durable = {**options, "durability": {"replicated": 1}, "timeout": 3}
        async with RedisCheckpointStore(durable) as store:
            await store.save_checkpoint("a", {})
            assert replica.command("EXISTS", store._data.key("state")) == 1
            replica.kill()
            with pytest.raises(BackendTimeoutError, match=r"only 0 replicas.*The write may have been made"):
                await store.save_checkpoint("b", {})


async def test_a_full_server_refuses_writes_and_still_deletes(
    server: Server, options: dict[str, Any], setting: Setting
) -> None:
    async with RedisCheckpointStore(options) as store:
        await store.save_checkpoint("a", {})
        setting("maxmemory", "1")
        for number in (1, 3_000):  # which are sent in parts
            with pytest.raises(BackendUnavailableError, match=r"no memory left.*Raise maxmemory") as caught:
                await store.save_checkpoints([(f"b{each}", {}, None) for each in range(number)])
            assert "may have been made" not in str(caught.value)
        assert await store.count() == 1
        assert await store.delete_checkpoint("a")


@each_type
async def test_a_server_that_forgot_the_scripts_is_told_them_again(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        for number in range(3):
            server.command("SCRIPT", "FLUSH")
            await adapter.put(f"{number}", {"x": number})
            server.command("SCRIPT", "FLUSH")
            assert await adapter.get(f"{number}") == {"x": number}


@each_type
async def test_connections_that_an_administrator_ends_are_replaced(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await adapter.get("a") == {"x": 1}
        server.command("CLIENT", "PAUSE", 20_000, "WRITE")
        writing = asyncio.create_task(adapter.put("a", {"x": 2}))
        waiting = lambda: b"blocked_clients:1" in server.command("INFO", "clients")  # noqa: E731
        await asyncio.to_thread(server.wait, waiting)
        server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        server.command("CLIENT", "UNPAUSE")
        await writing
        assert await adapter.get("a") == {"x": 2}


@each_type
async def test_an_operation_that_takes_too_long_is_a_timeout(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind({**options, "timeout": 0.2}) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        server.command("CLIENT", "PAUSE", 20_000, "WRITE")
        try:
            with pytest.raises(BackendTimeoutError, match=r"in time.*may have been made"):
                await adapter.put("a", {"x": 2})
        finally:
            server.command("CLIENT", "UNPAUSE")
        await adapter.put("a", {"x": 3})
        assert await adapter.get("a") == {"x": 3}


async def test_a_connection_that_was_cancelled_gives_nobody_the_answer_of_another(
    server: Server, options: dict[str, Any]
) -> None:
    async with RedisCheckpointStore({**options, "pool_max_size": 1}) as store:
        await store.save_checkpoints([(f"{number}", {"n": number}, None) for number in range(100)])
        for number in range(100):
            reading = asyncio.create_task(store.get_checkpoint("0"))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            reading.cancel()
            found = await store.get_checkpoint(f"{number}")
            assert found is not None
            assert found["data"] == {"n": number}


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ([("SET", "ids", "x")], "holds a string, which is not ours"),
        ([("ZADD", "ids", 0, "x")], "without the layout"),
        ([("HSET", "layout", "kind", "checkpoint_store", "version", "99")], "Upgrade symphony-registry here"),
        ([("HSET", "layout", "kind", "vector_store", "version", "1")], "is a vector_store"),
    ],
    ids=["of another type", "without a layout", "newer", "of another kind"],
)
async def test_other_data_under_our_names_are_refused(
    commands: list[tuple[Any, ...]], said: str, server: Server, options: dict[str, Any]
) -> None:
    store = RedisCheckpointStore(options)
    for name, part, *values in commands:
        server.command(name, store._data.key(part), *values)
    with pytest.raises(BackendSetupError, match=said) as caught:
        await store.connect()
    assert caught.value.options == ("prefix", "url")


async def test_without_create_a_store_has_to_be_there(options: dict[str, Any]) -> None:
    with pytest.raises(BackendSetupError, match="create: true"):
        await RedisCheckpointStore({**options, "create": False}).connect()
    async with RedisCheckpointStore(options) as store:
        await store.save_checkpoint("a", {})
    async with RedisCheckpointStore({**options, "create": False}) as store:
        assert await store.count() == 1


@each_type
async def test_a_health_check_notices_that_the_keys_are_gone(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind(options) as backend:
        assert await backend.health_check()
        server.command("DEL", backend._data.key("layout"))
        assert not await backend.health_check()


@each_type
async def test_what_is_written_to_a_server_that_was_emptied_is_refused_until_the_backend_is_opened_again(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"x": 1})
        server.command("FLUSHALL")
        for call in (adapter.get("a"), adapter.put("a", {"x": 2})):
            with pytest.raises(BackendSetupError, match=r"not there any more.*open it again"):
                await call
    async with kind(options) as backend:
        assert await adapt(backend).get("a") is None
        await adapt(backend).put("a", {"x": 3})


@each_type
async def test_a_store_is_opened_while_the_memory_is_full(kind: Any, options: dict[str, Any], setting: Setting) -> None:
    async with kind(options) as backend:
        await adapt(backend).put("a", {"x": 1})
    setting("maxmemory", "1")
    async with kind(options) as backend:
        assert await adapt(backend).get("a") == {"x": 1}
        assert await adapt(backend).delete("a")


@each_type
async def test_stores_of_one_type_are_apart_by_their_names(kind: Any, options: dict[str, Any]) -> None:
    registry = ServiceRegistry()
    try:
        stores = [
            await registry.register_backend(kind.backend_type, "redis", name, {**options, "pool_max_size": 2})
            for name in ("default", "sessions", "{default}", "ü b")
        ]
        for number, store in enumerate(stores):
            await adapt(store).put("a", {"x": number})
        assert [await adapt(store).get("a") for store in stores] == [{"x": number} for number in range(4)]
        await stores[0].clear()
        assert [await adapt(store).get("a") for store in stores[1:]] == [{"x": number} for number in range(1, 4)]
    finally:
        await registry.shutdown()


async def test_more_calls_than_connections_wait_their_turn(options: dict[str, Any]) -> None:
    async with RedisCheckpointStore({**options, "pool_max_size": 2}) as store:
        await asyncio.gather(*(store.save_checkpoint(f"{number}", {}) for number in range(200)))
        assert await store.count() == 200


async def test_a_call_that_finds_no_connection_free_says_so(server: Server, options: dict[str, Any]) -> None:
    async with RedisCheckpointStore({**options, "pool_max_size": 1, "timeout": 0.2}) as store:
        server.command("CLIENT", "PAUSE", 20_000, "WRITE")
        try:
            writing = [asyncio.create_task(store.save_checkpoint(f"{number}", {})) for number in range(2)]
            errors = await asyncio.gather(*writing, return_exceptions=True)
        finally:
            server.command("CLIENT", "UNPAUSE")
    assert any("Raise pool_max_size" in str(error) for error in errors)
