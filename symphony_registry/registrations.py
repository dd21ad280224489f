"""The backends of a container by name: those configured, and those added at run time."""

from typing import Any

from dependency_injector import providers

from symphony_registry.backends.base import BackendType, StorageBackend, ensure_backend
from symphony_registry.containers.registry import KINDS, RegistryContainer, add_configured_backends

# What a backend was added with: the provider's name and the config.
Words = tuple[str, dict[str, Any]]


class Registrations:
    """Adds backends to a container and takes them out; all state is the container's."""

    def __init__(self, container: RegistryContainer) -> None:
        self._container = container
        self._kinds = {kind.backend_type: kind for kind in KINDS}
        self._words: dict[tuple[BackendType, str], Words] = container.registrations()

    def aggregate(self, backend_type: BackendType) -> "providers.Aggregate[Any]":
        """Return the container's providers of a type by name."""
        found: providers.Aggregate[Any] = getattr(self._container, backend_type.section)
        return found

    def names(self, backend_type: BackendType) -> list[str]:
        """Return the sorted names of a type."""
        names = set(self.aggregate(backend_type).providers)
        return sorted(names | {"default"} if self._default(backend_type).overridden else names)

    def _default(self, backend_type: BackendType) -> "providers.Provider[Any]":
        """Return the provider of a type's "default", which may be overridden without being configured."""
        found: providers.Provider[Any] = getattr(self._container, backend_type)
        return found

    def find(self, backend_type: BackendType, name: str) -> StorageBackend | None:
        """Return the backend of that name, open or not, or `None`.

        Raises `ProviderTypeError` where the container gives something else.
        """
        if name not in self.names(backend_type):
            return None
        found = self._default(backend_type)() if name == "default" else self.aggregate(backend_type)(name)
        return ensure_backend(self._kinds[backend_type], found, f'container gave for the {backend_type} "{name}"')

    def words(self, backend_type: BackendType, name: str) -> Words | None:
        """Return what the backend was added or configured with."""
        if (backend_type, name) in self._words:
            return self._words[backend_type, name]
        configured = self._container.settings().backends(backend_type).get(name)
        return None if configured is None else (configured.provider, configured.options)

    def add(self, backend_type: BackendType, name: str, words: Words) -> StorageBackend:
        """Build a backend, in place of the one of that name."""
        backend: StorageBackend = self._container.factory().build(backend_type, words[0], name, words[1])
        ensure_backend(self._kinds[backend_type], backend, f"provider {words[0]!r} made")
        provider: providers.Provider[Any] = providers.Object(backend)
        if name == "default":
            self._take_out_default(backend_type)
            default = self._default(backend_type)
            default.override(provider)
            provider = default
        aggregate = self.aggregate(backend_type)
        aggregate.set_providers({**aggregate.providers, name: provider})
        self._words[backend_type, name] = words
        return backend

    def remove(self, backend_type: BackendType, name: str, backend: StorageBackend) -> None:
        """Take a backend out again that was added, unless another has its place by now."""
        if self.find(backend_type, name) is not backend:
            return
        if name == "default":
            self._take_out_default(backend_type)
        del self._words[backend_type, name]
        aggregate = self.aggregate(backend_type)
        aggregate.set_providers({key: provider for key, provider in aggregate.providers.items() if key != name})
        add_configured_backends(self._container, self._container.settings())

    def clear(self) -> None:
        """Forget all backends, the configured ones too."""
        for backend_type in BackendType:
            self._take_out_default(backend_type)
            self.aggregate(backend_type).set_providers({})
        self._words.clear()

    def _take_out_default(self, backend_type: BackendType) -> None:
        """Undo the override that a "default" added here is."""
        default = self._default(backend_type)
        if (backend_type, "default") in self._words and default.overridden:
            default.reset_last_overriding()
