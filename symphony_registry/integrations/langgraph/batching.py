"""Operations of many callers as one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Call(NamedTuple, Generic[T, R]):
    operations: list[T]
    results: "asyncio.Future[list[R]]"


class Batches(Generic[T, R]):
    """Runs one batch at a time; what is asked for meanwhile becomes the next.

    So thousands of concurrent operations need one connection, not thousands.
    """

    def __init__(self, run: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        self._run = run
        self._waiting: list[_Call[T, R]] = []
        self._worker: asyncio.Task[None] | None = None

    async def add(self, operations: list[T]) -> list[R]:
        """Return the results of operations that run in one batch with those of others."""
        call = _Call[T, R](operations, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await call.results

    async def _work(self) -> None:
        while self._waiting:
            calls, self._waiting = [call for call in self._waiting if not call.results.done()], []
            if not await self._tried(calls) and len(calls) > 1:  # nobody fails by another's mistake
                for call in calls:
                    await self._tried([call])

    async def _tried(self, calls: list[_Call[T, R]]) -> bool:
        """Run calls in one batch; say whether they have their results, where one alone has its error too."""
        try:
            results = iter(await self._run([operation for call in calls for operation in call.operations]))
        except Exception as error:
            if len(calls) == 1 and not calls[0].results.done():
                calls[0].results.set_exception(error)
            return False
        for call in calls:
            own = [next(results) for _ in call.operations]
            if not call.results.done():  # else its caller was cancelled
                call.results.set_result(own)
        return True
