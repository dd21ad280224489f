"""Trying again, with growing and random pauses."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Seconds between attempts: at first, and at the most.
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 0.5


async def persistently(
    attempt: Callable[[], Coroutine[Any, Any, T]],
    is_worth_it: Callable[[BaseException], bool],
    seconds: float,
    what: str,
) -> T:
    """Return the result of the first attempt that succeeds; raise what is not worth another, or comes too late."""

    def log(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.debug("%s: %s, next attempt in %.2f s", what, type(error).__name__, state.upcoming_sleep)

    attempts = AsyncRetrying(
        retry=retry_if_exception(is_worth_it),
        wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop_after_delay(seconds),
        before_sleep=log,
        reraise=True,
    )
    return await attempts(attempt)  # which has to be known as a coroutine function: no lambda
