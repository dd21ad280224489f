"""The container of a registry."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dependency_injector import containers, providers

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.kinds import KINDS, ensure_backend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.lifecycle import Lifecycle
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import BackendNotFoundError, hint
from symphony_registry.settings import RegistrySettings, settings_from_mapping

if TYPE_CHECKING:
    from symphony_registry.registry import ServiceRegistry

BackendT = TypeVar("BackendT", bound=StorageBackend)


def build_backend(
    kind: type[BackendT], factory: StorageBackendFactory, settings: RegistrySettings, name: str
) -> BackendT:
    """Return a new backend as the settings say, not connected.

    Settings that were validated know the provider already; a factory that a
    container was given in place of ours resolves names itself.
    """
    backend_type = kind.backend_type
    known = settings.backends(backend_type)
    if name not in known:
        raise BackendNotFoundError(f'There is no {backend_type} "{name}" in the settings. {hint(name, known)}')
    chosen = known[name]
    resolved = chosen._resolved if type(factory) is StorageBackendFactory else None
    provider, options = resolved or (chosen.provider, chosen.options)
    backend = factory.build(backend_type, provider, name, options)
    return ensure_backend(kind, backend, f"provider {chosen.provider!r} made")


def make_registry(container: Any) -> "ServiceRegistry":
    """Return the facade over a container."""
    from symphony_registry.registry import ServiceRegistry  # noqa: PLC0415 - the facade stands above the containers

    return ServiceRegistry(container)


class RegisteredBackend(NamedTuple):
    """A backend registered at run time, and what it was registered with."""

    provider_name: str
    config: dict[str, Any]
    backend: StorageBackend
    container_provider: providers.Provider[Any]


class RegisteredBackends:
    """The backends registered at run time: in place once they are open, pending before."""

    def __init__(self) -> None:
        self.placed: dict[tuple[BackendType, str], RegisteredBackend] = {}
        self.pending: dict[tuple[BackendType, str], RegisteredBackend] = {}


class RegistryContainer(containers.DeclarativeContainer):
    """The backends, services and repositories of one registry.

    Providers are synchronous and open nothing: the registry opens and closes.
    `config` holds raw settings; without any, there is one memory backend of each
    type. `vector_stores` and its like hold the backends by name, and their
    "default" is the provider declared above them, so that overriding one overrides
    both. Other names are added by `add_configured_backends`. `factory` resolves the
    names of providers, once for each backend.
    """

    __self__ = providers.Self()

    config = providers.Configuration()
    settings = providers.ThreadSafeSingleton(settings_from_mapping, config)
    factory = providers.ThreadSafeSingleton(StorageBackendFactory)

    vector_store: providers.Provider[VectorStoreBackend] = providers.ThreadSafeSingleton(
        build_backend, VectorStoreBackend, factory, settings, "default"
    )
    knowledge_graph: providers.Provider[KnowledgeGraphBackend] = providers.ThreadSafeSingleton(
        build_backend, KnowledgeGraphBackend, factory, settings, "default"
    )
    checkpoint_store: providers.Provider[CheckpointStoreBackend] = providers.ThreadSafeSingleton(
        build_backend, CheckpointStoreBackend, factory, settings, "default"
    )

    vector_stores = providers.Aggregate({"default": vector_store})
    knowledge_graphs = providers.Aggregate({"default": knowledge_graph})
    checkpoint_stores = providers.Aggregate({"default": checkpoint_store})

    services: providers.Aggregate[Any] = providers.Aggregate({})
    repositories: providers.Aggregate[Any] = providers.Aggregate({})

    registrations = providers.ThreadSafeSingleton(RegisteredBackends)
    lifecycle = providers.ThreadSafeSingleton(Lifecycle)
    registry = providers.ThreadSafeSingleton(make_registry, __self__)


def add_configured_backends(container: RegistryContainer, settings: RegistrySettings) -> None:
    """Give the container's aggregates the names that the settings have.

    A "default" that is not configured is taken out, unless it is overridden.
    """
    for kind in KINDS.values():
        aggregate = getattr(container, kind.backend_type.section)
        named = dict(aggregate.providers)
        configured = settings.backends(kind.backend_type)
        default = getattr(container, kind.backend_type)
        if "default" not in configured and not default.overridden:
            named.pop("default", None)
        else:
            named["default"] = default
        for name in configured.keys() - named.keys():
            named[name] = providers.ThreadSafeSingleton(
                build_backend, kind, container.factory, container.settings, name
            )
        aggregate.set_providers(named)
