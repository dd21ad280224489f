"""Containers: composition, overriding, nesting, named backends."""

import threading
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import containers, providers
from pydantic import BaseModel

from symphony_registry import BackendProvider, BackendType, ServiceRegistry, StorageBackendFactory
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.lookup import ProviderTable
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.backends.vector_store.base import VectorOptions
from symphony_registry.checking import check
from symphony_registry.containers import RegistryContainer, build_container
from symphony_registry.errors import BackendNotFoundError, ConfigurationError, InvalidValueError, ProviderTypeError
from symphony_registry.providers import PRODUCTS
from symphony_registry.settings import BackendSettings, RegistrySettings
from symphony_registry.settings.layers import read_layers
from tests.helpers.fakes import FakeStore


def test_without_configuration_there_is_one_memory_backend_of_each_type() -> None:
    container = RegistryContainer()
    backends = (container.vector_store(), container.knowledge_graph(), container.checkpoint_store())
    assert [(backend.backend_type, backend.name) for backend in backends] == [(kind, "default") for kind in BackendType]
    assert container.registry().list_backends(BackendType.VECTOR_STORE) == ["default"]


def test_providers_open_nothing(tmp_path: Path) -> None:
    container = build_container(
        settings={"vector_stores": {"default": {"provider": "file", "options": {"path": tmp_path / "v"}}}}
    )
    assert not container.vector_store().is_open
    assert not (tmp_path / "v").exists()


def test_settings_name_any_number_of_backends() -> None:
    container = build_container(
        settings={"vector_stores": {"docs": {"provider": "memory"}, "a.b": {"provider": "memory"}}}
    )
    assert container.vector_stores("docs") is container.vector_stores("docs")
    assert container.vector_stores("docs") is not container.vector_stores("default")
    assert container.registry().list_backends(BackendType.VECTOR_STORE) == ["a.b", "default", "docs"]


def test_eight_threads_get_one_backend() -> None:
    container = RegistryContainer()
    found: list[Any] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(container.vector_store())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_two_containers_never_share_backends() -> None:
    assert RegistryContainer().vector_store() is not RegistryContainer().vector_store()


def test_without_a_default_there_is_none() -> None:
    container = build_container(settings={"vector_stores": {"default": None, "docs": {"provider": "memory"}}})
    assert container.registry().list_backends(BackendType.VECTOR_STORE) == ["docs"]
    with pytest.raises(BackendNotFoundError, match=r'no vector_store "default" in the settings\. Known: docs'):
        container.vector_store()


class TestOverriding:
    async def test_an_override_of_either_path_is_one_of_both(self) -> None:
        container = RegistryContainer()
        async with container.registry() as registry, InMemoryVectorStore() as fake:
            real = registry.vector_store()
            for provider in (container.vector_store, container.vector_stores.providers["default"]):
                with provider.override(fake):
                    assert container.vector_store() is container.vector_stores("default") is fake
                    assert registry.vector_store() is fake
                assert registry.vector_store() is real

    async def test_an_overriding_backend_is_opened_and_closed_with_the_others(self) -> None:
        fake = InMemoryVectorStore()
        container = build_container(environment="test")
        with container.vector_store.override(fake):
            async with container.registry() as registry:
                assert registry.vector_store() is fake
            assert not fake.is_open

    async def test_a_backend_of_another_type_is_refused(self) -> None:
        container = RegistryContainer()
        with container.vector_store.override(InMemoryKnowledgeGraph()):
            with pytest.raises(ExceptionGroup) as caught:
                await container.registry().open()
            assert isinstance(caught.value.exceptions[0], ProviderTypeError)
            assert "InMemoryKnowledgeGraph, which is not a VectorStoreBackend" in str(caught.value.exceptions[0])

    async def test_a_default_that_is_not_configured_can_be_overridden_too(self) -> None:
        container = build_container(settings={"vector_stores": {"default": None, "docs": {"provider": "memory"}}})
        registry = container.registry()
        with container.vector_store.override(InMemoryVectorStore()):
            async with registry:
                assert registry.vector_store() is container.vector_store()
                assert registry.list_backends(BackendType.VECTOR_STORE) == ["default", "docs"]
        assert registry.list_backends(BackendType.VECTOR_STORE) == ["docs"]

    async def test_a_named_backend_is_overridden_by_its_name(self) -> None:
        container = build_container(settings={"vector_stores": {"docs": {"provider": "memory"}}})
        fake = InMemoryVectorStore()
        with container.vector_stores.docs.override(fake):
            async with container.registry() as registry:
                assert registry.vector_store("docs") is fake

    def test_a_changed_setting_is_an_override_too(self, tmp_path: Path) -> None:
        container = build_container(environment="test")
        container.config.set("vector_stores.default", {"provider": "file", "options": {"path": tmp_path}})
        assert isinstance(container.vector_store(), FileVectorStore)

    def test_a_wrong_setting_is_a_configuration_error(self) -> None:
        container = RegistryContainer(config={"vector_stores": {"default": {"provider": "memroy"}}})
        with pytest.raises(ConfigurationError, match=r'container\.config: .*Did you mean "memory"'):
            container.registry()


def test_a_setting_that_does_not_exist_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="no key 'vector_store'"):
        build_container(settings={"vector_store": {}})


