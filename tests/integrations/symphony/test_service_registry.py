"""An application that is written for the framework finds in our registry what it finds in the framework's."""

import asyncio
import importlib
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import pytest

import symphony_registry
from symphony_registry import BackendType, StorageBackendFactory
from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import BackendNotFoundError, ProviderImportError
from symphony_registry.integrations.symphony import ServiceRegistry

REPOSITORIES = {name: f"repository of {name}" for name in ("agent_config", "task", "workflow")}
CLASSES = {
    "agent_factory": "symphony.core.agent_factory:AgentFactory",
    "task_manager": "symphony.core.task_manager:TaskManager",
    "workflow_tracker": "symphony.execution.workflow_tracker:WorkflowTracker",
    "enhanced_executor": "symphony.execution.enhanced_agent:EnhancedExecutor",
    "task_router": "symphony.execution.router:TaskRouter",
}
GETTERS = sorted(CLASSES)


def registry_with(*repositories: str) -> ServiceRegistry:
    registry = ServiceRegistry()
    for name in repositories:
        registry.register_repository(name, REPOSITORIES[name])
    return registry


def get(registry: ServiceRegistry, name: str, *arguments: Any) -> Any:
    return getattr(registry, f"get_{name}")(*arguments)


class TestServices:
    @pytest.mark.usefixtures("framework")
    @pytest.mark.parametrize("name", GETTERS)
    def test_a_service_is_built_once_with_the_frameworks_class_and_registered(self, name: str) -> None:
        registry = registry_with(*REPOSITORIES)
        module, _, cls = CLASSES[name].partition(":")
        service = get(registry, name)
        assert type(service) is getattr(importlib.import_module(module), cls)
        assert get(registry, name) is service is registry.get_service(name)

    @pytest.mark.parametrize("name", GETTERS)
    def test_a_service_that_is_registered_is_returned(self, name: str) -> None:
        registry = ServiceRegistry()
        registry.register_service(name, "mine")
        assert get(registry, name) == "mine"

    @pytest.mark.usefixtures("framework")
    def test_a_service_gets_the_repositories_that_the_framework_gives_it(self) -> None:
        registry = registry_with(*REPOSITORIES)
        task, workflow, agents = (REPOSITORIES[name] for name in ("task", "workflow", "agent_config"))
        assert get(registry, "agent_factory").given == (agents,)
        assert get(registry, "task_manager").given == (task,)
        assert get(registry, "workflow_tracker").given == (workflow, task)
        assert get(registry, "enhanced_executor").given == (task, get(registry, "workflow_tracker"))
        assert get(registry, "task_router", "by content").given == (agents, "by content")

    @pytest.mark.usefixtures("framework")
    def test_what_is_optional_may_be_missing(self) -> None:
        assert get(ServiceRegistry(), "agent_factory").given == (None,)
        assert get(registry_with("task"), "enhanced_executor").given == (REPOSITORIES["task"], None)
        assert get(registry_with("agent_config"), "task_router").given == (REPOSITORIES["agent_config"],)

    @pytest.mark.parametrize(
        ("name", "repositories", "missing"),
        [
            ("task_manager", (), "Task"),
            ("workflow_tracker", ("task",), "Workflow"),
            ("workflow_tracker", ("workflow",), "Task"),
            ("enhanced_executor", (), "Task"),
            ("task_router", (), "Agent config"),
        ],
    )
    def test_a_repository_that_is_missing_is_named(
        self, name: str, repositories: tuple[str, ...], missing: str
    ) -> None:
        with pytest.raises(
            ValueError, match=f"^{missing} repository not registered. Call registry.register_repository"
        ):
            get(registry_with(*repositories), name)

    @pytest.mark.parametrize("name", GETTERS)
    def test_without_the_framework_an_error_says_what_to_do(self, name: str) -> None:
        with pytest.raises(ProviderImportError, match=r"Install the Symphony framework, or .*register_service"):
            get(registry_with(*REPOSITORIES), name)

    def test_a_mock_of_the_class_has_what_the_framework_calls(self) -> None:
        registry = MagicMock(spec=ServiceRegistry)
        for name in GETTERS:
            get(registry, name)
        registry.get_repository("task")


class TestProcessWideRegistry:
    def test_it_shares_everything_with_the_registry_of_this_package(self) -> None:
        plain = symphony_registry.ServiceRegistry.get_instance()
        registry = ServiceRegistry.get_instance()
        assert isinstance(registry, ServiceRegistry)
        assert registry.container is plain.container
        assert symphony_registry.ServiceRegistry.get_instance() is registry

    def test_setting_the_instance_to_none_resets_it(self) -> None:
        first = ServiceRegistry.get_instance()
        ServiceRegistry._instance = None
        assert symphony_registry.ServiceRegistry._instance is None
        second = ServiceRegistry.get_instance()
        assert second is not first
        assert second.container is not first.container

    def test_a_patched_instance_is_put_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = ServiceRegistry.get_instance()
        with patch.object(ServiceRegistry, "_instance", None):
            assert ServiceRegistry.get_instance() is not first
        with monkeypatch.context() as patched:
            patched.setattr(ServiceRegistry, "_instance", None)
            assert ServiceRegistry.get_instance() is not first


class TestBackends:
    async def test_a_backend_that_the_factory_made_is_found_by_the_registry(self) -> None:
        registry = ServiceRegistry()
        for name in ("default", "made"):
            made = await StorageBackendFactory.create_backend(BackendType.VECTOR_STORE, "memory", name)
            assert registry.get_backend(BackendType.VECTOR_STORE, name) is made
        await StorageBackendFactory.shutdown_all()
        with pytest.raises(BackendNotFoundError, match="made"):
            registry.get_backend(BackendType.VECTOR_STORE, "made")

    async def test_a_backend_of_the_registry_comes_before_one_of_the_factory(self) -> None:
        registry = ServiceRegistry()
        await StorageBackendFactory.create_backend(BackendType.VECTOR_STORE, "memory")
        own = await registry.register_backend(BackendType.VECTOR_STORE, "memory")
        assert registry.get_backend(BackendType.VECTOR_STORE) is own
        await registry.shutdown()
        await StorageBackendFactory.shutdown_all()

    @pytest.mark.parametrize("cls", [FileVectorStore, FileKnowledgeGraph, FileCheckpointStore])
    def test_a_file_backend_takes_its_directory_and_the_frameworks_lifecycle(self, cls: Any, tmp_path: Path) -> None:
        async def use(directory: str | Path) -> None:
            backend = cls(directory)
            await backend.initialize({})
            await backend.connect()
            assert await backend.health_check()
            await backend.disconnect()

        asyncio.run(use(str(tmp_path / "text")))
        asyncio.run(use(tmp_path / "path"))
        assert {entry.name for entry in tmp_path.iterdir()} == {"text", "path"}

    async def test_a_memory_backend_needs_nothing(self) -> None:
        async with InMemoryVectorStore() as store:
            await store.add("a", [1.0])
            assert await store.count() == 1
