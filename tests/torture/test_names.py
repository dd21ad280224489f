"""Names that change under an open store, and forks; the long form is `python -m torture names`."""

import pytest

from torture import names
from torture.tally import Tally


@pytest.mark.slow
def test_whatever_happens_to_names_a_write_is_found_or_refused_and_nothing_else_is_touched() -> None:
    tally = Tally("names and forks")
    names.run(tally, count=40, seed=1)
    assert not tally.failures, tally.failures[0]
    assert min(tally.outcomes[each] for each in ("refused", "acknowledged", "forks")) > 50
