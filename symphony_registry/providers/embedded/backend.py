"""Backends whose data lives in this process: memory, and memory with a journal.

A state is a plain data structure that takes changes, one JSON object each, and
gives itself as changes. Reads that would hold the event loop run on a thread.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from symphony_registry.backends.concurrency import LONG, Gate, Promise, settled, start, to_the_end
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import StorageBackend

T = TypeVar("T")
Change = dict[str, Any]
Touches: TypeAlias = Callable[[], Iterable[str] | None] | None
Decide: TypeAlias = Callable[[], tuple[Sequence[Change], T]]


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


class _Write(NamedTuple):
    """A write that waits for its turn."""

    decide: Decide[Any]
    cost: float
    touches: Touches
    done: Promise[Any]

    def touched(self) -> Iterable[str] | None:
        """Return the ids that it looks at and changes, `None` for any."""
        return None if self.touches is None else self.touches()


class EmbeddedBackend(StorageBackend, Generic[StateT]):
    """A backend over a `State` in this process.

    Writes are made by one task, in the order in which they were asked for; it
    cannot be cancelled. Those that wait and touch different ids are persisted
    together: each decides on what is stored, none on what another is about to do.
    """

    _state: StateT
    persists: ClassVar[bool] = False
    guarantees = Guarantees(atomic_bulk=True, lists_entities=True, restores_timestamps=True)

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._configure()
        self._state = self._empty_state()
        self._connecting = asyncio.Lock()
        self._gate = Gate()
        self._waiting: deque[_Write] = deque()
        self._writing: asyncio.Task[None] | None = None

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
        await self._leave_ended_loop()
        async with self._connecting:
            if not self.is_open:
                self._state = await self._load()
            await super().connect()

    async def disconnect(self) -> None:  # noqa: D102
        await self._leave_ended_loop()
        async with self._connecting:
            await to_the_end(self._close())

    async def _leave_ended_loop(self) -> None:
        """Forget an event loop that has ended, and the writes that ended with it."""
        self.ensure_no_other_loop()
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return
        interrupted = self._writing is not None
        self._connecting, self._gate, self._waiting, self._writing = asyncio.Lock(), Gate(), deque(), None
        if interrupted:
            await self._recover()

    async def _recover(self) -> None:
        """Begin anew with what is persisted: nobody knows how far the writes came."""

    async def _load(self) -> StateT:
        """Return the state to begin with, holding what it is kept in."""
        return self._empty_state()

    async def _close(self) -> None:
        await super().disconnect()  # no more writes from here on
        while self._writing is not None:
            await asyncio.wait([self._writing])
        await self._gate.change(self._forget, on_thread=False)

    def _forget(self) -> None:
        self._state = self._empty_state()

    async def _read(self, work: Callable[[], T], cost: float = 0) -> T:
        """Return `work()`, which reads the state: here where it is short, else on a thread."""
        return work() if cost <= LONG and not self._gate.changing else await self._gate.read(work)

    async def _write(self, decide: Decide[T], cost: float = 0, touches: Touches = None) -> T:
        """Make the changes that `decide` chooses, whole or not at all, and return its result.

        `decide` sees every earlier write and may raise to refuse. `touches` gives
        the ids it looks at and changes, if they are known.
        """
        self.ensure_open()
        if not self.persists and cost <= LONG and self._writing is None and not self._gate.busy:
            changes, result = decide()
            if self._growing_cost(changes) <= LONG:
                self._apply(changes)
                return result
        loop = asyncio.get_running_loop()
        write = _Write(decide, cost, touches, Promise(loop=loop))
        self._waiting.append(write)
        if self._writing is None:
            self._start_writing(loop)
        return await to_the_end(write.done)

    def _start_writing(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writing = loop.create_task(self._write_all(), name=f"write {self.name}")
        self._writing.add_done_callback(self._end_writing)

    def _end_writing(self, task: asyncio.Task[None]) -> None:
        if self._writing is task:
            self._writing = None
            if self._waiting:  # the task was cancelled before it began, as all are when the event loop ends
                self._start_writing(task.get_loop())

    async def _write_all(self) -> None:
        while self._waiting:
            await self._write_group(self._next_group())
            await self._tidy()
        self._writing = None  # at once: a write that follows may find the way free

    def _next_group(self) -> list[_Write]:
        """Take the writes from the front that touch different ids; one that may touch any stands alone."""
        group = [self._waiting.popleft()]
        if not self._waiting or group[0].cost > LONG:
            return group
        first = group[0].touched()
        touched = set(first or ())
        while first is not None and self._waiting and self._waiting[0].cost <= LONG:
            ids = self._waiting[0].touched()
            if ids is None or not touched.isdisjoint(ids):
                break
            touched.update(ids)
            group.append(self._waiting.popleft())
        return group

    async def _write_group(self, group: list[_Write]) -> None:
        decided: list[tuple[_Write, Sequence[Change], Any]] = []
        for write in group:
            try:
                changes, result = await settled(start(write.decide)) if write.cost > LONG else write.decide()
                decided.append((write, changes, result))
            except Exception as error:
                write.done.set_exception(error)
        groups = [changes for _, changes, _ in decided if changes]
        try:
            if groups:
                if self.persists:
                    await settled(start(lambda: self._persist(groups)))
                changes = list(chain.from_iterable(groups))
                cost = sum(write.cost for write, _, _ in decided) + self._growing_cost(changes)
                await self._gate.change(partial(self._apply, changes), on_thread=cost > LONG)
        except Exception as error:
            for write, _, _ in decided:
                write.done.set_exception(error)
        else:
            for write, _, result in decided:
                write.done.set_result(result)

    def _persist(self, groups: Sequence[Sequence[Change]]) -> None:
        """Make groups of changes durable before they are seen; on a thread."""

    def _growing_cost(self, changes: Sequence[Change]) -> float:  # noqa: ARG002
        """Return what making room for changes takes, in the steps of `LONG`."""
        return 0

    def _apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._state.apply(change)

    async def _tidy(self) -> None:
        """Do what is due after a write."""
