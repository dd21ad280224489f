"""Damaged files; the long form is `python -m torture corruption`."""

import pytest

from torture import corruption
from torture.subjects import SUBJECTS, Subject
from torture.tally import Tally

_STRIDES = {"vector_store": 71}  # whose snapshot is large


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_damage_is_refused_with_file_and_offset_and_never_read_as_data(subject: Subject) -> None:
    tally = Tally("corruption")
    corruption.run(tally, stride=_STRIDES.get(subject.name, 17), seed=1, subjects=[subject])
    assert not tally.failures, tally.failures[0]
    assert tally.outcomes["refused, with file and offset"] > 500
    assert tally.outcomes["intact"] > 50  # in the padding
