"""A file store that is opened to be read, beside the application that has it open."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import StorageCorruptedError, StorageError, StorageFormatError, UnsupportedOperationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


async def test_what_was_acknowledged_is_read_and_nothing_is_touched(path: Path) -> None:
    async with FileVectorStore({"path": path}) as store, FileVectorStore({"path": path, "read_only": True}) as reader:
        assert await reader.count() == 0
        await store.add_many([("a", [1.0, 0.0], {"n": 1}), ("b", [0.0, 1.0], None)])
        await reader.disconnect()
        files = {each.name: each.read_bytes() for each in path.iterdir()}
        await reader.connect()
        assert [item["id"] for item in await reader.search([1.0, 0.1])] == ["a", "b"]
        assert await reader.get("a") == await store.get("a")
        assert await reader.health_check()
        await store.delete("a")
        assert await reader.count() == 2  # as it was when it was opened
        await reader.disconnect()
        assert files.keys() == {each.name for each in path.iterdir()}


async def test_a_write_is_refused_and_says_so(path: Path) -> None:
    async with FileCheckpointStore({"path": path}) as store:
        await store.save_checkpoint("a", {})
    async with FileCheckpointStore({"path": path, "read_only": True}) as reader:
        for write in (lambda: reader.save_checkpoint("b", {}), lambda: reader.delete_checkpoint("a"), reader.clear):
            with pytest.raises(UnsupportedOperationError, match="was opened with read_only: nothing was written"):
                await write()
        assert await reader.count() == 1
    async with FileCheckpointStore({"path": path}) as store:
        assert await store.count() == 1


async def test_a_store_that_is_not_there_is_not_made(path: Path) -> None:
    reader = FileKnowledgeGraph({"path": path, "read_only": True})
    assert not await reader.exists()
    with pytest.raises(StorageError, match="nothing was ever stored in it, and with read_only"):
        await reader.connect()
    assert not path.exists()


async def test_one_of_another_type_or_a_damaged_one_is_refused(path: Path) -> None:
    async with FileKnowledgeGraph({"path": path}) as graph:
        for number in range(20):
            await graph.add_entity(f"{number}", "T")
    with pytest.raises(StorageFormatError, match="holds a knowledge_graph, not a vector_store"):
        await FileVectorStore({"path": path, "read_only": True}).connect()
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"9"', b'"8"'))
    with pytest.raises(StorageCorruptedError):
        await FileKnowledgeGraph({"path": path, "read_only": True}).connect()


WRITER = """
import asyncio, sys
from symphony_registry.backends.checkpoint_store import FileCheckpointStore

async def main():
    async with FileCheckpointStore({"path": sys.argv[1]}) as store:
        number = 0
        while True:
            await asyncio.gather(*(
                store.save_checkpoint(f"{number + each}", {"text": "x" * (97 * each)}) for each in range(30)
            ))
            number += 30
            print(number, flush=True)
            if number % 900 == 0:
                await store.prune(60)

asyncio.run(main())
"""


async def test_it_opens_at_any_moment_of_another_process_that_writes(path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: ASYNC220
        assert writer.stdout is not None
        try:
            for _ in range(60):
                acknowledged = int(await asyncio.to_thread(writer.stdout.readline))
                async with FileCheckpointStore({"path": path, "read_only": True}) as reader:
                    found: list[Any] = await reader.list_checkpoints()
                numbers = [int(info["checkpoint_id"]) for info in found]
                assert numbers == list(range(numbers[0], numbers[-1] + 1))
                assert numbers[-1] >= acknowledged - 1
        finally:
            writer.kill()
