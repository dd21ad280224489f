"""The backends of a container by name: those configured, and those registered at run time."""

from typing import Any, Literal

from dependency_injector import providers

from symphony_registry.backends.kinds import KINDS, ensure_backend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import copied
from symphony_registry.containers.registry import RegisteredBackend, RegistryContainer
from symphony_registry.errors import AlreadyRegisteredError


class Registrations:
    """Finds backends in a container and adds to them; all state is the container's."""

    def __init__(self, container: RegistryContainer) -> None:
        self._container = container
        self._state = container.registrations()

    def aggregate(self, backend_type: BackendType) -> "providers.Aggregate[Any]":
        """Return the container's providers of a type by name."""
        found: providers.Aggregate[Any] = getattr(self._container, backend_type.section)
        return found

    def names(self, backend_type: BackendType) -> list[str]:
        """Return the sorted names of a type."""
        names = set(self.aggregate(backend_type).providers)
        return sorted(names | {"default"} if self._default(backend_type).overridden else names)

    def find(self, backend_type: BackendType, name: str) -> StorageBackend | None:
        """Return the backend of that name, open or not, or `None`.

        Raises `ProviderTypeError` where the container gives something else.
        """
        if name not in self.names(backend_type):
            return None
        found = self.container_provider(backend_type, name)()
        return ensure_backend(KINDS[backend_type], found, f'container gave for the {backend_type} "{name}"')

    def container_provider(self, backend_type: BackendType, name: str) -> "providers.Provider[Any]":
        """Return what the container calls to give a backend."""
        return self._default(backend_type) if name == "default" else self.aggregate(backend_type).providers[name]

    def _default(self, backend_type: BackendType) -> "providers.Provider[Any]":
        """Return what gives a type's "default", which may be overridden without being configured."""
        found: providers.Provider[Any] = getattr(self._container, backend_type)
        return found

    def source(self, backend_type: BackendType, name: str) -> Literal["configured", "registered", "overridden"]:
        """Return what gives a backend now."""
        provider = self.container_provider(backend_type, name)
        placed = self._state.placed.get((backend_type, name))
        if placed is not None and name == "default" and provider.last_overriding is placed.container_provider:
            return "registered"
        if provider.overridden:
            return "overridden"
        return "configured" if placed is None else "registered"

    def claim(self, backend_type: BackendType, name: str, provider_name: str, config: dict[str, Any]) -> StorageBackend:
        """Return the backend that is, or is to be, registered with this provider and configuration.

        Raises `AlreadyRegisteredError` where a different one that is open has the name.
        """
        key = backend_type, name
        pending = self._state.pending.get(key)
        if pending is not None and (pending.provider_name, pending.config) == (provider_name, config):
            return pending.backend
        if pending is not None:
            self._refuse_if_open(pending.backend)
        current = self.find(backend_type, name)
        if current is not None and self._made_from(backend_type, name, current) == (provider_name, config):
            return current
        if current is not None:
            self._refuse_if_open(current)
        backend: StorageBackend = self._container.factory().build(backend_type, provider_name, name, config)
        ensure_backend(KINDS[backend_type], backend, f"provider {provider_name!r} made")
        self._state.pending[key] = RegisteredBackend(provider_name, copied(config), backend, providers.Object(backend))
        return backend

    def _refuse_if_open(self, other: StorageBackend) -> None:
        if other.is_open or self._container.lifecycle().is_opening(other):
            raise AlreadyRegisteredError(
                f"{other} is already open with a different provider or configuration. Close it first, or choose "
                f"another name than {other.name!r}."
            )

    def _made_from(
        self, backend_type: BackendType, name: str, current: StorageBackend
    ) -> tuple[str, dict[str, Any]] | None:
        """Return the provider and the config of a backend; `None` where an override gives it."""
        placed = self._state.placed.get((backend_type, name))
        if placed is not None:
            return (placed.provider_name, placed.config) if placed.backend is current else None
        configured = self._container.settings().backends(backend_type).get(name)
        if configured is None or self.container_provider(backend_type, name).overridden:
            return None
        return configured.provider, configured.options

    def place(self, backend_type: BackendType, name: str, backend: StorageBackend) -> None:
        """Put a claimed backend, which is open now, into the container.

        Raises `AlreadyRegisteredError` where another was opened under its name in the meantime.
        """
        pending = self._state.pending.get((backend_type, name))
        if pending is not None and pending.backend is backend:
            current = self.find(backend_type, name)
            if current is not None:
                self._refuse_if_open(current)
            if name == "default":
                self._take_out_default(backend_type)
                self._default(backend_type).override(pending.container_provider)
            provider = self._default(backend_type) if name == "default" else pending.container_provider
            aggregate = self.aggregate(backend_type)
            aggregate.set_providers({**aggregate.providers, name: provider})
            self._state.placed[backend_type, name] = self._state.pending.pop((backend_type, name))
        services = self._container.services
        given_by = self.container_provider(backend_type, name)
        services.set_providers({**services.providers, f"{backend_type}_{name}": given_by})

    def clear(self) -> None:
        """Forget all backends, the configured ones too."""
        for backend_type in BackendType:
            self._take_out_default(backend_type)
            self.aggregate(backend_type).set_providers({})
        self._state.placed.clear()
        self._state.pending.clear()

    def _take_out_default(self, backend_type: BackendType) -> None:
        """Undo the override that a registered "default" is, unless something lies over it."""
        placed = self._state.placed.get((backend_type, "default"))
        default = self._default(backend_type)
        if placed is not None and default.overridden and default.last_overriding is placed.container_provider:
            default.reset_last_overriding()
