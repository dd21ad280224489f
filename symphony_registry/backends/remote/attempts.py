"""Trying again, with growing and random pauses."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

T = TypeVar("T")

# Seconds between attempts: at first, and at the most.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 0.5


async def persistently(
    attempt: Callable[[], Coroutine[Any, Any, T]], is_worth_it: Callable[[BaseException], bool], seconds: float
) -> T:
    """Return the result of the first attempt that succeeds; raise what is not worth another, or comes too late."""
    attempts = AsyncRetrying(
        retry=retry_if_exception(is_worth_it),
        wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
    return await attempts(attempt)  # which has to be known as a coroutine function: no lambda
