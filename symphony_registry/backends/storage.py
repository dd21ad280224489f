"""What the three backend types have in common."""

import asyncio
from abc import ABC
from collections.abc import Mapping
from enum import StrEnum
from inspect import isasyncgenfunction
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from symphony_registry.backends.forking import abandon_in_children
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.naming import named, naming
from symphony_registry.errors import (
    BackendNotOpenError,
    BackendUnavailableError,
    NotFoundError,
    RegistryError,
    WrongEventLoopError,
    hint,
)


class BackendType(StrEnum):
    """The kinds of storage there are."""

    VECTOR_STORE = "vector_store"
    KNOWLEDGE_GRAPH = "knowledge_graph"
    CHECKPOINT_STORE = "checkpoint_store"

    @property
    def section(self) -> str:
        """The name of its section in configuration files: the plural."""
        return f"{self.value}s"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise NotFoundError(f"There is no backend type {value!r}. {hint(value, cls)}")


class StorageBackend(ABC):
    """A place to keep data: made with its options, then connected, used and disconnected.

    A provider overrides `connect` and `disconnect` and calls these with `super()`;
    an operation starts with `self.ensure_open()`. A backend belongs to the event
    loop that connected it. Errors of this package that an operation raises get its name.
    """

    backend_type: ClassVar[BackendType]
    guarantees: Guarantees = Guarantees()
    """What it promises where the contract leaves room."""
    name: str = "default"
    config: Mapping[str, Any] = MappingProxyType({})
    _loop: asyncio.AbstractEventLoop | None = None
    _was_open = False
    _unwell: RegistryError | None = None  # why the last health check failed, where that is known

    _operations: ClassVar[Mapping[str, object]] = MappingProxyType({})  # by name

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls._operations.keys() & vars(cls).keys():
            if not isasyncgenfunction(operation := vars(cls)[name]):
                setattr(cls, name, named(operation))

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = config.copy() if isinstance(config, dict) else dict(config or {})  # which stay validated

    async def initialize(self, config: Mapping[str, Any] | None = None) -> None:
        """Take other options than the constructor got; `None` keeps those. Before `connect` only."""
        if config is not None:
            self.config = config.copy() if isinstance(config, dict) else dict(config)

    async def connect(self) -> None:
        """Make the backend ready for use; harmless when it is."""
        self._now_open()
        abandon_in_children(self)

    def _now_open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._was_open = True

    async def disconnect(self) -> None:
        """Let go of everything that `connect` took; harmless when there is nothing."""
        self._loop = None

    def abandon(self) -> None:
        """Forget, in a forked child, what the parent has open and goes on using; it was not opened here."""
        self._loop = None

    async def health_check(self) -> bool:
        """Say whether an operation would work now."""
        return self.is_open

    async def ensure_healthy(self) -> None:
        """Raise an error that says why, where an operation would not work now."""
        self._unwell = None
        with naming(self):
            if not await self.health_check():
                raise self._unwell or BackendUnavailableError(f"{self}: its health check failed, and gives no reason.")

    async def exists(self) -> bool:
        """Say whether something was ever stored, so that `connect` would not begin with nothing.

        Before `connect`, without changing anything; a provider that cannot tell says yes.
        """
        return True

    async def version(self) -> str:
        """Return what keeps the data, and its version; a provider whose data a server keeps asks the server."""
        from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - 10 ms, and rarely asked

        package = type(self).__module__.partition(".")[0]
        try:
            found = distribution(package)
        except PackageNotFoundError:
            return package
        return f"{found.metadata['Name']} {found.version}"

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._loop is not None

    def ensure_open(self) -> None:
        """Raise `BackendNotOpenError` unless connected, on the running event loop."""
        if self._loop is None:
            raise BackendNotOpenError(
                f"{self} is not open.",
                "Await its connect(), or open it through the registry: "
                "`async with registry:` or `await registry.open()`.",
            )
        if self._loop is not asyncio.get_running_loop():
            advice = (
                "which has ended. Open it anew on this one: await its connect(), or `await registry.open()`."
                if self._loop.is_closed()
                else "which still runs. Use it there, or close it there and open it here: "
                "await registry.close(), then await registry.open()."
            )
            raise WrongEventLoopError(f"{self} was opened on another event loop, {advice}")

    def ensure_no_other_loop(self) -> None:
        """Raise `WrongEventLoopError` where another event loop, which still runs, has it open."""
        if self._loop is not None and self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            raise WrongEventLoopError(f"{self} is open on another event loop, which still runs. Close it there.")

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {'open' if self.is_open else 'not open'}>"

    def __str__(self) -> str:
        return f'The {self.backend_type} "{self.name}" ({type(self).__name__})'


@runtime_checkable
class BackendProvider(Protocol):
    """Makes backends of one kind from a mapping of options.

    Where it has an attribute `Options`, a pydantic model, configuration files are
    checked against it before anything is built.
    """

    @staticmethod
    def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
        """Return a new backend with these options, not connected yet."""
        ...
