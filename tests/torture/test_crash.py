"""`kill -9` at random moments; the long form is `python -m torture crash`."""

import os

import pytest

from torture import crash
from torture.crash_writer import STORES, WAYS
from torture.tally import Tally

KILLS = int(os.environ.get("CRASH_TEST_KILLS", "200"))


@pytest.mark.slow
@pytest.mark.parametrize("subject", STORES)
def test_every_acknowledged_write_survives_and_no_other_is_there_in_part(subject: str) -> None:
    tally = Tally("crash")
    crash.run(tally, KILLS, seed=20261122, subjects=[subject])
    assert not tally.failures, tally.failures[0]
    assert tally.tried == KILLS
    assert set(tally.outcomes) == set(WAYS)
