"""A process that writes to stores until it is killed; a warm parent forks one for each request.

    python -m torture.crash_writer

A request is a line: the name of a subject, a directory, its durability, the first
number and a way of working. Write number n changes slot n % 64, all parts at once. What is
told: `pid`, `start` and `end` of a range of numbers (`bulk` where it is one
write), `done` for each that was acknowledged, and `gone`.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore
from torture.subjects import on_small_data

SLOTS = 64
PARTS = 5
WAYS = ("single", "tasks", "bulk", "reopening")


class Slots(NamedTuple):
    """How a backend type keeps slots: `put` may write several at once, whole or not at all."""

    store: Callable[[dict[str, Any]], Any]
    put: Callable[[Any, Sequence[int]], Awaitable[None]]
    remove: Callable[[Any, int], Awaitable[object]]
    read: Callable[[Any], Awaitable[list[tuple[int, int]]]]


def value(number: int) -> int | None:
    """Return what a slot holds after a write: its number, or nothing after a deletion."""
    return None if number % 7 == 3 else number


def _parts(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return [(number, part) for number in numbers for part in range(PARTS)]


async def _put_vectors(store: FileVectorStore, numbers: Sequence[int]) -> None:
    await store.add_many([(f"{n % SLOTS}-{part}", [1.0, float(part)], {"n": n}) for n, part in _parts(numbers)])


async def _remove_vectors(store: FileVectorStore, slot: int) -> None:
    await store.delete_many([f"{slot}-{part}" for part in range(PARTS)])


async def _read_vectors(store: FileVectorStore) -> list[tuple[int, int]]:
    return [(int(item["id"].split("-")[0]), item["metadata"]["n"]) async for item in store.scan()]


async def _put_relations(graph: FileKnowledgeGraph, numbers: Sequence[int]) -> None:
    await graph.add_entities([(f"{number % SLOTS}", "Slot", None) for number in numbers])
    ends = [(f"{n % SLOTS}", f"{n % SLOTS}", f"part {part}", {"n": n}) for n, part in _parts(numbers)]
    await graph.add_relations(ends)


async def _read_relations(graph: FileKnowledgeGraph) -> list[tuple[int, int]]:
    return [(int(each["from_id"]), each["properties"]["n"]) async for each in graph.scan_relations()]


async def _save_checkpoints(store: FileCheckpointStore, numbers: Sequence[int]) -> None:
    for number in numbers:  # there is no bulk form
        await store.save_checkpoint(f"{number % SLOTS}", {"parts": [number] * PARTS})


async def _read_checkpoints(store: FileCheckpointStore) -> list[tuple[int, int]]:
    saved = [checkpoint async for checkpoint in store.scan()]
    return [(int(each["checkpoint_id"]), number) for each in saved for number in each["data"]["parts"]]


STORES = {
    "vector_store": Slots(FileVectorStore, _put_vectors, _remove_vectors, _read_vectors),
    "knowledge_graph": Slots(
        FileKnowledgeGraph,
        _put_relations,
        lambda graph, slot: graph.delete_entity(f"{slot}"),
        _read_relations,
    ),
    "checkpoint_store": Slots(
        FileCheckpointStore,
        _save_checkpoints,
        lambda store, slot: store.delete_checkpoint(f"{slot}"),
        _read_checkpoints,
    ),
}


def _tell(*words: object) -> None:
    os.write(1, f"{' '.join(map(str, words))}\n".encode())


async def _write(slots: Slots, options: dict[str, Any], number: int, way: str) -> None:
    """Write for ever, beginning with `number`."""

    async def one(number: int) -> None:
        if value(number) is None:
            await slots.remove(store, number % SLOTS)
        else:
            await slots.put(store, [number])
        _tell("done", number)

    store = slots.store(options)
    await store.connect()
    while True:
        count = 1 if way in {"single", "reopening"} else SLOTS
        numbers = range(number, number + count)
        number += count
        if way == "bulk":
            _tell("bulk", numbers.start, numbers.stop)
            kept = [each for each in numbers if value(each) is not None]
            await slots.put(store, kept)
            for each in kept:
                _tell("done", each)
        else:
            _tell("start", numbers.start, numbers.stop)
            await asyncio.gather(*map(one, numbers))
        if way == "reopening":
            await store.disconnect()
            await store.connect()


def main() -> None:
    """Serve requests, one at a time."""
    for request in sys.stdin:
        subject, directory, durability, number, way = request.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            try:
                with on_small_data():
                    options = {"path": directory, "durability": durability}
                    asyncio.run(_write(STORES[subject], options, int(number), way))
            finally:
                os._exit(1)
        _tell("pid", child)
        _, status = os.waitpid(child, 0)
        _tell("gone", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
