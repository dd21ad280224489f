"""How far copying and comparing have come."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class Stage(StrEnum):
    """What is being done with a store."""

    CHECK = "checking"
    COPY = "copying"
    VERIFY = "verifying"


Progress: TypeAlias = Callable[[Stage, int], None]
"""Called with the stage and the number of items that are done in it."""


def silent(stage: Stage, done: int) -> None:
    """Report nothing."""
