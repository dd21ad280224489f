"""The event loop is never held for long; the long form is `python -m torture event`."""

import pytest

from torture import holds
from torture.tally import Tally

# The contract says about 10 ms; another machine may be half as fast, and measuring coverage takes as much again.
_ALLOWED = 0.05


@pytest.mark.slow
def test_no_operation_at_no_boundary_holds_the_event_loop_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "LONGEST", _ALLOWED)
    tally = Tally("event loop")
    found = holds.run(tally, (300, 6_000))
    assert not tally.failures, tally.failures[0]
    assert len(found) > 150
