"""PostgreSQL: what the provider costs, beside SQL that is written by hand on the same driver."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import orjson

from benchmarks.calls import adding, repeated, walking
from benchmarks.data import conversation
from benchmarks.harness import OURS, RATE, Plan, Result, at_most_times, library, race
from benchmarks.postgres_data import KIND, STEPS, packages
from benchmarks.postgres_peers import JOINS, SETS, ByHand
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.postgres.knowledge_graph import PostgresKnowledgeGraph
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore

BY_HAND = "SQL by hand"
KEPT = f"{BY_HAND}, one connection"
REACH = (at_most_times(1.25, BY_HAND),)
_SMALL_BYTES = 1_000


class Server:
    """A server, a schema for ours and one for the tables by hand, and what has to be closed."""

    def __init__(self, dsn: str, stack: AsyncExitStack) -> None:
        name = f"benchmark_{uuid4().hex[:8]}"
        self.dsn, self.ours, self.hand = dsn, f"{name}_ours", f"{name}_by_hand"
        self._stack = stack

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["Server"]:
        """Use the server in $POSTGRES_TEST_URL, or start one with its usual settings; the schemas are dropped then."""
        async with AsyncExitStack() as stack:
            dsn = os.environ.get("POSTGRES_TEST_URL")
            if not dsn:
                dsn = stack.enter_context(library("tests.helpers.postgres_server").running_server()).url
            server = cls(dsn, stack)
            await server.execute("CREATE EXTENSION IF NOT EXISTS vector", f"CREATE SCHEMA {server.hand}")
            stack.push_async_callback(server.execute, f"DROP SCHEMA IF EXISTS {server.ours}, {server.hand} CASCADE")
            yield server

    async def execute(self, *statements: str) -> None:
        """Execute statements on a connection of their own."""
        connection = await asyncpg.connect(self.dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def open(self, make: Callable[[dict[str, Any]], Any], **options: Any) -> Any:
        """Open one of our backends."""
        backend = make({"dsn": self.dsn, "schema": self.ours, "table_prefix": "", **options})
        return await self._stack.enter_async_context(backend)

    async def open_by_hand(self, **settings: str) -> dict[str, ByHand]:
        """Open the contestants by hand."""
        pool, kept = await self._stack.enter_async_context(ByHand.opened(self.dsn, self.hand, **settings))
        return {BY_HAND: pool, KEPT: kept}

    async def sizes(self, *tables: str) -> list[int]:
        """Return the bytes that each list of tables takes, with their indexes."""
        connection = await asyncpg.connect(self.dsn)
        sizes = [
            sum(
                [
                    await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", each)
                    for each in names.split(", ")
                ]
            )
            for names in tables
        ]
        await connection.close()
        return sizes

    async def analyze(self, ours: Sequence[str], hand: Sequence[str]) -> None:
        """Let the planner know what the tables hold, as it does by itself after a while."""
        for schema, tables in ((self.ours, ours), (self.hand, hand)):
            await self.execute(*(f"VACUUM ANALYZE {schema}.{table}" for table in tables))


async def postgres_adding(plan: Plan) -> list[Result]:
    """Adding to PostgreSQL.

    Vectors of 384 numbers with their metadata, one at a time, each committed before the next; then all at once, into
    an empty table. By hand: an upsert, and COPY into a staging table with one upsert from there.
    """
    items = packages(plan)
    step = min(100, len(items.ids) // 4)
    async with Server.started() as server:
        ours = await server.open(PostgresVectorStore, dimension=384)
        hands = await server.open_by_hand()
        await hands[BY_HAND].make_tables()

        contestants = {
            OURS: adding(ours.add, items, step),
            **{name: adding(hand.add, items, step) for name, hand in hands.items()},
        }
        single = await race(plan, contestants, per=step)

        async def ours_at_once(_: int) -> None:
            await ours.clear()
            await ours.add_many(zip(items.ids, items.vectors, items.documents, strict=True))

        async def hand_at_once(_: int) -> None:
            await hands[BY_HAND].empty()
            await hands[BY_HAND].add_many(items)

        bulk = await race(plan, {OURS: ours_at_once, BY_HAND: hand_at_once}, per=len(items.ids))
    return [
        Result("`add`", single, reaches=REACH),
        Result(f"`add_many` of {len(items.ids):,}", bulk, RATE, REACH),
    ]


async def postgres_graph(plan: Plan) -> list[Result]:
    """A path of three steps in PostgreSQL.

    All distinct ends over `DEPENDS_ON`, with their properties, in order. By hand: each step a set, or three joins.
    """
    items = packages(plan)
    path, limit = [KIND] * STEPS, len(items.ids)
    async with Server.started() as server:
        ours = await server.open(PostgresKnowledgeGraph)
        await ours.add_entities(zip(items.ids, ["package"] * limit, items.documents, strict=True))
        await ours.add_relations((source, target, kind, None) for source, kind, target in items.relations)
        hands = await server.open_by_hand()
        await hands[BY_HAND].make_tables()
        await hands[BY_HAND].fill_graph(items)
        await server.analyze(*[["entities", "relations"]] * 2)

        walks: dict[str, Callable[[str], Any]] = {
            OURS: lambda start: ours.query(start, path, limit=limit),
            BY_HAND: lambda start: hands[BY_HAND].walk(SETS, start, path, limit),
            KEPT: lambda start: hands[KEPT].walk(SETS, start, path, limit),
            f"{BY_HAND}, joins": lambda start: hands[BY_HAND].walk(JOINS, start, path, limit),
        }
        found = [[each["id"] for each in await walk(items.hub())] for walk in walks.values()]
        assert all(sorted(ids) == found[0] for ids in found)
        results = []
        for name, starts in (
            ("a typical start", items.typical(50)),
            (f"the hub, {len(found[0]):,} results", [items.hub()]),
        ):
            calls = {contestant: walking(walk, starts) for contestant, walk in walks.items()}
            figures = await race(plan, calls, per=len(starts), warm=6)
            results.append(Result(name, figures, reaches=REACH))
    return results


async def postgres_checkpoints(plan: Plan) -> list[Result]:
    """Checkpoints in PostgreSQL.

    An agent's state as nested JSON, four ids in turn; saved means committed. By hand: a column of the bytes of the JSON
    text, or of jsonb.
    """
    results = []
    async with Server.started() as server:
        ours = await server.open(PostgresCheckpointStore)
        hands = await server.open_by_hand()
        await hands[BY_HAND].make_tables()
        saves = {OURS: ours.save_checkpoint, **{name: hand.save_bytes for name, hand in hands.items()}}
        saves[f"{BY_HAND}, jsonb"] = hands[BY_HAND].save_json
        loads = {OURS: ours.get_checkpoint, **{name: hand.load_bytes for name, hand in hands.items()}}
        loads[f"{BY_HAND}, jsonb"] = hands[BY_HAND].load_json
        for size, times in ((_SMALL_BYTES, 20), (plan.checkpoint_bytes[0], 4)):
            data = conversation(size)
            text = len(orjson.dumps(data))
            work = f"{text / 1e6:.3g} MB" if text > 1e5 else f"{text:,} bytes"
            saving = {name: repeated(save, times, data) for name, save in saves.items()}
            results.append(Result(f"save {work}", await race(plan, saving, times), reaches=REACH))
            loading = {name: repeated(load, times) for name, load in loads.items()}
            results.append(Result(f"load {work}", await race(plan, loading, times), reaches=REACH))
    return results
