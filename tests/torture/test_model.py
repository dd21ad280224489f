"""A plain model, memory, files and PostgreSQL agree; the long form is `python -m torture model`."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from torture import model
from torture.tally import Tally

STEPS = int(os.environ.get("MODEL_TEST_STEPS", "4000"))


def agree(steps: int, server: dict[str, Any] | None = None) -> None:
    tally = Tally("model", patience=0)
    model.run(tally, steps, 1, server)
    assert not tally.failures, tally.failures[0]
    assert tally.tried > steps / 2


@pytest.mark.slow
def test_memory_and_files_give_the_answers_of_a_plain_model() -> None:
    agree(STEPS)


@pytest.mark.slow
def test_memory_files_and_postgresql_give_the_answers_of_a_plain_model(
    postgres_url: str, new_schema: Callable[[], str]
) -> None:
    agree(STEPS // 2, {"dsn": postgres_url, "schema": new_schema()})
