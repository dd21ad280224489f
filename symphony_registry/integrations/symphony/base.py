"""The framework's `ServiceRegistry`: ours, and the services that the framework builds from repositories."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from symphony_registry import registry
from symphony_registry.backends.base import BackendType, StorageBackend, StorageBackendFactory
from symphony_registry.errors import (
    BackendNotFoundError,
    BackendNotOpenError,
    ProviderImportError,
    ServiceNotFoundError,
)

__all__ = ["BackendType", "ServiceRegistry", "StorageBackend", "StorageBackendFactory"]


class _ProcessWide(type):
    """Makes `_instance`, which tests of the framework set to `None`, the one that all registries share."""

    @property
    def _instance(cls) -> registry.ServiceRegistry | None:
        return registry.ServiceRegistry._instance

    @_instance.setter
    def _instance(cls, instance: registry.ServiceRegistry | None) -> None:
        registry.ServiceRegistry._instance = instance


class ServiceRegistry(registry.ServiceRegistry, metaclass=_ProcessWide):
    """The registry of an application that is written for the Symphony framework.

    A `get_...` returns the service of that name, else builds it from the
    repositories with the framework's class and registers it; it raises
    `ServiceNotFoundError`, a `ValueError`, where a repository is missing.
    """

    _instance: ClassVar[registry.ServiceRegistry | None] = None  # what is patched has to be here; the metaclass has it

    if not TYPE_CHECKING:  # the types are those of the class above

        def get_backend(self, backend_type, backend_name="default"):  # noqa: ANN001, ANN201
            """Return an open backend, of this registry or else of the factory."""
            try:
                return super().get_backend(backend_type, backend_name)
            except (BackendNotFoundError, BackendNotOpenError):
                found = StorageBackendFactory.get_backend(backend_type, backend_name)
                if found is None:
                    raise
                return found

    def get_agent_factory(self) -> Any:
        """Return the `AgentFactory`, over the repository `agent_config` if there is one."""
        return self._service(
            "agent_factory", "symphony.core.agent_factory:AgentFactory", lambda: [self.repositories.get("agent_config")]
        )

    def get_task_manager(self) -> Any:
        """Return the `TaskManager`, over the repository `task`."""
        return self._service(
            "task_manager", "symphony.core.task_manager:TaskManager", lambda: [self._repository("task")]
        )

    def get_workflow_tracker(self) -> Any:
        """Return the `WorkflowTracker`, over the repositories `workflow` and `task`."""
        return self._service(
            "workflow_tracker",
            "symphony.execution.workflow_tracker:WorkflowTracker",
            lambda: [self._repository("workflow"), self._repository("task")],
        )

    def get_enhanced_executor(self) -> Any:
        """Return the `EnhancedExecutor`, over the repository `task`, with a workflow tracker if there can be one."""
        return self._service(
            "enhanced_executor",
            "symphony.execution.enhanced_agent:EnhancedExecutor",
            lambda: [self._repository("task"), self._tracker_or_none()],
        )

    def get_task_router(self, strategy: Any = None) -> Any:
        """Return the `TaskRouter`, over the repository `agent_config`; without a `strategy`, by capability."""
        return self._service(
            "task_router",
            "symphony.execution.router:TaskRouter",
            lambda: [self._repository("agent_config"), *([] if strategy is None else [strategy])],
        )

    def _tracker_or_none(self) -> Any:
        try:
            return self.get_workflow_tracker()
        except ServiceNotFoundError:
            return None

    def _repository(self, name: str) -> Any:
        if name not in self.repositories:
            raise ServiceNotFoundError(
                f"{name.replace('_', ' ').capitalize()} repository not registered. "
                f"Call registry.register_repository({name!r}, ...) first."
            )
        return self.repositories[name]

    def _service(self, name: str, path: str, arguments: Callable[[], list[Any]]) -> Any:
        """Return a service; if there is none, first make it of the framework's class."""
        if name not in self.services:
            given = arguments()
            module, _, class_name = path.partition(":")
            try:
                make = getattr(import_module(module), class_name)
            except ImportError as error:
                raise ProviderImportError(
                    f"{path} could not be imported: {error}. Install the Symphony framework, "
                    f"or register a service of your own: registry.register_service({name!r}, ...).",
                    name=error.name,
                ) from error
            self.register_service(name, make(*given))
        return self.services[name]
