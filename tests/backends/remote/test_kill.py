"""The server killed by SIGKILL under load, again and again; the clients go on.

What only the server's own memory held is lost with it, what the kernel was given is
not: this is about acknowledged commits and about connections, not about a machine
without power.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.helpers.engines import Engine

KILLS = int(os.environ.get("SERVER_TEST_KILLS", "20"))
WRITERS = 4  # of each type
WRITES_A_LIFE = 50

Write = Callable[[str], Awaitable[None]]


@pytest.mark.slow
async def test_every_acknowledged_write_survives_and_no_write_fails(
    engine: Engine, server: Any, options: dict[str, Any]
) -> None:
    vectors, graph, checkpoints = (kind({**options, "connect_timeout": 30}) for kind in engine.kinds)

    async def add_vectors(id: str) -> None:
        await vectors.add_many([(f"{id}/{part}", [1.0, float(part)], {"id": id}) for part in range(5)])

    async def add_to_graph(id: str) -> None:
        await graph.add_entities([(id, "T", {"id": id}), (f"{id}/end", "T", None)])
        await graph.add_relation(id, f"{id}/end", "R", {"id": id})

    async def save_checkpoint(id: str) -> None:
        await checkpoints.save_checkpoint(id, {"id": id, "text": id * 500}, {"id": id})

    acknowledged: asyncio.Queue[tuple[Write, str]] = asyncio.Queue()
    enough = asyncio.Event()

    async def keep_writing(write: Write, writer: int) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            await write(f"{writer}-{number}")
            acknowledged.put_nowait((write, f"{writer}-{number}"))

    stored: dict[Write, list[str]] = {add_vectors: [], add_to_graph: [], save_checkpoint: []}

    async def kill_again_and_again() -> None:
        for _ in range(KILLS):
            for _ in range(WRITES_A_LIFE):
                write, id = await acknowledged.get()
                stored[write].append(id)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        enough.set()

    async with vectors, graph, checkpoints:
        async with asyncio.TaskGroup() as tasks:
            for write in stored:
                for writer in range(WRITERS):
                    tasks.create_task(keep_writing(write, writer))
            tasks.create_task(kill_again_and_again())
        while not acknowledged.empty():
            write, id = acknowledged.get_nowait()
            stored[write].append(id)

        assert min(len(ids) for ids in stored.values()) > KILLS
        assert [item async for item in vectors.scan()] == whole_vectors(stored[add_vectors])
        relations = [relation["properties"] async for relation in graph.scan_relations()]
        assert relations == [{"id": id} for id in sorted(stored[add_to_graph])]
        assert await graph.count_entities() == 2 * len(stored[add_to_graph])
        saved = {each["checkpoint_id"]: each["data"] async for each in checkpoints.scan()}
        assert saved == {id: {"id": id, "text": id * 500} for id in stored[save_checkpoint]}


def whole_vectors(ids: list[str]) -> list[dict[str, Any]]:
    items = [
        {"id": f"{id}/{part}", "vector": [1.0, float(part)], "metadata": {"id": id}} for id in ids for part in range(5)
    ]
    return sorted(items, key=lambda item: item["id"])
