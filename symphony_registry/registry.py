"""`ServiceRegistry`: the facade over a container, and the owner of its lifecycle."""

import asyncio
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, overload

from dependency_injector.errors import NoSuchProviderError

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.lifecycle import Health, check_health
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import check_id
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.blocking.registry import BlockingRegistry
from symphony_registry.containers import RegistryContainer, build_container
from symphony_registry.containers.registry import add_configured_backends
from symphony_registry.errors import (
    AlreadyRegisteredError,
    BackendErrorGroup,
    BackendNotFoundError,
    BackendNotOpenError,
    InvalidTypeError,
    hint,
    public_text,
)
from symphony_registry.registrations import Registrations
from symphony_registry.services import ServiceMapping

_instance_lock = threading.RLock()


class ServiceRegistry:
    """The one place where an application finds its storage, services and repositories.

    All state is the container's: any number of registries over one container, of
    this class or a subclass, see the same backends and services.

    ```python
    async with ServiceRegistry.from_config(environment="test") as registry:
        await registry.vector_store().add("a", [0.1, 0.2])
    ```
    """

    _instance: ClassVar["ServiceRegistry | None"] = None

    def __init__(self, container: RegistryContainer | None = None) -> None:
        """Wrap `container`; without one, a new one with memory backends."""
        self.container: RegistryContainer = RegistryContainer() if container is None else container
        settings = self.container.settings()
        add_configured_backends(self.container, settings)
        self._registrations = Registrations(self.container)
        self._aggregates = {backend_type: self._registrations.aggregate(backend_type) for backend_type in BackendType}
        self._services = ServiceMapping("service", self.container.services)
        self._repositories = ServiceMapping("repository", self.container.repositories)
        self._lifecycle = self.container.lifecycle()
        self._timeouts = settings.timeouts

    @classmethod
    def from_config(
        cls,
        environment: str | None = None,
        config_dir: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a registry over a new container; the arguments are those of `build_container`."""
        return cls(build_container(environment, config_dir, settings))

    @classmethod
    def get_instance(cls) -> Self:
        """Return the process-wide registry, made from the environment's configuration at first.

        Called on a subclass, it gives one of that class over the same container.
        """
        with _instance_lock:
            current = ServiceRegistry._instance
            if not isinstance(current, cls):
                current = cls(build_container() if current is None else current.container)
                ServiceRegistry._instance = current
            return current

    @classmethod
    def reset_instance(cls) -> None:
        """Forget the process-wide registry, so that the next `get_instance` makes another.

        For tests: where backends are open, `await registry.shutdown()` instead, else it is a `ResourceWarning`.
        """
        with _instance_lock:
            current, ServiceRegistry._instance = ServiceRegistry._instance, None
        if current is not None and current._lifecycle.holds_any:
            warnings.warn("The process-wide registry was forgotten with open backends", ResourceWarning, stacklevel=2)

    # Backends

    @overload
    async def register_backend(
        self,
        backend_type: Literal[BackendType.VECTOR_STORE],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> VectorStoreBackend: ...
    @overload
    async def register_backend(
        self,
        backend_type: Literal[BackendType.KNOWLEDGE_GRAPH],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> KnowledgeGraphBackend: ...
    @overload
    async def register_backend(
        self,
        backend_type: Literal[BackendType.CHECKPOINT_STORE],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> CheckpointStoreBackend: ...
    @overload
    async def register_backend(
        self,
        backend_type: BackendType,
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> StorageBackend: ...
    async def register_backend(
        self,
        backend_type: BackendType,
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> StorageBackend:
        """Add a backend, open it and return it; it is also the service `<type>_<name>`.

        It takes the place of a configured one that is not open. The same provider
        and configuration again give the same backend, concurrent calls too; a
        different one for a backend that is open raises `AlreadyRegisteredError`.
        """
        backend_type = BackendType(backend_type)
        check_id(provider_name, "provider_name")
        check_id(backend_name, "backend_name")
        if config is not None and not isinstance(config, Mapping):
            raise InvalidTypeError(f"config must be a mapping of options, not {type(config).__name__}.")
        backend = self._registrations.claim(backend_type, backend_name, provider_name, dict(config or {}))
        await self._lifecycle.open(backend, self._timeouts.open)
        try:
            self._registrations.place(backend_type, backend_name, backend)
        except AlreadyRegisteredError:
            await self._lifecycle.close(backend, self._timeouts.close)
            raise
        return backend

    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.VECTOR_STORE], backend_name: str = "default"
    ) -> VectorStoreBackend: ...
    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.KNOWLEDGE_GRAPH], backend_name: str = "default"
    ) -> KnowledgeGraphBackend: ...
    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.CHECKPOINT_STORE], backend_name: str = "default"
    ) -> CheckpointStoreBackend: ...
    @overload
    def get_backend(self, backend_type: BackendType, backend_name: str = "default") -> StorageBackend: ...
    def get_backend(self, backend_type: BackendType, backend_name: str = "default") -> StorageBackend:
        """Return an open backend.

        Raises `BackendNotFoundError` with the names there are, or
        `BackendNotOpenError`. What a test overrides in the container is seen.
        """
        try:
            backend: StorageBackend = self._aggregates[backend_type](backend_name)
            if backend._loop is not None and backend.backend_type == backend_type:  # the short way, for speed
                return backend
        except (KeyError, NoSuchProviderError, AttributeError):
            pass
        backend_type = BackendType(backend_type)
        found = self._registrations.find(backend_type, backend_name)
        if found is None:
            raise self._not_found(backend_type, backend_name)
        if found.is_open:
            return found
        raise BackendNotOpenError(
            f"{found} is not open.",
            "Open everything with `async with registry:` or `await registry.open()`, "
            f"or just this with `await registry.open_backend(BackendType.{backend_type.name}, {backend_name!r})`.",
        )

    def _not_found(self, backend_type: BackendType, name: str) -> BackendNotFoundError:
        return BackendNotFoundError(
            f"There is no {backend_type} {name!r}. {hint(name, self.list_backends(backend_type))} "
            "Add it to the configuration, or await registry.register_backend(...)."
        )

    def vector_store(self, name: str = "default") -> VectorStoreBackend:
        """Return an open vector store; raises as `get_backend` does."""
        return self.get_backend(BackendType.VECTOR_STORE, name)

    def knowledge_graph(self, name: str = "default") -> KnowledgeGraphBackend:
        """Return an open knowledge graph; raises as `get_backend` does."""
        return self.get_backend(BackendType.KNOWLEDGE_GRAPH, name)

    def checkpoint_store(self, name: str = "default") -> CheckpointStoreBackend:
        """Return an open checkpoint store; raises as `get_backend` does."""
        return self.get_backend(BackendType.CHECKPOINT_STORE, name)

    def list_backends(self, backend_type: BackendType) -> list[str]:
        """Return the sorted names of the backends of a type, open or not."""
        return self._registrations.names(BackendType(backend_type))

    # Lifecycle

    async def open(self) -> None:
        """Open every backend there is, at once; all or none.

        Raises a `BackendErrorGroup` of everything that went wrong.
        """
        backends: list[StorageBackend] = []
        errors: list[Exception] = []
        for backend_type in BackendType:
            for name in self.list_backends(backend_type):
                try:
                    if (backend := self._registrations.find(backend_type, name)) is not None:
                        backends.append(backend)
                except Exception as error:
                    errors.append(error)
        if errors:
            raise BackendErrorGroup("Not all backends could be built, so none is opened", errors)
        await self._lifecycle.open_all(backends, self._timeouts.open)

    @overload
    async def open_backend(
        self, backend_type: Literal[BackendType.VECTOR_STORE], backend_name: str = "default"
    ) -> VectorStoreBackend: ...
    @overload
    async def open_backend(
        self, backend_type: Literal[BackendType.KNOWLEDGE_GRAPH], backend_name: str = "default"
    ) -> KnowledgeGraphBackend: ...
    @overload
    async def open_backend(
        self, backend_type: Literal[BackendType.CHECKPOINT_STORE], backend_name: str = "default"
    ) -> CheckpointStoreBackend: ...
    @overload
    async def open_backend(self, backend_type: BackendType, backend_name: str = "default") -> StorageBackend: ...
    async def open_backend(self, backend_type: BackendType, backend_name: str = "default") -> StorageBackend:
        """Open one backend unless it is open, and return it; concurrent calls open it once."""
        backend = self._registrations.find(BackendType(backend_type), backend_name)
        if backend is None:
            raise self._not_found(backend_type, backend_name)
        await self._lifecycle.open(backend, self._timeouts.open)
        return backend

    async def close(self) -> None:
        """Close what was opened, the last first, each under a timeout; `open` works again.

        Raises a `BackendErrorGroup` of everything that went wrong, after all were tried.
        """
        await self._lifecycle.close_all(self._timeouts.close)

    async def shutdown(self) -> None:
        """Close everything, then forget services, repositories and backends.

        If it was the process-wide registry, the next `get_instance` makes another.
        """
        try:
            await self.close()
        finally:
            with _instance_lock:
                current = ServiceRegistry._instance
                if current is not None and current.container is self.container:
                    ServiceRegistry._instance = None
            self._registrations.clear()
            self.services.clear()
            self.repositories.clear()

    async def health(self) -> list[Health]:
        """Return how each backend is, by type and name; each is asked under a timeout. Never raises."""
        keys = [(kind, name) for kind in BackendType for name in self.list_backends(kind)]
        return await asyncio.gather(*(self._check(kind, name) for kind, name in keys))

    async def _check(self, backend_type: BackendType, name: str) -> Health:
        try:
            backend = self._registrations.find(backend_type, name)
        except Exception as error:
            detail = public_text(error)
            return {"type": backend_type, "name": name, "status": "failing", "latency": 0.0, "detail": detail}
        if backend is None:  # it was forgotten since
            return {"type": backend_type, "name": name, "status": "closed", "latency": 0.0, "detail": "not open"}
        return {**await check_health(backend, self._timeouts.health), "name": name}

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def in_thread(self) -> BlockingRegistry:
        """Return this without `await`: `with` opens it on an event loop of its own, on a thread."""
        return BlockingRegistry(self)

    def __repr__(self) -> str:
        names = [f"{kind}: {', '.join(self.list_backends(kind)) or 'none'}" for kind in BackendType]
        return f"<{type(self).__name__}, {'; '.join(names)}>"

    # Services and repositories

    @property
    def services(self) -> ServiceMapping:
        """The services by name; assigning a dictionary replaces them."""
        return self._services

    @services.setter
    def services(self, services: Mapping[str, Any]) -> None:
        self._services.replace(services)

    @property
    def repositories(self) -> ServiceMapping:
        """The repositories by name; assigning a dictionary replaces them."""
        return self._repositories

    @repositories.setter
    def repositories(self, repositories: Mapping[str, Any]) -> None:
        self._repositories.replace(repositories)

    def register_service(self, name: str, service: Any) -> None:
        """Keep an object, or a dependency-injector provider that is called on each get."""
        self.services[name] = service

    def get_service(self, name: str) -> Any:
        """Return a service; raises `ServiceNotFoundError` with the names there are."""
        return self.services[name]

    def register_repository(self, name: str, repository: Any) -> None:
        """Keep an object, or a dependency-injector provider that is called on each get."""
        self.repositories[name] = repository

    def get_repository(self, name: str) -> Any:
        """Return a repository; raises `ServiceNotFoundError` with the names there are."""
        return self.repositories[name]
