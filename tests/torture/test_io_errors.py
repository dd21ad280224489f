"""Failing disks; the long form is `python -m torture I/O`."""

import pytest

from torture import io_errors
from torture.subjects import SUBJECTS, Subject
from torture.tally import Tally


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_failing_disk_is_an_error_that_names_the_path_and_harms_nothing(subject: Subject) -> None:
    tally = Tally("I/O errors")
    io_errors.run(tally, stride=5, subjects=[subject])
    assert not tally.failures, tally.failures[0]
    assert tally.tried > 100
