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
    A batch is cancelled when nobody waits for it any more.
    """

    def __init__(self, run: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        self._run = run
        self._waiting: list[_Call[T, R]] = []
        self._worker: asyncio.Task[None] | None = None

    async def add(self, operations: list[T]) -> list[R]:
        """Return the results of operations that run in one batch with those of others."""
        loop = asyncio.get_running_loop()
        call = _Call[T, R](operations, loop.create_future())
        # The worker of another loop, which may have ended, or run in the parent of this process, keeps its calls.
        if self._worker is None or self._worker.done() or self._worker.get_loop() is not loop:
            self._waiting = [call]
            self._worker = asyncio.create_task(self._work(self._waiting))
        else:
            self._waiting.append(call)
        return await call.results

    async def _work(self, waiting: list[_Call[T, R]]) -> None:
        while waiting:
            calls = [call for call in waiting if not call.results.done()]
            waiting.clear()
            if error := await self._tried(calls):
                await self._blame(calls, error)

    async def _blame(self, calls: list[_Call[T, R]], error: BaseException) -> None:
        """Give an error to those calls that it comes from: nobody fails by another's mistake.

        To all, where both halves fail and nothing says that it is what was asked for: a service that
        fails is not asked for each.
        """
        if len(calls) > 1:
            halves = calls[: len(calls) // 2], calls[len(calls) // 2 :]
            errors = [await self._tried(half) for half in halves]
            if None in errors or isinstance(error, TypeError | ValueError):
                for half, own in zip(halves, errors, strict=True):
                    if own:
                        await self._blame(half, own)
                return
        for call in calls:
            if not call.results.done():
                call.results.set_exception(error)

    async def _tried(self, calls: list[_Call[T, R]]) -> BaseException | None:
        """Run calls in one batch; return its error unless they have their results, or have gone."""
        run = asyncio.ensure_future(self._run([operation for call in calls for operation in call.operations]))

        def leave(_: object) -> None:
            if all(call.results.done() for call in calls):
                run.cancel()

        for call in calls:
            call.results.add_done_callback(leave)
        leave(None)
        await asyncio.wait([run])
        if run.cancelled():
            for call in calls:
                call.results.cancel()
            return None
        if error := run.exception():
            return error
        results = iter(run.result())
        for call in calls:
            own = [next(results) for _ in call.operations]
            if not call.results.done():  # else its caller was cancelled
                call.results.set_result(own)
        return None
