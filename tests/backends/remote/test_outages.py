"""A server that is down, restarts or stays away: what every engine behind one has in common."""

import asyncio
from typing import Any

import pytest

from symphony_registry.errors import BackendUnavailableError
from symphony_registry.testing.adapters import adapt
from tests.helpers.engines import Engine

pytestmark = pytest.mark.slow  # servers stop and start


async def test_a_restart_between_two_calls_is_not_noticed(kind: Any, server: Any, options: dict[str, Any]) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.fill()
        before = {name: await read() for name, read in adapter.reads().items()}
        for name, read in adapter.reads().items():
            await asyncio.to_thread(server.restart)
            assert await read() == before[name], name
        for place in adapter.places():
            await asyncio.to_thread(server.restart)
            await place.put("a", {"after": place.name})
            assert await place.get("a") == {"after": place.name} or place.name == "update_entity"
        assert await backend.health_check()


async def test_calls_during_an_outage_wait_for_its_end(kind: Any, server: Any, options: dict[str, Any]) -> None:
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.put("a", {"before": 1})
        await asyncio.to_thread(server.stop)
        assert not await backend.health_check()
        writes = [asyncio.create_task(adapter.put(f"{number}")) for number in range(20)]
        read = asyncio.create_task(adapter.get("a"))
        await asyncio.to_thread(server.start)
        await asyncio.gather(*writes)
        assert await read == {"before": 1}
        assert await backend.health_check()


async def test_a_call_fails_when_the_server_stays_away_and_works_when_it_is_back(
    engine: Engine, kind: Any, server: Any, options: dict[str, Any]
) -> None:
    async with kind({**options, "connect_timeout": 0.5}) as backend:
        adapter = adapt(backend)
        await adapter.put("a")
        await asyncio.to_thread(server.stop)
        try:
            operations = adapter.operations()
            errors = await asyncio.gather(*(call() for call in operations.values()), return_exceptions=True)
            for name, error in zip(operations, errors, strict=True):
                assert isinstance(error, BackendUnavailableError), name
                assert engine.place(server) in str(error), name
        finally:
            await asyncio.to_thread(server.start)
        assert await adapter.get("a") == {}


async def test_closing_is_quick_and_harmless_when_the_server_is_gone(
    engine: Engine, server: Any, options: dict[str, Any]
) -> None:
    backends = [kind(options) for kind in engine.kinds]
    await asyncio.gather(*(backend.connect() for backend in backends))
    await asyncio.to_thread(server.kill)
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(backend.disconnect() for backend in backends))
    finally:
        await asyncio.to_thread(server.start)
