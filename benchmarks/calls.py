"""Calls that are timed on any engine."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.harness import Call
from benchmarks.postgres_data import Packages


def adding(add: Callable[[str, Any, Any], Any], items: Packages, step: int) -> Call:
    """Return a call that adds the next `step` packages, one at a time."""

    async def work(turn: int) -> None:
        start = turn * step % (len(items.ids) - step)
        for row in range(start, start + step):
            await add(items.ids[row], items.vectors[row], items.documents[row])

    return work


def walking(walk: Callable[[str], Any], starts: Sequence[str]) -> Call:
    """Return a call that walks from each start."""

    async def work(_: int) -> None:
        for start in starts:
            await walk(start)

    return work


def repeated(operation: Callable[..., Any], times: int, *arguments: Any) -> Call:
    """Return a call of an operation on four checkpoints in turn."""

    async def repeat(_: int) -> None:
        for number in range(times):
            await operation(f"checkpoint-{number % 4}", *arguments)

    return repeat
