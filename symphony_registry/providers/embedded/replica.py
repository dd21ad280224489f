"""A state in memory and the log that keeps its changes: what every embedded store is."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from symphony_registry.backends.concurrency import (
    Gate,
    Promise,
    background,
    delaying_cancellation,
    discard,
    ignoring_cancellation,
    in_thread,
    take_apart,
)
from symphony_registry.backends.cost import LONG, SMALL
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import StorageBackend

T = TypeVar("T")

logger = logging.getLogger(__name__)

IN_MEMORY = Guarantees(atomic_bulk=True, lists_entities=True, restores_timestamps=True, saves_several=True)

Change: TypeAlias = dict[str, Any]
"""What is done to a state: a JSON object whose `op` names it; it may hold arrays and bytes too."""
CLEAR: Change = {"op": "clear"}
Decision: TypeAlias = tuple[Sequence[Change], T]
Merge: TypeAlias = Callable[[Sequence[Change]], Iterable[Change]]
Touches: TypeAlias = Callable[[], Iterable[str] | None] | None


def deletion(ids: list[str]) -> Decision[int]:
    """Return the one change that deletes items which are there, if any, and how many they are."""
    return [{"op": "delete_many", "ids": ids}] if ids else [], len(ids)


class State(Protocol):
    """Data that is changed by applying changes."""

    def apply(self, change: Change) -> None:
        """Make one change; it was checked before."""
        ...

    def growing_cost(self, changes: Sequence[Change]) -> float:
        """Return what making room for changes costs."""
        ...

    def changes(self) -> Iterator[Change]:
        """Yield the changes that make an empty state equal to this one, about `len(self)`."""
        ...

    def emptied(self) -> Self:
        """Return what clearing this one leaves."""
        ...

    def __len__(self) -> int: ...


StateT = TypeVar("StateT", bound=State)


class Log(Protocol[StateT]):
    """Where changes are kept, each with a number. Its calls block: they are made on threads."""

    def exists(self) -> bool:
        """Say whether anything was ever kept; before `open`."""
        ...

    def open(self) -> StateT:
        """Take hold of what is kept, and return the state to begin with: empty, or as it once was."""
        ...

    def replay(self, state: StateT) -> None:
        """Make the changes that followed those which `state` has."""
        ...

    def append(self, groups: Sequence[Sequence[Change]]) -> int:
        """Keep groups of changes, all or none, and return the number of the last change."""
        ...

    def is_due(self, state: StateT) -> bool:
        """Say whether most of what is kept was superseded."""
        ...

    def compact(self, state: StateT) -> None:
        """Keep the changes that make `state` instead of those that led to it."""
        ...

    def look(self) -> None:
        """Raise an error that says why, where what is appended now could not be read later."""
        ...

    def abandon(self) -> None:
        """Forget it, in a forked child, whose parent goes on using it."""
        ...

    def close(self, state: StateT | None) -> None:
        """Let go; `state` is what was reached, `None` where nobody knows how far the writes came."""
        ...


class _Write(NamedTuple):
    """A write that waits for its turn."""

    decide: Callable[[], Decision[Any]]
    cost: float
    touches: Touches
    done: Promise[Any]

    def touched(self) -> Iterable[str] | None:
        """Return the ids that it looks at and changes, `None` for any."""
        return None if self.touches is None else self.touches()


class Replica(Generic[StateT]):
    """A state that follows its log; without a log, all there is.

    Writes are made by one task, in the order in which they were asked for; it
    cannot be cancelled. Those that wait and touch different ids are kept
    together: each decides on what is stored, none on what another is about to do.
    Reads that would hold the event loop run on a thread.
    """

    def __init__(
        self, owner: StorageBackend, empty: Callable[[], StateT], log: Log[StateT] | None = None, merge: Merge = iter
    ) -> None:
        """Take what makes an empty state, the log, and what makes changes fewer that do the same."""
        self._owner = owner
        self._log = log
        self._merge = merge
        self.state = empty()
        self._applying = False
        self._inherited = False  # from a parent process, whose threads may have been refreshing it, behind locks
        self._renew()

    def _renew(self) -> None:
        """Begin anew with what belongs to an event loop."""
        self.gate = Gate()
        self._waiting: deque[_Write] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def exists(self) -> bool:
        """Say whether there is a log with something in it, or none at all."""
        return self._log is None or await in_thread(self._log.exists)

    async def open(self) -> None:
        """Load what the log keeps, or make anew what a parent process left."""
        if self._log is None:
            if self._inherited:
                await self.gate.change(lambda: self._apply([CLEAR, *self.state.changes()]), on_thread=True)
                self._inherited = False
            return
        opening = in_thread(partial(_load, self._log))
        try:
            self.state = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(partial(_close_abandoned, self._log))  # a timeout does not wait for a disk
            raise

    async def close(self) -> None:
        """Wait for the writes that were asked for, forget the state, and let go of the log."""
        reached: StateT | None = None
        try:
            await self.at_rest()
            state = self.state  # not before: a `clear` that waited has put another in its place
            await self.gate.change(self._forget, on_thread=False)
            reached = state
        finally:
            await self._close_log(reached)
            _discard(reached)

    async def at_rest(self) -> None:
        """Wait until nothing is written, compaction included."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _close_log(self, reached: StateT | None) -> None:
        if self._log is not None:
            await ignoring_cancellation(in_thread(partial(self._log.close, reached)))

    def _forget(self) -> None:
        self.state = self.state.emptied()

    async def survive_loop(self) -> bool:
        """Forget an event loop that has ended, and the writes that ended with it; say whether it is still open."""
        interrupted = self._writing is not None
        await self.gate.at_rest()
        self._renew()
        if interrupted and self._log is not None:  # to be opened again, from what the log has
            await self._close_log(None)
            return False
        return True

    def abandon(self) -> None:
        """Forget the parent's log and what came from it; without a log, `open` makes a copy of the parent's state."""
        if self._log is not None:
            self._log.abandon()
            self._forget()
        elif self._applying:  # by another thread of the parent's, so that the copy is torn
            logger.warning(
                "The %s %r was being changed when this process was forked: it begins empty here",
                self._owner.backend_type,
                self._owner.name,
            )
            self._forget()
            self._applying = False
        else:
            self._inherited = True
        self._renew()

    async def ensure_healthy(self) -> None:
        """Raise an error that says why, where a write would not be found by the next opening."""
        if self._log is not None:
            await asyncio.shield(in_thread(self._log.look))

    async def version(self) -> None:
        """Return nothing: the package itself keeps the data."""

    def ensure_open(self) -> None:
        """Raise `BackendNotOpenError` where the backend was closed meanwhile."""
        self._owner.ensure_open()

    async def read(self, work: Callable[[], T], cost: float = 0) -> T:
        """Return `work()`, which reads the state: here where it is short, else on a thread."""
        return work() if cost <= LONG and not self.gate.changing else await self.read_on_thread(work)

    async def read_on_thread(self, work: Callable[[], T]) -> T:
        """Return `work()`, which reads the state for long."""
        self.ensure_open()
        return await self.gate.read(work)

    async def write(self, decide: Callable[[], Decision[T]], cost: float = 0, touches: Touches = None) -> T:
        """Make the changes that `decide` chooses, whole or not at all, and return its result.

        `decide` sees every earlier write and may raise to refuse. `touches` gives
        the ids it looks at and changes, if they are known.
        """
        self.ensure_open()  # closed, perhaps, while the arguments were checked
        if self._log is None and cost <= LONG and self._writing is None and not self.gate.busy:
            changes, result = decide()
            if self.state.growing_cost(changes) <= LONG:
                self._apply(changes)
                return result
        loop = asyncio.get_running_loop()
        write = _Write(decide, cost, touches, Promise(loop=loop))
        self._waiting.append(write)
        if self._writing is None:
            self._start_writing(loop)
        return await delaying_cancellation(write.done)

    def _start_writing(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writing = loop.create_task(self._write_all(), name=f"write {self._owner.name}")
        self._writing.add_done_callback(self._end_writing)

    def _end_writing(self, task: "asyncio.Task[None]") -> None:
        if self._writing is task:
            self._writing = None
            if self._waiting:  # the task was cancelled before it began, as all are when the event loop ends
                self._start_writing(task.get_loop())

    async def _write_all(self) -> None:
        while self._waiting:
            await self._write_group(self._next_group())
            if self._log is not None and self._log.is_due(self.state):
                await ignoring_cancellation(in_thread(partial(self._log.compact, self.state)))
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
                if write.cost > LONG:
                    changes, result = await ignoring_cancellation(self.gate.on_thread(write.decide))
                else:
                    changes, result = write.decide()
                decided.append((write, changes, result))
            except Exception as error:
                write.done.set_exception(error)
        groups = [changes for _, changes, _ in decided if changes]
        try:
            if groups:
                if self._log is not None:
                    await ignoring_cancellation(in_thread(partial(self._log.append, groups)))
                changes = list(chain.from_iterable(groups))
                cost = sum(write.cost for write, _, _ in decided) + self.state.growing_cost(changes)
                await self.gate.change(partial(self._apply, changes), on_thread=cost > LONG)
        except Exception as error:
            for write, _, _ in decided:
                write.done.set_exception(error)
        else:
            for write, made, result in decided:
                write.done.set_result(result)
                discard(made)

    def _apply(self, changes: Sequence[Change]) -> None:
        self._applying = True
        try:
            for change in self._merge(changes):
                if change == CLEAR:
                    old, self.state = self.state, self.state.emptied()
                    _discard(old)
                else:
                    self.state.apply(change)
        finally:
            self._applying = False


def _load(log: Log[StateT]) -> StateT:
    state = log.open()
    try:
        log.replay(state)
    except BaseException:
        log.close(None)
        raise
    return state


def _discard(state: State | None) -> None:
    """Let go of a state that nobody uses any more."""
    if state is not None and len(state) * SMALL > LONG:
        background(partial(take_apart, state))


def _close_abandoned(log: Log[Any], opening: "asyncio.Future[Any]") -> None:
    """Let go of a log that nobody waits for any more, on the thread pool."""
    if opening.exception() is None:
        in_thread(partial(log.close, None))
