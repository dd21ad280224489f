"""What checks have in common: refusals, exact equality, reading to the end."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from symphony_registry.errors import RegistryError

T = TypeVar("T")


@contextmanager
def refused(what: str, *naming: object, kinds: tuple[type[Exception], ...] = (TypeError, ValueError)) -> Iterator[None]:
    """Expect an error of one of `kinds`, a `RegistryError` too, whose message has the words `naming`."""
    try:
        yield
    except Exception as error:
        names = " or ".join(kind.__name__ for kind in kinds)
        if not isinstance(error, kinds):
            raise AssertionError(f"{what} raised {error!r}, which is not a {names}") from error  # noqa: TRY004
        if not isinstance(error, RegistryError):
            raise AssertionError(f"{what} raised {error!r}, which is not a RegistryError") from error  # noqa: TRY004
        for word in naming:
            if str(word) not in str(error):
                raise AssertionError(f"{what}: the message does not name {word}: {error}") from error
    else:
        raise AssertionError(f"{what} was not refused")


def same(left: Any, right: Any) -> bool:
    """Say whether two JSON values are equal with the same types, at every depth."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def assert_same(got: Any, expected: Any, what: str) -> None:
    """Expect an equal JSON value with the same types."""
    if not same(got, expected):
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


def assert_close(got: float, expected: float, what: str) -> None:
    """Expect the same number to 1e-5."""
    if type(got) is not float or not math.isclose(got, expected, rel_tol=1e-5, abs_tol=1e-5):
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


async def collect(items: AsyncIterator[T]) -> list[T]:
    """Return all items of an asynchronous iterator."""
    return [item async for item in items]


async def cancelled_after(steps: int, work: Awaitable[object]) -> None:
    """Cancel `work` after it had `steps` turns of the event loop, and wait for its end."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def vandalise(value: Any) -> None:
    """Change a JSON value everywhere it can be changed."""
    if isinstance(value, dict):
        for item in value.values():
            vandalise(item)
        value.clear()
        value["vandal"] = True
    elif isinstance(value, list):
        for item in value:
            vandalise(item)
        value.clear()
        value.append("vandal")
