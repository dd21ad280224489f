"""The ids of embedded stores are in order, however they came."""

import random

from symphony_registry.backends.selection import Range
from symphony_registry.providers.embedded.ids import SortedIds


def test_ids_that_come_in_bulk_or_one_by_one_are_in_order() -> None:
    chance = random.Random(5)
    left = [f"{number:06x}" for number in chance.sample(range(2**24), 60_000)]
    everything = set(left)
    ids = SortedIds()
    for size in (1, 40_000, 1, 0, 3, 500, 19_000, 495):
        ids.add_many([left.pop() for _ in range(size)])
    assert not left
    for id in chance.sample(sorted(everything), 1_000):
        ids.remove(id)
        everything.remove(id)
    assert list(ids.within(Range())) == sorted(everything)
    for chosen in (Range("a"), Range("", "3", "7"), Range("ff", "ff8"), Range("x")):
        expected = sorted(filter(chosen.holds, everything))
        assert list(ids.within(chosen, reverse=True)) == expected[::-1]
        assert ids.count(chosen) == len(expected)
