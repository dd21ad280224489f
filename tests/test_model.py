"""A plain model, memory and files agree; the long form is `python -m benchmarks.torture model`."""

import os

from benchmarks.torture import model
from benchmarks.torture.tally import Tally

STEPS = int(os.environ.get("MODEL_TEST_STEPS", "4000"))


def test_all_providers_of_a_type_give_the_answers_of_a_plain_model() -> None:
    tally = Tally("model", patience=0)
    model.run(tally, STEPS, 1)
    assert not tally.failures, tally.failures[0]
    assert tally.tried > STEPS / 2
