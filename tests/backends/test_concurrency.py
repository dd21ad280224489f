"""Long work is left to threads, which leave the interpreter to others now and then."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from symphony_registry.backends import concurrency
from symphony_registry.backends.concurrency import discard, in_parts
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.errors import BackendNotOpenError


@pytest.fixture
def made_at_turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count, in the first item, what is made; note it whenever another thread has a turn."""
    notes = [0]
    monkeypatch.setattr(time, "sleep", lambda _: notes.append(notes[0]))
    return notes


def test_what_is_made_on_a_thread_gives_turns_between_its_parts(made_at_turns: list[int]) -> None:
    def make(item: int) -> str:
        made_at_turns[0] += 1
        return str(item)

    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(in_parts, make, range(1_000)).result()
    assert made == [str(item) for item in range(1_000)]
    assert made_at_turns[1:] == [256, 512, 768, 1_000]


async def test_the_event_loop_itself_waits_for_nobody(made_at_turns: list[int]) -> None:
    assert in_parts(str, range(1_000)) == [str(item) for item in range(1_000)]
    assert made_at_turns == [0]


class Freed:
    """Tells the thread on which it is freed."""

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell = tell

    def __del__(self) -> None:
        self._tell(threading.get_ident())


async def test_a_long_list_is_freed_on_a_thread() -> None:
    loop, threads = asyncio.get_running_loop(), asyncio.Queue[int]()
    discard([Freed(lambda thread: loop.call_soon_threadsafe(threads.put_nowait, thread)) for _ in range(1_000)])
    async with asyncio.timeout(10):
        freed_on = {await threads.get() for _ in range(1_000)}
    assert threading.get_ident() not in freed_on


async def test_a_scan_of_relations_hears_that_the_graph_was_closed_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency, "_TURN", -1)  # each look gives the event loop its turn
    async with InMemoryKnowledgeGraph() as graph:
        await graph.add_entities([(f"e{number}", "Thing", None) for number in range(1000)])
        closing = asyncio.ensure_future(graph.disconnect())
        with pytest.raises(BackendNotOpenError):
            _ = [relation async for relation in graph.scan_relations()]
        await closing
