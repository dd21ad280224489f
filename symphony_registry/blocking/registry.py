"""`BlockingRegistry`: a registry for code without `await`, and the owner of the event loop that it needs."""

from collections.abc import Callable, Coroutine
from inspect import isawaitable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from symphony_registry.blocking.generated.registry import RegistryOperations
from symphony_registry.errors import InvalidTypeError

P = ParamSpec("P")
T = TypeVar("T")


class BlockingRegistry(RegistryOperations):
    """A `ServiceRegistry` without `await`; `ServiceRegistry.in_thread()` makes it.

    Its event loop is on a thread of its own, from `open` (or the first call of
    `open_backend`, `register_backend` or the like) to `close`. Any number of
    threads may call at once.

    ```python
    from symphony_registry import ServiceRegistry

    with ServiceRegistry.from_config(environment="test").in_thread() as registry:
        registry.vector_store().add("a", [0.1, 0.2])
    ```
    """

    def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs) -> T:
        """Return what an async function gives, awaited on the event loop that has the backends open."""

        async def awaited() -> T:
            given = function(*args, **options)
            if not isawaitable(given):
                raise InvalidTypeError(
                    f"call takes an async function; {function!r} gave {type(given).__name__}, which cannot be awaited. "
                    "Call it without the registry."
                )
            return await given

        return self._call(awaited)

    def open(self) -> None:
        """Open every backend there is, at once, on the event loop, which begins with it; all or none.

        Raises a `BackendErrorGroup` of everything that went wrong.
        """
        begins = not self._loop.is_running
        try:
            super().open()
        except BaseException:
            if begins:
                self._loop.stop()
            raise

    def close(self) -> None:
        """Close what was opened, then end the event loop; `open` works again.

        Raises a `BackendErrorGroup` of everything that went wrong, after all were tried.
        """
        if self._loop.is_running:
            try:
                super().close()
            finally:
                self._loop.stop()

    def shutdown(self) -> None:
        """Close everything, forget services, repositories and backends, and end the event loop."""
        try:
            super().shutdown()
        finally:
            self._loop.stop()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
