"""A plain model, memory, files and servers agree; the long form is `python -m torture model`."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from torture import model
from torture.tally import Tally

STEPS = int(os.environ.get("MODEL_TEST_STEPS", "4000"))


def agree(steps: int, **servers: dict[str, Any]) -> None:
    tally = Tally("model", patience=0)
    model.run(tally, steps, 1, servers)
    assert not tally.failures, tally.failures[0]
    assert tally.tried > steps / 2


@pytest.mark.slow
def test_memory_and_files_give_the_answers_of_a_plain_model() -> None:
    agree(STEPS)


@pytest.mark.slow
def test_memory_files_and_servers_give_the_answers_of_a_plain_model(
    postgres_url: str, new_schema: Callable[[], str], redis_url: str, new_prefix: Callable[[], str]
) -> None:
    postgres = {"dsn": postgres_url, "schema": new_schema()}
    agree(STEPS // 2, postgres=postgres, redis={"url": redis_url, "prefix": new_prefix()})
