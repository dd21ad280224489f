"""A replica whose approximate index follows it, in the background."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from typing_extensions import override

from symphony_registry.backends.concurrency import in_thread
from symphony_registry.providers.embedded.replica import Decision, Replica, Touches
from symphony_registry.providers.embedded.vectors.index import VectorIndex

T = TypeVar("T")

logger = logging.getLogger(__name__)


class IndexedReplica(Replica[VectorIndex]):
    """Vectors that a task adds to their graph, a part at a time, where more wait than searches can look at."""

    _following: "asyncio.Task[None] | None" = None

    @override
    async def open(self) -> None:
        await super().open()
        self._follow()

    @override
    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
        await super().close()

    @override
    async def at_rest(self) -> None:
        await super().at_rest()
        if self._following is not None:
            await asyncio.wait([self._following])

    @override
    async def survive_loop(self) -> bool:
        is_open = await super().survive_loop()
        self._following = None
        self.state.approximate.recover()
        self._follow()
        return is_open

    @override
    def abandon(self) -> None:
        super().abandon()
        self._following = None

    @override
    async def write(self, decide: Callable[[], Decision[T]], cost: float = 0, touches: Touches = None) -> T:
        try:
            return await super().write(decide, cost, touches)
        finally:
            if self._owner.is_open:
                self._follow()

    def _follow(self) -> None:
        if (self._following is None or self._following.done()) and self.state.approximate.is_behind():
            self._following = asyncio.get_running_loop().create_task(self._add_all(), name=f"index {self._owner.name}")

    async def _add_all(self) -> None:
        started, name = time.perf_counter(), self._owner.name
        was_ready = self.state.approximate.is_open
        try:
            add = await self.read(self.state.next_part)
            if add is not None and self.state.approximate.is_new:
                reason = self.state.approximate.reason
                logger.info("The index of %r is being made%s; until it is ready, searches are exact", name, reason)
            while add is not None:
                if (refusal := await in_thread(add, at_exit=False)) is not None:
                    logger.warning(
                        "The stored index of %r is of no use: %s. It is made anew; until then searches are exact",
                        name,
                        refusal,
                    )
                add = await self.read(self.state.next_part)
            if not was_ready and self.state.approximate.can_find(len(self.state), 1):
                logger.info("The index of %r is ready after %.3f s", name, time.perf_counter() - started)
            if self.state.approximate.is_outgrown and not self.gate.busy:
                self.state.approximate.outgrow()
                await self._add_all()
        except Exception as error:
            logger.warning("The index of %r cannot be made; searches are exact: %r", name, error)
