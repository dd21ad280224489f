"""What gives a check its stores."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, cast

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.kinds import KINDS, ensure_backend
from symphony_registry.backends.lookup import as_provider
from symphony_registry.backends.storage import BackendProvider, BackendType, StorageBackend
from symphony_registry.containers import RegistryContainer

BackendT = TypeVar("BackendT", bound=StorageBackend)
Options: TypeAlias = Mapping[str, Any]

BACKEND_NAME = "under_test"


class Harness(Generic[BackendT]):
    """A provider, and where it may keep its data.

    `provider` is a registered name, an entry point, a `package.module:Class`, or
    a provider or backend class itself. `options` is called with a new directory
    for each store, and two stores with its results must share nothing. Where a
    vector store needs the option `dimension`, it gives `DIMENSION`.
    """

    def __init__(
        self,
        backend_type: BackendType | str,
        provider: object,
        directory: Path,
        *,
        options: Callable[[Path], Options] = lambda _: {},
        large: int = 20_000,
    ) -> None:
        self.backend_type = BackendType(backend_type)
        self.large = large
        self._provider = provider
        self._directory = directory
        self._options = options
        self._numbers = count(1)

    def storage(self, **extra: Any) -> "Storage[BackendT]":
        """Return a place for data that nothing used before, with further options."""
        directory = self._directory / f"storage-{next(self._numbers)}"
        directory.mkdir(parents=True)
        return Storage(self.backend_type, self._provider, {**self._options(directory), **extra})

    def open(self, **extra: Any) -> AbstractAsyncContextManager[BackendT]:
        """Open an empty store, with further options."""
        return self.storage(**extra).open()


@dataclass(frozen=True)
class Storage(Generic[BackendT]):
    """A place for data, which can be opened again and again."""

    backend_type: BackendType
    provider: object
    options: Options

    def build(self) -> BackendT:
        """Return a backend that is not connected."""
        made = find_provider(self.backend_type, self.provider).create_backend(dict(self.options))
        backend = ensure_backend(KINDS[self.backend_type], made, "provider under test made")
        backend.name = BACKEND_NAME
        return cast("BackendT", backend)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[BackendT]:
        """Open the store the way that applications do: by its name in a registry."""
        named = isinstance(self.provider, str)
        settings = {"provider": self.provider, "options": dict(self.options)} if named else {"provider": "memory"}
        container = RegistryContainer(config={self.backend_type.section: {BACKEND_NAME: settings}})
        registry = container.registry()
        if not named:
            getattr(container, self.backend_type.section).providers[BACKEND_NAME].override(self.build())
        async with registry:
            yield cast("BackendT", registry.get_backend(self.backend_type, BACKEND_NAME))


def find_provider(backend_type: BackendType, provider: object) -> BackendProvider:
    """Return the provider that a name leads to, or a class is."""
    if isinstance(provider, str):
        return StorageBackendFactory.get_provider(backend_type, provider)
    return as_provider(backend_type, provider, "provider under test")
