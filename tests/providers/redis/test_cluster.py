"""Three masters of a cluster, of which one has all of a store; and masters that Sentinels name."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.errors import BackendSetupError, BackendUnavailableError
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.testing.adapters import adapt
from tests.helpers.redis_cases import each_type
from tests.helpers.redis_server import Server, running_cluster, running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Server]]:
    with running_cluster() as servers:
        yield servers


async def test_in_a_cluster_of_valkey_the_owner_of_a_slot_is_found_too() -> None:
    with running_cluster("valkey") as servers:
        for server in servers:
            async with RedisCheckpointStore({"url": server.url, "connect_timeout": 2}) as store:
                await store.save_checkpoint(server.url, {})
        async with RedisCheckpointStore({"url": servers[0].url}) as store:
            assert await store.count() == len(servers)


@asynccontextmanager
async def saving(store: CheckpointStoreBackend) -> AsyncIterator[asyncio.Queue[str]]:
    """Save checkpoints all the time, and yield those that were acknowledged."""
    saved: asyncio.Queue[str] = asyncio.Queue()

    async def save() -> None:
        number = 0
        while True:
            await store.save_checkpoint(f"saved-{number}", {"n": number}, payload=b"p")
            saved.put_nowait(f"saved-{number}")
            number += 1

    async with asyncio.TaskGroup() as tasks:  # where a save fails, the test does
        task = tasks.create_task(save())
        yield saved
        task.cancel()


@each_type
async def test_each_store_is_with_the_server_that_has_its_slot(kind: Any, cluster: list[Server]) -> None:
    owners = set()
    for number in range(8):
        url = f"redis://{','.join(f'127.0.0.1:{server.port}' for server in cluster)}"
        async with kind({"url": url, "prefix": f"spread-{number}"}) as backend:
            adapter = adapt(backend)
            await adapter.put("a", {"x": number})
            assert await adapter.get("a") == {"x": number}
            slot = cluster[0].command("CLUSTER", "KEYSLOT", backend._data.key(""))
            owners |= {server.port for server in cluster if server.command("CLUSTER", "COUNTKEYSINSLOT", slot)}
    assert len(owners) > 1


async def test_a_slot_that_moves_is_followed_and_nothing_is_lost(cluster: list[Server]) -> None:
    async with RedisCheckpointStore({"url": cluster[0].url, "prefix": "moving"}) as store, saving(store) as saved:
        ids = [await saved.get() for _ in range(100)]
        slot = cluster[0].command("CLUSTER", "KEYSLOT", store._data.key(""))
        (source,) = [server for server in cluster if server.command("CLUSTER", "COUNTKEYSINSLOT", slot)]
        (target, other) = [server for server in cluster if server is not source]

        def move() -> None:
            target_id, source_id = (server.command("CLUSTER", "MYID").decode() for server in (target, source))
            target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
            source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
            while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 1):
                source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
            for server in (target, source, other):
                server.command("CLUSTER", "SETSLOT", slot, "NODE", target_id)

        await asyncio.to_thread(move)
        ids += [await saved.get() for _ in range(saved.qsize() + 100)]
        assert target.command("CLUSTER", "COUNTKEYSINSLOT", slot) > 0
        assert all(found and found["payload"] == b"p" for found in await store.get_checkpoints(ids))


@each_type
async def test_a_write_while_a_slot_moves_is_whole_or_not_at_all(kind: Any, cluster: list[Server]) -> None:
    async with kind({"url": cluster[0].url, "prefix": "half", "connect_timeout": 1}) as backend:
        adapter = adapt(backend)
        await adapter.fill()
        expected = {name: await read() for name, read in adapter.reads().items()}
        slot = cluster[0].command("CLUSTER", "KEYSLOT", backend._data.key(""))
        source = max(cluster, key=lambda server: int(server.command("CLUSTER", "COUNTKEYSINSLOT", slot)))
        target = next(server for server in cluster if server is not source)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.command("CLUSTER", "MYID"))
        with pytest.raises(BackendUnavailableError, match="is not ready"):
            await adapter.put("new")
        for server in (source, target):
            server.command("CLUSTER", "SETSLOT", slot, "STABLE")
        assert {name: await read() for name, read in adapter.reads().items()} == expected
        await adapter.put("new")


async def test_a_cluster_that_does_not_say_its_own_host_is_asked_at_the_one_of_the_url() -> None:
    with running_cluster(masters=3, **{"cluster-preferred-endpoint-type": "unknown-endpoint"}) as cluster:
        for number in range(4):
            async with RedisCheckpointStore({"url": cluster[0].url, "prefix": f"{number}"}) as store:
                await store.save_checkpoint("a", {})


async def test_the_replica_that_takes_over_is_found() -> None:
    with running_cluster() as masters, running_server(**{"cluster-enabled": "yes"}) as replica:
        replica.meet(masters[0])
        durable = {"durability": {"replicated": 1}, "connect_timeout": 20}
        master = masters[0]
        master_id = master.command("CLUSTER", "MYID").decode()
        replica.wait(lambda: len(replica.command("CLUSTER", "SLOTS")) == len(masters))
        replica.command("CLUSTER", "REPLICATE", master_id)
        replica.wait(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
        prefix = next(
            f"taken-{number}"
            for number in range(100)
            if master.command("CLUSTER", "KEYSLOT", f"taken-{number}:checkpoint_store:default") < 5_000
        )
        url = f"redis://127.0.0.1:{masters[1].port}"
        async with RedisCheckpointStore({"url": url, "prefix": prefix, **durable}) as store:
            await store.save_checkpoint("a", {}, payload=b"p")
            replica.command("CLUSTER", "FAILOVER")
            replica.wait(lambda: b"role:master" in replica.command("INFO", "replication"))
            await store.save_checkpoint("b", {}, payload=b"p")
            assert await store.count() == 2
            assert replica.command("DBSIZE") > 0


@pytest.fixture
def watched() -> Iterator[tuple[Server, Server, Server]]:
    """Yield a master, its replica, and the Sentinel that watches them."""
    with running_server() as master, running_server(replicaof=f"127.0.0.1 {master.port}") as replica:
        replica.wait(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
        with tempfile.TemporaryDirectory() as directory:
            sentinel = Server(Path(directory), "redis", {"sentinel": f"monitor mine 127.0.0.1 {master.port} 1"})
            try:
                sentinel.start()
                sentinel.command("SENTINEL", "SET", "mine", "down-after-milliseconds", "300")
                sentinel.wait(lambda: len(sentinel.command("SENTINEL", "REPLICAS", "mine")) == 1)
                yield master, replica, sentinel
            finally:
                sentinel.kill()


async def test_the_master_that_sentinels_name_is_used_and_its_successor(
    watched: tuple[Server, Server, Server],
) -> None:
    master, replica, sentinel = watched
    options = {
        "url": f"redis://127.0.0.1:1,127.0.0.1:{sentinel.port}",
        "sentinel_master": "mine",
        "durability": {"replicated": 1},
        "connect_timeout": 30,
    }
    async with RedisCheckpointStore(options) as store:
        await store.save_checkpoint("a", {})
        master.kill()
        assert await store.get_checkpoint("a")
        assert b"role:master" in replica.command("INFO", "replication")


async def test_a_sentinel_without_a_name_or_with_a_wrong_one_is_refused(
    watched: tuple[Server, Server, Server],
) -> None:
    *_, sentinel = watched
    with pytest.raises(BackendSetupError, match="Say with sentinel_master"):
        await RedisCheckpointStore({"url": sentinel.url}).connect()
    with pytest.raises(BackendSetupError, match="knows no master 'yours'"):
        await RedisCheckpointStore({"url": sentinel.url, "sentinel_master": "yours"}).connect()
