"""Errors name the backend: wherever they come from, they pass here on their way out of an operation."""

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from symphony_registry.errors import RegistryError

T = TypeVar("T")


def named(operation: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Return a method of a backend whose errors name it."""

    @wraps(operation)
    async def call(self: Any, *args: Any, **options: Any) -> T:
        if self._loop is not get_running_loop():
            self.ensure_open()
        try:
            return await operation(self, *args, **options)
        except RegistryError as error:
            _name(error, self)
            raise

    return call


@contextmanager
def naming(backend: object) -> Iterator[None]:
    """Let the errors of a block name the backend, where that is no operation, or a generator."""
    try:
        yield
    except RegistryError as error:
        _name(error, backend)
        raise


def _name(error: RegistryError, backend: object) -> None:
    said = str(error)
    if not said.startswith(name := str(backend)):  # an operation may stand on others
        error.args = (f"{name}: {said}",)
