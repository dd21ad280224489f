"""A bulk write in parts: split within a limit, made one after the other, sent in order."""

import asyncio
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends.parts import PartLimit, Parts


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 5), st.integers(0, 100))
def test_parts_hold_all_items_in_order_and_are_as_large_as_the_limit_allows(
    sizes: list[int], most: int, largest: int
) -> None:
    parts = list(PartLimit(most, largest).split(sizes, lambda size: size))
    assert [size for part in parts for size in part] == sizes
    for part in parts:
        assert len(part) <= most
        assert sum(part) <= largest or len(part) == 1
    for part, following in pairwise(parts):
        assert len(part) == most or sum(part) + following[0] > largest


async def test_the_next_part_is_made_on_a_thread_while_one_is_being_sent() -> None:
    making = threading.Event()

    def second() -> str:
        making.set()
        return "second"

    async def send(part: str) -> int:
        sent.append(part)
        if part == "first":
            assert await asyncio.to_thread(making.wait, 10)
        return 1

    sent: list[str] = []
    assert await Parts([lambda: "first", second], 0).send(send) == 2
    assert sent == ["first", "second"]


async def test_parts_can_be_sent_again_and_changed_on_the_way() -> None:
    parts = Parts([lambda: 1, lambda: 2, lambda: 3], 0).map(lambda number: number * 10)

    async def send(number: int) -> int:
        return number

    assert [await parts.send(send) for _ in range(2)] == [60, 60]
    assert await Parts.of([4]).map(lambda number: number + 1).whole() == 5


async def test_nothing_reads_the_callers_items_after_a_part_has_failed() -> None:
    may_go_on, was_made = threading.Event(), threading.Event()

    def slow() -> int:
        may_go_on.wait(10)
        was_made.set()
        return 2

    async def fail(_: int) -> int:
        asyncio.get_running_loop().call_soon(may_go_on.set)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Parts([lambda: 1, slow], 0).send(fail)
    assert was_made.is_set()


async def test_a_part_that_cannot_be_made_raises_what_is_wrong_with_it() -> None:
    def refuse() -> int:
        raise ValueError("items[7]")

    async def send(_: int) -> int:
        return 1

    for makers in ([refuse], [lambda: 1, refuse], [refuse, lambda: 1]):
        with pytest.raises(ValueError, match=r"items\[7\]"):
            await Parts(makers, 0).send(send)
