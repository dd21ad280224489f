"""Two processes, two event loops, many tasks; the long form is `python -m torture contention`."""

import pytest

from torture import contention
from torture.subjects import SUBJECTS, Subject
from torture.tally import Tally


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_who_comes_second_is_refused_or_right(subject: Subject) -> None:
    tally = Tally("contention")
    contention.run(tally, rounds=10, seed=1, subjects=[subject])
    assert not tally.failures, tally.failures[0]
    assert tally.outcomes["opened beside other processes"] >= 20
    assert tally.outcomes["refused to a second event loop"] == 40
    assert tally.outcomes["writes of tasks acknowledged"] > 0
