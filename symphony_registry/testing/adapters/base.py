"""What an adapter gives to the common sentences."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from symphony_registry.backends.values import JSONObject

Call: TypeAlias = Callable[[], Awaitable[Any]]
Calls: TypeAlias = dict[str, Call]


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
    """A write of many things, which happens whole or not at all; `size` says how much is there, in one read."""

    name: str
    prepare: Call
    run: Call
    size: Call


class Adapter(ABC):
    """The operations of one backend type in terms that they all have."""

    store: Any
    ordered_by_id: ClassVar[bool] = True

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
    def places(self) -> list[Place]:
        """Return the places for an object."""

    @abstractmethod
    def operations(self) -> Calls:
        """Return every operation with arguments that it takes."""

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
    def reads(self) -> Calls:
        """Return every operation whose result can be changed."""

    @abstractmethod
    def whole_writes(self, many: int) -> list[WholeWrite]:
        """Return the writes that touch more than one thing."""
