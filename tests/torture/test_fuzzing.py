"""Arbitrary arguments and journals; the long form is `python -m torture fuzzing`."""

import pytest

from torture import fuzzing
from torture.tally import Tally


@pytest.mark.slow
def test_any_object_as_an_argument_is_taken_as_a_plain_model_takes_it_or_refused_by_our_own_errors() -> None:
    tally = Tally("arguments")
    fuzzing.run_arguments(tally, 9_000, seed=1)
    assert not tally.failures, tally.failures[0]
    assert min(tally.outcomes.values()) > 3_000


@pytest.mark.slow
def test_any_bytes_as_a_journal_are_a_store_that_works_or_refused_by_our_own_errors() -> None:
    tally = Tally("journals")
    fuzzing.run_journals(tally, 2_000, seed=1)
    assert not tally.failures, tally.failures[0]
    assert min(tally.outcomes.values()) > 10
