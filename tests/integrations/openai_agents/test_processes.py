"""Processes that have one session open at once, over a server."""

from collections.abc import Callable

import pytest

from tests.helpers.processes import outputs_at_once

ADDING_AND_POPPING = """
import asyncio, sys
from symphony_registry.integrations.openai_agents import RegistrySession
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore

async def popped(session):
    item = await session.pop_item()
    if item:
        print(item["content"])
    return item

async def main(dsn, schema, name):
    async with PostgresCheckpointStore({"dsn": dsn, "schema": schema}) as store:
        session = RegistrySession(store, "s")
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(40):
            await session.add_items([{"role": "user", "content": f"{name}{n}{part}"} for part in "ab"])
            await popped(session)
        while await popped(session):
            pass

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_what_processes_add_at_once_is_popped_once(postgres_url: str, new_schema: Callable[[], str]) -> None:
    schema = new_schema()
    popped = outputs_at_once(ADDING_AND_POPPING, [(postgres_url, schema, name) for name in "xy"])
    assert sorted(popped[0] + popped[1]) == sorted(
        f"{name}{n}{part}" for name in "xy" for n in range(40) for part in "ab"
    )