class TestLookingUpOnce:
    """The way from a provider's name in YAML to an open backend."""

    YAML = """
vector_stores:
  default: {provider: memory, options: {dimension: 2}}
  docs: {provider: "symphony_registry.backends.vector_store:InMemoryVectorStore", options: {dimension: 3}}
knowledge_graphs:
  default: {provider: file, options: {path: PATH}}
"""

    @pytest.fixture
    def looked_up(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return the names of providers that are looked up from now on."""
        names: list[str] = []
        find = ProviderTable.find

        def counted(table: ProviderTable, backend_type: BackendType, name: str) -> BackendProvider:
            names.append(name)
            return find(table, backend_type, name)

        monkeypatch.setattr(ProviderTable, "find", counted)
        return names

    @pytest.fixture
    def validated(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Return the models that options are validated with from now on."""
        models: list[str] = []

        def counted(model: type[BaseModel], /, given: Any, **more: Any) -> BaseModel:
            models.append(model.__name__)
            return BaseModel.model_validate.__func__(model, given, **more)  # type: ignore[attr-defined,no-any-return]

        monkeypatch.setattr(BackendOptions, "model_validate", classmethod(counted))
        return models

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        (tmp_path / "base.yaml").write_text(self.YAML.replace("PATH", str(tmp_path / "graph")))
        return tmp_path

    async def test_each_provider_is_looked_up_and_its_options_are_validated_once(
        self, directory: Path, looked_up: list[str], validated: list[str]
    ) -> None:
        async with ServiceRegistry.from_config(config_dir=directory) as registry:
            assert registry.vector_store("docs").config == {"dimension": 3}
            assert await registry.vector_store("docs").dimension() == 3
            assert await registry.vector_store().dimension() == 2
        assert sorted(looked_up) == ["file", "memory", "symphony_registry.backends.vector_store:InMemoryVectorStore"]
        assert sorted(validated) == ["FileOptions", "HNSWOptions", "HNSWOptions"]

    async def test_a_container_without_files_looks_up_once_too(
        self, looked_up: list[str], validated: list[str]
    ) -> None:
        async with RegistryContainer(config={"vector_stores": {"a": {"provider": "memory"}}}).registry():
            pass
        assert (looked_up, validated) == (["memory"], ["HNSWOptions"])

    async def test_checking_a_configuration_looks_up_once_too(
        self, directory: Path, looked_up: list[str], validated: list[str]
    ) -> None:
        assert {each.status for each in await check(read_layers(config_dir=directory))} == {"ok"}
        assert (len(looked_up), len(validated)) == (3, 3)

    def test_what_was_changed_since_is_validated_anew(self, directory: Path) -> None:
        container = build_container(config_dir=directory)
        container.config.set("vector_stores.docs.options.dimension", 0)
        with pytest.raises(ConfigurationError, match=r"container\.config: vector_stores\.docs\.options\.dimension"):
            container.vector_stores("docs")

    def test_options_that_a_provider_changes_are_validated_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Provider:
            Options = VectorOptions

            @staticmethod
            def create_backend(config: Any = None) -> InMemoryVectorStore:
                config["dimension"] = "many"
                return InMemoryVectorStore(config)

        monkeypatch.setattr(StorageBackendFactory, "_providers", ProviderTable(PRODUCTS))
        StorageBackendFactory.register_provider(BackendType.VECTOR_STORE, "changing", Provider)
        settings = {"vector_stores": {"default": {"provider": "changing", "options": {"dimension": 3}}}}
        with pytest.raises(InvalidValueError, match="dimension: input should be a valid integer"):
            build_container(settings=settings).vector_store()

    def test_a_factory_of_the_application_s_own_resolves_names_itself(self, directory: Path) -> None:
        class Factory(StorageBackendFactory):
            @classmethod
            def get_provider(cls, backend_type: BackendType, provider_name: str) -> BackendProvider:
                return super().get_provider(backend_type, "tests.helpers.fakes:FakeStore")

        container = build_container(config_dir=directory)
        with container.factory.override(Factory()):
            assert isinstance(container.vector_store(), FakeStore)

    def test_settings_that_override_those_of_the_files_count(self, directory: Path) -> None:
        container = build_container(config_dir=directory)
        settings = RegistrySettings(vector_stores={"default": BackendSettings(provider="tests.helpers.fakes:FakeStore")})
        with container.settings.override(settings):
            assert isinstance(container.vector_store(), FakeStore)


class TestNesting:
    class Application(containers.DeclarativeContainer):
        config = providers.Configuration()
        storage = providers.Container(RegistryContainer, config=config.storage)
        service: providers.Provider[dict[str, Any]] = providers.Singleton(dict, store=storage.vector_store)

    async def test_a_larger_application_wires_our_backends_into_its_own_providers(self) -> None:
        application = self.Application()
        application.config.from_dict(
            {"storage": {"vector_stores": {"default": {"provider": "memory"}, "docs": {"provider": "memory"}}}}
        )
        async with application.storage.registry() as registry:
            assert application.service()["store"] is registry.vector_store()
            assert registry.vector_store("docs").is_open
            assert registry.list_backends(BackendType.KNOWLEDGE_GRAPH) == []

    def test_an_override_is_seen_by_what_depends_on_it(self) -> None:
        application = self.Application()
        with application.storage.vector_store.override("fake"):
            assert application.service()["store"] == "fake"


def test_the_registry_of_a_container_is_one() -> None:
    container = RegistryContainer()
    assert container.registry() is container.registry()
    assert isinstance(container.registry(), ServiceRegistry)
