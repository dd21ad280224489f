"""Long work on a thread leaves the interpreter to others now and then."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from symphony_registry.backends.concurrency import in_parts


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
