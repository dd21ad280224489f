"""What an adapter gives to the common sentences."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject

StoreT = TypeVar("StoreT", bound=StorageBackend)
Call: TypeAlias = Callable[[], Awaitable[Any]]
Calls: TypeAlias = dict[str, Call]

_OPERATION = re.compile(r"\w+")


def sample() -> JSONObject:
    """Return a new object with nested ones, which a faulty provider may spoil."""
    return {"a": {"b": [1, {"c": "deep"}]}, "tags": ["x", "y"]}


@dataclass(frozen=True)
class Place:
    """One of the places where a backend type keeps a JSON object under an id."""

    name: str
    put: Callable[[str, Any], Awaitable[object]]
    get: Callable[[str], Awaitable[JSONObject | None]]
    optional: bool = True  # None gives an empty object


@dataclass(frozen=True)
class WholeWrite:
    """A write that touches more than one thing, and happens whole or not at all; `look` sees that in one read."""

    name: str
    prepare: Call
    run: Call
    look: Call
    bulk: bool = True


class Adapter(ABC, Generic[StoreT]):
    """The operations of one backend type in terms that they all have.

    The name of a call begins with that of its operation; what the provider does
    not promise to have is left out, but for `operations`.
    """

    ordered_by_id: ClassVar[bool] = True

    def __init__(self, store: StoreT) -> None:
        self.store = store

    @property
    def unpromised(self) -> frozenset[str]:
        """The operations that the provider need not have."""
        return frozenset()

    def _has(self, name: str) -> bool:
        operation = _OPERATION.match(name)
        return operation is not None and operation[0] not in self.unpromised

    def promised(self, calls: Calls) -> Calls:
        """Return the calls of operations that the provider promises to have."""
        return {name: call for name, call in calls.items() if self._has(name)}

    def reads(self) -> Calls:
        """Return every read, after `fill`."""
        table = OPERATIONS[self.store.backend_type]
        return {name: call for name, call in self.promised(self.operations()).items() if table[name].effect == "read"}

    def places(self) -> list[Place]:
        """Return the places for an object."""
        return [place for place in self._places() if self._has(place.name)]

    def whole_writes(self, many: int) -> list[WholeWrite]:
        """Return the writes that touch more than one thing, of which there are `many`."""
        return [write for write in self._whole_writes(many) if self._has(write.name)]

    @property
    def large_limit(self) -> int:
        """A limit beyond the number of things that checks look for."""
        return min(1000, self.store.guarantees.largest_limit or 1000)

    async def put(self, id: str, value: JSONObject | None = None) -> None:
        """Store an object."""
        await self.places()[0].put(id, {} if value is None else value)

    async def get(self, id: str) -> JSONObject | None:
        """Return the object, or `None`."""
        return await self.places()[0].get(id)

    @abstractmethod
    async def delete(self, id: str) -> bool:
        """Delete the object."""

    @abstractmethod
    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:
        """Store many objects; of checkpoints, one in ten."""

    @abstractmethod
    async def find(self, filter: Any = None) -> list[str]:
        """Return the ids of the objects that match a filter, in the order of the operation."""

    async def put_for_filter(self, id: str, value: JSONObject) -> None:
        """Store an object where filters see it."""
        await self.put(id, value)

    async def count(self, filter: Any) -> int | None:  # noqa: ARG002 - most types count all only
        """Return how many objects match, or `None` where there is no such operation."""
        return None

    @abstractmethod
    def _places(self) -> list[Place]:
        """Return the places for an object, those of operations that need not be there last."""

    @abstractmethod
    def operations(self) -> Calls:
        """Return every operation of the table, with arguments that it takes."""

    @abstractmethod
    def with_id(self, id: Any) -> Calls:
        """Return every operation that takes an id or a type, with this one in each position."""

    @abstractmethod
    def with_limit(self, limit: Any) -> Calls:
        """Return every operation that takes a limit, with this one; each gives a list."""

    @abstractmethod
    def with_filter(self, filter: Any) -> Calls:
        """Return every operation that takes a filter, with this one."""

    @abstractmethod
    async def fill(self) -> None:
        """Store the objects "a", "b" and "c", so that every read has something to return."""

    @abstractmethod
    def _whole_writes(self, many: int) -> list[WholeWrite]:
        """Return the writes that touch more than one thing, of which there are `many`."""
