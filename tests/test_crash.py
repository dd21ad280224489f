"""`kill -9` after acknowledged writes, at random moments: nothing lost, nothing half-written.

A child process is forked, writes, and tells each acknowledgement through a pipe;
it is killed at a random one, then the store is opened and compared.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore

KILLS = int(os.environ.get("CRASH_TEST_KILLS", "200"))
GROUP = 5

Write = Callable[[Any, int], Awaitable[None]]
Read = Callable[[Any], Awaitable[list[int]]]


async def add_vectors(store: FileVectorStore, number: int) -> None:
    await store.add_many([(f"{number:06}-{part}", [1.0, float(part)], {"n": number}) for part in range(GROUP)])


async def read_vectors(store: FileVectorStore) -> list[int]:
    return [item["metadata"]["n"] async for item in store.scan()]


async def add_relations(graph: FileKnowledgeGraph, number: int) -> None:
    await graph.add_entity("hub", "Hub", {"n": number})
    await graph.add_relations([("hub", "hub", f"{number:06}-{part}", {"n": number}) for part in range(GROUP)])


async def read_relations(graph: FileKnowledgeGraph) -> list[int]:
    return [relation["properties"]["n"] async for relation in graph.scan_relations()]


async def save_checkpoints(store: FileCheckpointStore, number: int) -> None:
    await store.save_checkpoint(f"{number}", {"parts": [number] * GROUP})


async def read_checkpoints(store: FileCheckpointStore) -> list[int]:
    return [part async for checkpoint in store.scan() for part in checkpoint["data"]["parts"]]


def write_until_killed(store: Any, write: Write, first: int, acknowledged: int) -> None:
    async def run() -> None:
        async with store:
            number = first
            while True:
                await write(store, number)
                os.write(acknowledged, b"%d\n" % number)
                number += 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("make", "write", "read"),
    [
        (FileVectorStore, add_vectors, read_vectors),
        (FileKnowledgeGraph, add_relations, read_relations),
        (FileCheckpointStore, save_checkpoints, read_checkpoints),
    ],
)
def test_every_acknowledged_write_survives_and_no_other_is_there_in_part(
    make: Callable[[dict[str, Any]], Any], write: Write, read: Read, tmp_path: Path
) -> None:
    moments = random.Random(20261122)
    first = 0
    for _ in range(KILLS):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write_until_killed(make({"path": tmp_path / "store"}), write, first, writing)
            finally:
                os._exit(1)
        os.close(writing)
        seen = b""
        for _ in range(moments.randint(1, 5)):
            chunk = os.read(reading, 4096)
            assert chunk, "the child ended by itself"
            seen += chunk
        for _ in range(moments.randint(0, 2000)):  # somewhere inside the next write
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(reading, 4096):
            seen += chunk
        os.close(reading)

        async def stored() -> list[int]:
            async with make({"path": tmp_path / "store"}) as store:
                return sorted(await read(store))

        last = int(seen.split()[-1])
        found = asyncio.run(stored())
        whole = [number for number in range(last + 1) for _ in range(GROUP)]
        one_more = [*whole, *[last + 1] * GROUP]  # written, and killed before it was told
        assert found in (whole, one_more)
        first = found[-1] + 1
