"""Generated from `ServiceRegistry` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Mapping
from typing import Any, Literal, overload

from symphony_registry.backends.lifecycle import Health
from symphony_registry.backends.storage import BackendType
from symphony_registry.blocking.generated.backend import BlockingBackend
from symphony_registry.blocking.generated.checkpoint_store import BlockingCheckpointStore
from symphony_registry.blocking.generated.knowledge_graph import BlockingKnowledgeGraph
from symphony_registry.blocking.generated.vector_store import BlockingVectorStore
from symphony_registry.blocking.registry_target import RegistryTarget
from symphony_registry.services import ServiceMapping


class RegistryOperations(RegistryTarget):
    """A `ServiceRegistry` without `await`."""

    @overload
    def register_backend(
        self,
        backend_type: Literal[BackendType.VECTOR_STORE],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> BlockingVectorStore: ...

    @overload
    def register_backend(
        self,
        backend_type: Literal[BackendType.KNOWLEDGE_GRAPH],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> BlockingKnowledgeGraph: ...

    @overload
    def register_backend(
        self,
        backend_type: Literal[BackendType.CHECKPOINT_STORE],
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> BlockingCheckpointStore: ...

    @overload
    def register_backend(
        self,
        backend_type: BackendType,
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> BlockingBackend: ...

    def register_backend(
        self,
        backend_type: BackendType,
        provider_name: str,
        backend_name: str = "default",
        config: Mapping[str, Any] | None = None,
    ) -> BlockingBackend:
        """Add a backend, open it and return it; it is also the service `<type>_<name>`."""
        return self._blocking(
            self._call(self._target.register_backend, backend_type, provider_name, backend_name, config)
        )

    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.VECTOR_STORE], backend_name: str = "default"
    ) -> BlockingVectorStore: ...

    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.KNOWLEDGE_GRAPH], backend_name: str = "default"
    ) -> BlockingKnowledgeGraph: ...

    @overload
    def get_backend(
        self, backend_type: Literal[BackendType.CHECKPOINT_STORE], backend_name: str = "default"
    ) -> BlockingCheckpointStore: ...

    @overload
    def get_backend(self, backend_type: BackendType, backend_name: str = "default") -> BlockingBackend: ...

    def get_backend(self, backend_type: BackendType, backend_name: str = "default") -> BlockingBackend:
        """Return an open backend."""
        return self._blocking(self._opened(self._target.get_backend, backend_type, backend_name))

    def vector_store(self, name: str = "default") -> BlockingVectorStore:
        """Return an open vector store; raises as `get_backend` does."""
        return BlockingVectorStore(self._opened(self._target.vector_store, name), self._loop)

    def knowledge_graph(self, name: str = "default") -> BlockingKnowledgeGraph:
        """Return an open knowledge graph; raises as `get_backend` does."""
        return BlockingKnowledgeGraph(self._opened(self._target.knowledge_graph, name), self._loop)

    def checkpoint_store(self, name: str = "default") -> BlockingCheckpointStore:
        """Return an open checkpoint store; raises as `get_backend` does."""
        return BlockingCheckpointStore(self._opened(self._target.checkpoint_store, name), self._loop)

    def list_backends(self, backend_type: BackendType) -> list[str]:
        """Return the sorted names of the backends of a type, open or not."""
        return self._target.list_backends(backend_type)

    def open(self) -> None:
        """Open every backend there is, at once; all or none."""
        self._call(self._target.open)

    @overload
    def open_backend(
        self, backend_type: Literal[BackendType.VECTOR_STORE], backend_name: str = "default"
    ) -> BlockingVectorStore: ...

    @overload
    def open_backend(
        self, backend_type: Literal[BackendType.KNOWLEDGE_GRAPH], backend_name: str = "default"
    ) -> BlockingKnowledgeGraph: ...

    @overload
    def open_backend(
        self, backend_type: Literal[BackendType.CHECKPOINT_STORE], backend_name: str = "default"
    ) -> BlockingCheckpointStore: ...

    @overload
    def open_backend(self, backend_type: BackendType, backend_name: str = "default") -> BlockingBackend: ...

    def open_backend(self, backend_type: BackendType, backend_name: str = "default") -> BlockingBackend:
        """Open one backend unless it is open, and return it; concurrent calls open it once."""
        return self._blocking(self._call(self._target.open_backend, backend_type, backend_name))

    def close(self) -> None:
        """Close what was opened, the last first, each under a timeout; `open` works again."""
        self._call(self._target.close)

    def shutdown(self) -> None:
        """Close everything, then forget services, repositories and backends."""
        self._call(self._target.shutdown)

    def health(self) -> list[Health]:
        """Return how each backend is, by type and name; each is asked under a timeout. Never raises."""
        return self._call(self._target.health)

    @property
    def services(self) -> ServiceMapping:
        """The services by name; assigning a dictionary replaces them."""
        return self._target.services

    @services.setter
    def services(self, services: Mapping[str, Any]) -> None:
        self._target.services = services

    @property
    def repositories(self) -> ServiceMapping:
        """The repositories by name; assigning a dictionary replaces them."""
        return self._target.repositories

    @repositories.setter
    def repositories(self, repositories: Mapping[str, Any]) -> None:
        self._target.repositories = repositories

    def register_service(self, name: str, service: Any) -> None:
        """Keep an object, or a dependency-injector provider that is called on each get."""
        self._target.register_service(name, service)

    def get_service(self, name: str) -> Any:
        """Return a service; raises `ServiceNotFoundError` with the names there are."""
        return self._target.get_service(name)

    def register_repository(self, name: str, repository: Any) -> None:
        """Keep an object, or a dependency-injector provider that is called on each get."""
        self._target.register_repository(name, repository)

    def get_repository(self, name: str) -> Any:
        """Return a repository; raises `ServiceNotFoundError` with the names there are."""
        return self._target.get_repository(name)
