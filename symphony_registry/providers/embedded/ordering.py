"""Sorting that other threads do not wait for."""

from collections.abc import Callable
from heapq import nsmallest
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")

_RUN = 8_192  # items sorted at once
_FEW = 16  # of so many times as many, the smallest are found without sorting


def ordered(items: list[T], key: Callable[[T], Any] | None = None) -> list[T]:
    """Sort in runs that are merged: other threads wait for one run, not for all."""
    order: Any = key
    runs = [sorted(items[start : start + _RUN], key=order) for start in range(0, len(items), _RUN)]
    return runs[0] if len(runs) == 1 else sorted(chain.from_iterable(runs), key=order)


def first(limit: int, items: list[T], key: Callable[[T], Any] | None = None) -> list[T]:
    """Return the first `limit` items in order."""
    order: Any = key
    return nsmallest(limit, items, order) if limit * _FEW < len(items) else ordered(items, key)[:limit]
