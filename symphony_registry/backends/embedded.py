"""Backends whose data lives in this process: memory, and memory with a journal.

A state is a plain data structure that takes changes, one JSON object each, and
gives itself as changes. Reads that would hold the event loop run on a thread.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from symphony_registry.backends.concurrency import LONG, Gate, computed, to_the_end
from symphony_registry.backends.storage import StorageBackend

T = TypeVar("T")
Change = dict[str, Any]
Touches: TypeAlias = Callable[[], Iterable[str] | None]
Decide: TypeAlias = Callable[[], tuple[Sequence[Change], T]]


def anything() -> None:
    """Stand for all ids there are."""


class State(Protocol):
    """Data that is changed by applying changes."""

    def apply(self, change: Change) -> None:
        """Make one change; it was checked before."""
        ...

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty state equal to this one, about `len(self)`."""
        ...

    def __len__(self) -> int: ...


StateT = TypeVar("StateT", bound=State)


class EmbeddedBackend(StorageBackend, Generic[StateT]):
    """A backend over a `State` in this process."""

    _state: StateT

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._configure()
        self._state = self._empty_state()
        self._connecting = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._gate = Gate()

    async def initialize(self, config: Mapping[str, Any] | None = None) -> None:  # noqa: D102
        if config is not None and dict(config) != self.config:
            await super().initialize(config)
            self._configure()

    @abstractmethod
    def _configure(self) -> None:
        """Read `self.config` into options."""

    @abstractmethod
    def _empty_state(self) -> StateT:
        """Return a state without data."""

    async def connect(self) -> None:  # noqa: D102
        async with self._connecting:
            if self._loop is not asyncio.get_running_loop():
                self._writing, self._gate = asyncio.Lock(), Gate()  # for this event loop
            if not self.is_open:
                self._state = await self._load()
            await super().connect()

    async def disconnect(self) -> None:  # noqa: D102
        async with self._connecting:
            if self.is_open:
                await to_the_end(self._close())

    async def _load(self) -> StateT:
        """Return the state to begin with, holding what it is kept in."""
        return self._empty_state()

    async def _close(self) -> None:
        async with self._writing:
            await super().disconnect()
            await self._gate.change(self._forget)

    def _forget(self) -> None:
        self._state = self._empty_state()

    async def _read(self, work: Callable[[], T], cost: float = 0) -> T:
        """Return `work()`, which reads the state: here where it is short, else on a thread."""
        return work() if cost <= LONG and not self._gate.changing else await self._gate.read(work)

    async def _write(
        self,
        decide: Decide[T],
        cost: float = 0,
        touches: Touches = anything,  # noqa: ARG002 - for those that persist
    ) -> T:
        """Make the changes that `decide` chooses, whole or not at all, and return its result.

        `decide` sees every earlier write and may raise to refuse. `touches` gives
        the ids it looks at and changes.
        """
        self.ensure_open()
        if cost > LONG or self._gate.busy or self._writing.locked():
            return await to_the_end(self._write_in_turn(decide, cost))
        changes, result = decide()
        self._apply(changes)
        return result

    async def _write_in_turn(self, decide: Decide[T], cost: float) -> T:
        async with self._writing:
            self.ensure_open()
            changes, result = await computed(decide, cost)
            await self._gate.change(lambda: self._apply(changes), on_thread=cost > LONG)
        return result

    def _apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._state.apply(change)
