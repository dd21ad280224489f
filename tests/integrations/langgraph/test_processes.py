"""Processes that save in one thread at once, and that are killed, over a server."""

from collections.abc import AsyncIterator, Callable

import pytest

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.integrations.langgraph import RegistrySaver
from symphony_registry.integrations.langgraph.checkpointer.keys import THREADS, checkpoint_of
from symphony_registry.integrations.langgraph.checkpointer.rows import blobs_of, find_rows
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from tests.helpers.processes import outputs_at_once, started
from tests.integrations.langgraph.steps import at, step

KILLS = 8
BEGINNING = """
import asyncio, sys
from symphony_registry.integrations.langgraph import RegistrySaver
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from tests.integrations.langgraph.steps import at, step

async def main(dsn, schema, *names):
    async with PostgresCheckpointStore({"dsn": dsn, "schema": schema}) as store:
        await work(RegistrySaver(store), *names)
"""
SAVING_AND_DELETING = f"""{BEGINNING}
async def keep_busy(saver, name):
    found = await saver.aget_tuple(at(name))
    n = found.checkpoint["channel_values"]["number"][0] if found else 0
    config = found.config if found else at(name)
    while True:
        n += 1
        values = {{"messages": ["x" * 1000] * n, "number": [n], f"other {{n % 3}}": [n]}}
        config = await step(saver, config, values, run_id=f"{{name}}{{n // 3}}")
        await saver.aput_writes(config, [("number", n), ("__interrupt__", n)], "task")
        if n % 3 == 0:
            await saver.acopy_thread(name, f"{{name}} again")
        if n % 4 == 0:
            await saver.adelete_for_runs([f"{{name}}{{n // 3 - 1}}"])
        if n % 5 == 0:
            await saver.aprune([name])
        if n % 7 == 0:
            await saver.adelete_thread(f"{{name}} again")
        print(name, n, flush=True)

async def work(saver, *names):
    await asyncio.gather(*(keep_busy(saver, name) for name in names))

asyncio.run(main(*sys.argv[1:]))
"""
SAVING_AT_ONCE = f"""{BEGINNING}
async def work(saver, name):
    first = await saver.aget_tuple(at("one"))
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(30):
        config = await step(saver, at("one"), {{"by": [name, n], "at": n}})
        await saver.aput_writes(config, [("by", name), ("at", n)], "task")
        await saver.aput_writes(first.config, [("by", name)], f"{{n:02}}")
        print(dict(w[::2] for w in (await saver.aget_tuple(first.config)).pending_writes)[f"{{n:02}}"], flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def schema(new_schema: Callable[[], str]) -> str:
    return new_schema()


@pytest.fixture
async def store(postgres_url: str, schema: str) -> AsyncIterator[CheckpointStoreBackend]:
    async with PostgresCheckpointStore({"dsn": postgres_url, "schema": schema}) as store:
        yield store


def saved_until_killed(names: str, dsn: str, schema: str, number: int) -> dict[str, int]:
    """Let a process save and delete at several threads, kill it, and return what it had acknowledged of each."""
    with started(SAVING_AND_DELETING, dsn, schema, *names) as process:
        assert process.stdout
        acknowledged = [process.stdout.readline().split() for _ in range(number)]
        process.kill()
        acknowledged += [line.split() for line in process.stdout if line.endswith("\n")]
    return {name: int(n) for name, n in acknowledged}


@pytest.mark.slow
async def test_whenever_a_process_is_killed_what_it_kept_is_whole_and_of_what_it_deleted_nothing_is_left(
    store: CheckpointStoreBackend, postgres_url: str, schema: str
) -> None:
    saver = RegistrySaver(store)
    for kill in range(KILLS):
        for name, number in saved_until_killed("abc", postgres_url, schema, 10 + kill).items():
            found = await saver.aget_tuple(at(name))
            assert found
            assert found.checkpoint["channel_values"]["number"][0] >= number
        async for each in saver.alist(None):
            values = each.checkpoint["channel_values"]
            assert values["messages"] == ["x" * 1000] * values["number"][0]
            assert values.keys() == each.checkpoint["channel_versions"].keys()
            assert len(each.pending_writes or []) in {0, 1, 2}
        rows = await find_rows(store, prefix=THREADS)  # all at one moment
        checkpoints = {row["checkpoint_id"]: row for row in rows if "place" in row["data"]}
        values_and_writes = {row["checkpoint_id"] for row in rows} - checkpoints.keys()
        writes = {id for id in values_and_writes if checkpoint_of(id) in checkpoints}
        assert values_and_writes - writes == {id for row in checkpoints.values() for id in blobs_of(row).values()}


@pytest.mark.slow
async def test_what_processes_save_in_one_thread_at_once_is_there_once_and_of_equal_writes_the_first_stays(
    store: CheckpointStoreBackend, postgres_url: str, schema: str
) -> None:
    saver = RegistrySaver(store)
    await step(saver, at("one"))
    seen = outputs_at_once(SAVING_AT_ONCE, [(postgres_url, schema, name) for name in "xy"])
    *saved, first = [each async for each in saver.alist(at("one"))]
    assert sorted(each.checkpoint["channel_values"]["by"] for each in saved) == [
        [x, n] for x in "xy" for n in range(30)
    ]
    for each in saved:
        name, n = each.checkpoint["channel_values"]["by"]
        assert each.checkpoint["channel_values"]["at"] == n
        assert each.pending_writes == [("task", "by", name), ("task", "at", n)]
    stayed = [value for _, _, value in first.pending_writes or []]
    assert seen == [stayed, stayed]
