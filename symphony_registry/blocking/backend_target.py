"""What the generated stores stand on."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, ParamSpec, cast

from typing_extensions import TypeVar

from symphony_registry.backends.naming import naming
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import collected
from symphony_registry.blocking.loop import BackgroundLoop

P = ParamSpec("P")
T = TypeVar("T")
B_co = TypeVar("B_co", bound=StorageBackend, default=StorageBackend, covariant=True)


class BackendTarget(Generic[B_co]):
    """A backend that is called from threads which wait, while its loop runs."""

    def __init__(self, target: B_co, loop: BackgroundLoop) -> None:
        self._target = target
        self._loop = loop

    def _call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs) -> T:
        with naming(self._target):
            return self._loop.call(function, *args, **options)

    def _collected(self, items: T) -> T:
        """Return the items of an iterable, taken on the caller's thread: they may be read from a store like this."""
        with naming(self._target):
            return items if items is None else cast("T", collected(items))

    def _iterate(self, function: Callable[P, AsyncIterator[T]], *args: P.args, **options: P.kwargs) -> Iterator[T]:
        items = function(*args, **options)  # wrong arguments are told at once

        def iterate() -> Iterator[T]:
            with naming(self._target):
                yield from self._loop.iterate(items)

        return iterate()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._target!r}>"
