"""The blocking classes are those that the async ones give."""

import ast

import pytest

from symphony_registry.blocking.generate import GENERATED, SOURCES, Source, generate


@pytest.mark.parametrize("module", SOURCES)
def test_what_is_committed_is_what_would_be_generated(module: str) -> None:
    source = SOURCES[module]
    committed = ast.parse((GENERATED / f"{module}.py").read_text())
    wanted = ast.parse(generate(source.code, source))
    assert ast.dump(committed) == ast.dump(wanted), "Run python symphony_registry/blocking/generate.py"


ASYNC = '''
import enum
import numpy.typing as npt
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, ClassVar, Literal, overload
from elsewhere import Order as Sorting, THE_LIMIT

Key = str | bytes

class Item: ...

class SongStore:
    kind: ClassVar[str]
    size: int = 0
    _hidden: int = 0

    @abstractmethod
    async def add(self, key: Key, /, *more: Item, order: Sorting = Sorting.UP, **others: Any) -> None:
        """Store items.

        With details.
        """

    @overload
    async def read(self, key: Literal["one"]) -> Item: ...
    @overload
    async def read(self, key: str) -> Sequence[Item]: ...
    async def read(self, key: str) -> Item | Sequence[Item]:
        """Return an item, or several."""

    async def delete(self, keys: Iterable[Key] | None = None, *, limit: int = THE_LIMIT) -> npt.NDArray[Any]:
        """Delete items."""

    async def scan(self, *, first: enum.Enum) -> AsyncIterator[Item]:
        """Yield all."""

    def describe(self, what: Item) -> str:
        """Describe one."""

    @property
    def title(self) -> str:
        """The title."""

    async def _private(self) -> None: ...
    def ensure_open(self) -> None: ...
    @classmethod
    def made(cls) -> None: ...
'''

BLOCKING = '''"""Generated from `SongStore` by `symphony_registry.blocking.generate`: do not edit."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, overload

import numpy.typing as npt
from elsewhere import THE_LIMIT
from elsewhere import Order as Sorting

from symphony_registry.blocking.generated.backend import BlockingBackend
from symphony_registry.songs import Item, Key, SongStore


class BlockingSongStore(BlockingBackend[SongStore]):
    """A `SongStore` without `await`."""

    @property
    def kind(self) -> str:
        """The backend's `kind`."""
        return self._target.kind

    @property
    def size(self) -> int:
        """The backend's `size`."""
        return self._target.size

    def add(self, key: Key, /, *more: Item, order: Sorting = Sorting.UP, **others: Any) -> None:
        """Store items."""
        self._call(self._target.add, key, *more, order=order, **others)

    @overload
    def read(self, key: Literal["one"]) -> Item: ...

    @overload
    def read(self, key: str) -> Sequence[Item]: ...

    def read(self, key: str) -> Item | Sequence[Item]:
        """Return an item, or several."""
        return self._call(self._target.read, key)

    def delete(self, keys: Iterable[Key] | None = None, *, limit: int = THE_LIMIT) -> npt.NDArray[Any]:
        """Delete items."""
        return self._call(self._target.delete, self._collected(keys), limit=limit)

    def scan(self, *, first: enum.Enum) -> Iterator[Item]:
        """Yield all."""
        return self._iterate(self._target.scan, first=first)

    def describe(self, what: Item) -> str:
        """Describe one."""
        return self._target.describe(what)

    @property
    def title(self) -> str:
        """The title."""
        return self._target.title
'''


def test_whatever_an_abstract_class_has_gets_its_blocking_form() -> None:
    source = Source("songs", "SongStore", "BlockingSongStore", "BlockingBackend[SongStore]")
    assert ast.unparse(ast.parse(generate(ASYNC, source))) == ast.unparse(ast.parse(BLOCKING))
