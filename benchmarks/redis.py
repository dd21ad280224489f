"""Redis: what the provider costs, beside plain commands on the same client, and beside redisvl."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
from redis.asyncio import Redis

from benchmarks.calls import adding, repeated, walking
from benchmarks.data import conversation
from benchmarks.harness import OURS, RATE, Call, Plan, Result, at_most_times, installed, library, race
from benchmarks.postgres_data import ALL, FILTERS, KIND, STEPS, packages
from benchmarks.redis_peers import InRedis, Redisvl
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.providers.redis.knowledge_graph import RedisKnowledgeGraph
from symphony_registry.providers.redis.vector_store import RedisVectorStore

COMMANDS = "commands by hand"
_REDISVL = "redisvl"
_REACH = (at_most_times(1.25, COMMANDS),)
_SMALL_BYTES = 1_000
_TOP = 10
_WARM = 20


class RedisServer:
    """A server that syncs each write, a client of it, and what has to be closed."""

    def __init__(self, url: str, client: Any, stack: AsyncExitStack) -> None:
        self.url, self.client = url, client
        self._prefix, self._stack = f"benchmark-{uuid4().hex[:8]}", stack

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["RedisServer"]:
        """Use the server in $REDIS_TEST_URL, which is emptied, or start one."""
        async with AsyncExitStack() as stack:
            url = os.environ.get("REDIS_TEST_URL")
            if not url:
                url = stack.enter_context(library("tests.helpers.redis_server").running_server()).url
            client = await stack.enter_async_context(Redis.from_url(url, protocol=2))
            yield cls(url, client, stack)
            await client.flushdb()

    async def open(self, make: Callable[[dict[str, Any]], Any], **options: Any) -> Any:
        """Open one of our backends."""
        return await self._stack.enter_async_context(make({"url": self.url, "prefix": self._prefix, **options}))

    async def memory(self, *, ours: bool) -> float:
        """Return the megabytes that our keys take, or all others."""
        keys = [key async for key in self.client.scan_iter(count=10_000)]
        chosen = [key for key in keys if key.startswith(f"{{{self._prefix}".encode()) == ours]
        return float(sum([await self.client.memory_usage(key, samples=0) for key in chosen])) / 1e6


async def redis_search(plan: Plan) -> list[Result]:
    """Vectors in Redis.

    Adding 384 numbers with their metadata, one at a time, each synced, then all at once; and the ten most similar with
    their metadata and vectors, of all and of the share that a filter keeps. By hand: a hash for each, and FT.SEARCH.
    """
    items = packages(plan)
    step = min(100, len(items.ids) // 4)
    async with RedisServer.started() as server, AsyncExitStack() as stack:
        ours = await server.open(RedisVectorStore, dimension=384)
        hand = InRedis(server.client)
        await hand.make_index()
        peers = installed({_REDISVL: Redisvl}, server.url, stack)
        stores: dict[str, Any] = {COMMANDS: hand, **peers}
        for store in stores.values():
            if store is not None and store is not hand:
                await store.make_index()

        adds = {
            OURS: adding(ours.add, items, step),
            **{name: store and adding(store.add, items, step) for name, store in stores.items()},
        }
        single = await race(plan, adds, per=step)

        async def ours_at_once(_: int) -> None:
            await ours.add_many(zip(items.ids, items.vectors, items.documents, strict=True))

        def at_once(store: Any) -> Call:
            return lambda _: store.add_many(items)

        def searching(search: Callable[..., Any], wanted: Any) -> Call:
            return lambda turn: search(items.query(turn), _TOP, wanted)

        bulks = {OURS: ours_at_once, **{name: store and at_once(store) for name, store in stores.items()}}
        bulk = await race(plan, bulks, per=len(items.ids))
        reaches = [*_REACH, at_most_times(1, _REDISVL)] if peers[_REDISVL] else _REACH
        results = [
            Result("`add`", single, reaches=reaches),
            Result(f"`add_many` of {len(items.ids):,}", bulk, RATE, reaches),
        ]
        for wanted in (ALL, *FILTERS):
            searches = {
                OURS: searching(ours.search, wanted.ours),
                **{name: store and searching(store.search, wanted) for name, store in stores.items()},
            }
            found = await ours.search(items.query(0), _TOP, wanted.ours)
            assert {each["id"] for each in found} == {id for id, *_ in await hand.search(items.query(0), _TOP, wanted)}
            figures = await race(plan, searches, warm=_WARM)
            results.append(Result(f"{wanted.share} of {len(items.ids):,}", figures, reaches=reaches))
    return results


async def redis_graph(plan: Plan) -> list[Result]:
    """A path of three steps in Redis.

    All distinct ends over `DEPENDS_ON`, with their properties. By hand: a set of ends for each package, and SUNION.
    """
    items = packages(plan)
    path, limit = [KIND] * STEPS, len(items.ids)
    async with RedisServer.started() as server:
        ours = await server.open(RedisKnowledgeGraph)
        await ours.add_entities(zip(items.ids, ["package"] * limit, items.documents, strict=True))
        await ours.add_relations((source, target, kind, None) for source, kind, target in items.relations)
        hand = InRedis(server.client)
        await hand.fill_graph(items)

        walks: dict[str, Callable[[str], Any]] = {
            OURS: lambda start: ours.query(start, path, limit=limit),
            COMMANDS: lambda start: hand.walk(start, path),
        }
        count = len(await walks[OURS](items.hub()))
        assert count == len(await walks[COMMANDS](items.hub()))
        results = []
        for name, starts in (("a typical start", items.typical(50)), (f"the hub, {count:,} results", [items.hub()])):
            calls = {contestant: walking(walk, starts) for contestant, walk in walks.items()}
            results.append(Result(name, await race(plan, calls, per=len(starts), warm=6), reaches=_REACH))
    return results


async def redis_checkpoints(plan: Plan) -> list[Result]:
    """Checkpoints in Redis.

    An agent's state as nested JSON, four ids in turn, each save synced. By hand: a hash of the bytes of the JSON text,
    and a sorted set of the times.
    """
    results = []
    async with RedisServer.started() as server:
        ours = await server.open(RedisCheckpointStore)
        hand = InRedis(server.client)
        saves: dict[str, Callable[..., Any]] = {OURS: ours.save_checkpoint, COMMANDS: hand.save}
        loads: dict[str, Callable[..., Any]] = {OURS: ours.get_checkpoint, COMMANDS: hand.load}
        for size, times in ((_SMALL_BYTES, 20), (plan.checkpoint_bytes[0], 4)):
            data = conversation(size)
            text = len(orjson.dumps(data))
            work = f"{text / 1e6:.3g} MB" if text > 1e5 else f"{text:,} bytes"
            saving = {name: repeated(save, times, data) for name, save in saves.items()}
            results.append(Result(f"save {work}", await race(plan, saving, times), reaches=_REACH))
            loading = {name: repeated(load, times) for name, load in loads.items()}
            results.append(Result(f"load {work}", await race(plan, loading, times), reaches=_REACH))
    return results
