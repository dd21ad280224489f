"""The factory: what resolves the names of providers, and makes backends."""

import threading
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.kinds import ensure_backend
from symphony_registry.backends.lifecycle import Lifecycle
from symphony_registry.backends.lookup import PROVIDERS, Product, describe
from symphony_registry.backends.options import ValidatedOptions
from symphony_registry.backends.storage import BackendProvider, BackendType, StorageBackend
from symphony_registry.backends.values import check_id, copied
from symphony_registry.errors import AlreadyRegisteredError, ProviderTypeError, attributed


class _Remembered(NamedTuple):
    """A backend, and what it was asked for with."""

    provider_name: str
    config: dict[str, Any]
    backend: StorageBackend


class StorageBackendFactory:
    """Resolves the names of providers, and makes backends with them.

    Providers are known process-wide. `build` gives a new backend each time, which
    is what containers use; `create_backend` also opens it and remembers it for
    the whole process.
    """

    _providers: ClassVar = PROVIDERS
    _remembered: ClassVar[dict[tuple[BackendType, str], _Remembered]] = {}
    _lifecycle: ClassVar = Lifecycle()
    _lock: ClassVar = threading.RLock()

    @classmethod
    def register_provider(
        cls, backend_type: BackendType, name: str, provider: object, *, replace: bool = False
    ) -> None:
        """Make `provider` known under `name`.

        It has a static `create_backend(config=None)`, or is a backend class.
        Raises `AlreadyRegisteredError` where another has the name, unless `replace`.
        """
        cls._providers.register(BackendType(backend_type), name, provider, replace=replace)

    @classmethod
    def list_providers(cls, backend_type: BackendType) -> list[str]:
        """Return the sorted names: built in, registered, and from entry points."""
        return cls._providers.names(BackendType(backend_type))

    @classmethod
    def provider_origin(cls, backend_type: BackendType, provider_name: str) -> str:
        """Return where a name leads to: built in, registered in code, an entry point, or a dotted path."""
        return cls._providers.origin(BackendType(backend_type), provider_name)

    @classmethod
    def provider_product(cls, backend_type: BackendType, provider_name: str) -> Product | None:
        """Return the row of the manifest that a name leads to, if it leads to one."""
        return cls._providers.product(BackendType(backend_type), provider_name)

    @classmethod
    def provider_guarantees(cls, backend_type: BackendType, provider_name: str) -> Guarantees | None:
        """Return what a backend class promises with default options, `None` where the name leads to something else.

        Raises as `get_provider` does.
        """
        found = cls._providers.backend_class(BackendType(backend_type), provider_name)
        return None if found is None else found.guarantees

    @classmethod
    def get_provider(cls, backend_type: BackendType, provider_name: str) -> BackendProvider:
        """Return the provider that a name or a `package.module:Class` leads to.

        Raises `ProviderNotFoundError`, `ProviderImportError` or `ProviderTypeError`.
        """
        return cls._providers.find(BackendType(backend_type), check_id(provider_name, "provider_name"))

    @classmethod
    def build(
        cls,
        backend_type: BackendType,
        provider: str | BackendProvider,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> StorageBackend:
        """Return a new backend, not connected; nothing is remembered.

        `provider` is a name, or what `get_provider` gave for one. What the provider
        raises comes out with the name of the backend.
        """
        backend_type = BackendType(backend_type)
        check_id(backend_name, "backend_name")
        found = provider if isinstance(provider, BackendProvider) else cls.get_provider(backend_type, provider)
        own = config.copy() if isinstance(config, ValidatedOptions) else copied(dict(config or {}))
        try:
            backend = found.create_backend(own)
        except Exception as error:
            failure = f'The {backend_type} "{backend_name}" could not be built'
            raise attributed(error, failure)  # noqa: B904 - it has its cause
        what = f"provider {repr(provider) if isinstance(provider, str) else describe(provider)}"
        ensure_backend(StorageBackend, backend, f"{what} made")
        if backend.backend_type is not backend_type:
            raise ProviderTypeError(f"The {what} made a {backend.backend_type}, not a {backend_type}: {backend!r}.")
        backend.name = backend_name
        return backend

    @classmethod
    async def create_backend(
        cls,
        backend_type: BackendType,
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> StorageBackend:
        """Build, connect and remember a backend; return the remembered one for the same provider and config.

        Raises `AlreadyRegisteredError` where the name is remembered with another
        provider or config. Concurrent calls build one.
        """
        key = BackendType(backend_type), backend_name
        wanted = copied(dict(config or {}))
        with cls._lock:
            known = cls._find_or_build(key, provider_name, wanted)
        await cls._lifecycle.open(known.backend)
        return known.backend

    @classmethod
    def _find_or_build(cls, key: tuple[BackendType, str], provider_name: str, wanted: dict[str, Any]) -> _Remembered:
        backend_type, backend_name = key
        known = cls._remembered.get(key)
        if known is not None and not known.backend.is_open and not cls._lifecycle.is_opening(known.backend):
            del cls._remembered[key]
            known = None
        if known is None:
            backend = cls.build(backend_type, provider_name, backend_name, wanted)
            known = cls._remembered[key] = _Remembered(provider_name, wanted, backend)
        elif (known.provider_name, known.config) != (provider_name, wanted):
            raise AlreadyRegisteredError(
                f"{known.backend} is already open with a different provider or configuration. Disconnect it first, "
                f"or choose another name than {backend_name!r}."
            )
        return known

    @classmethod
    def get_backend(cls, backend_type: BackendType, backend_name: str = "default") -> StorageBackend | None:
        """Return the remembered backend if it is open, else `None`."""
        known = cls._remembered.get((BackendType(backend_type), backend_name))
        return known.backend if known is not None and known.backend.is_open else None

    @classmethod
    async def shutdown_all(cls) -> None:
        """Disconnect and forget all remembered backends, the last first.

        Raises an `ExceptionGroup` of every error, after all were tried.
        """
        cls._remembered.clear()
        await cls._lifecycle.close_all()
