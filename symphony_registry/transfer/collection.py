"""What a store holds: a collection of items, in the order in which they have to be written."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import orjson

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject, checked_object
from symphony_registry.errors import InvalidTypeError
from symphony_registry.transfer.digest import canonical_json

StoreT = TypeVar("StoreT", bound=StorageBackend)
StoredItem: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, ...]
ItemCheck: TypeAlias = Callable[[StoredItem], None]


class Collection(ABC, Generic[StoreT]):
    """One kind of items: as a store's scan gives them, so they are written, compared and exported."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()
    """Fields that an item may have, besides `fields`."""
    by_key: ClassVar[bool] = True
    """Whether the items come in the order of their keys; else the order is part of what is stored."""

    @abstractmethod
    def read(self, store: StoreT) -> AsyncIterator[StoredItem]:
        """Yield all items in their order."""

    @abstractmethod
    async def write(self, store: StoreT, items: Sequence[StoredItem]) -> None:
        """Write items over those with the same keys, all or none.

        Without any, it raises where the store cannot take them at all.
        """

    @abstractmethod
    async def count(self, store: StoreT) -> int:
        """Return how many items there are."""

    async def summary(self, store: StoreT) -> JSONObject:
        """Return the number of items, under the collection's name, and what else can be said in numbers."""
        return {self.name: await self.count(store)}

    async def limits(self, store: StoreT, *, emptied: bool) -> ItemCheck | None:  # noqa: ARG002
        """Return what raises `InvalidValueError` for an item that the store cannot take, `None` where it takes any.

        `emptied` says that the store will be emptied before.
        """
        return None

    def rounded(self, item: StoredItem, precision: str) -> StoredItem:  # noqa: ARG002
        """Return an item as a store of that precision keeps it."""
        return item

    def promises(self, given: Guarantees) -> list[str]:  # noqa: ARG002
        """Return what is guaranteed of these items in particular, in a few words each."""
        return []

    @abstractmethod
    def key(self, item: StoredItem) -> Key:
        """Return what identifies an item."""

    @abstractmethod
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        """Raise where an item, which has all fields, cannot be in a store, or not together with the one before it."""

    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        """Raise where an item does not go with those before it, whose ids are in `ids`, in a file without a digest."""

    def canonical(self, item: StoredItem) -> bytes:
        """Return the same bytes for equal items, and others for others."""
        return canonical_json(item)

    def line(self, item: StoredItem) -> bytes:
        """Return an item as a line of JSON."""
        return orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)

    def parsed(self, line: JSONObject) -> StoredItem:
        """Return the item that `line` wrote; raises `InvalidValueError`."""
        return line


def shown(key: Key) -> str:
    """Return a key as a message has it."""
    return " ".join(map(repr, key))


def check_object(item: StoredItem, field: str) -> None:
    """Raise where a field is not a JSON object."""
    if item[field] is None:  # which the operations take for an empty one
        raise InvalidTypeError(f"{field} must be a dict, not NoneType.")
    checked_object(item[field], field)
