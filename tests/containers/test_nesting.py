"""The container inside that of a larger application: settings in layers, and named stores."""

from pathlib import Path
from typing import Any

import pytest
from dependency_injector import containers, providers

from symphony_registry import BackendType
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.containers import RegistryContainer, layered_settings
from symphony_registry.errors import BackendNotFoundError, BackendNotOpenError, ConfigurationError


class Application(containers.DeclarativeContainer):
    config = providers.Configuration()
    storage = providers.Container(
        RegistryContainer,
        settings=providers.ThreadSafeSingleton(
            layered_settings, config.environment, config.config_dir, config.storage
        ),
    )
    service: providers.Provider[dict[str, Any]] = providers.Factory(
        dict, default=storage.vector_store, notes=storage.registry.provided.vector_store.call("my-notes")
    )


@pytest.fixture
def application(tmp_path: Path) -> Application:
    (tmp_path / "base.yaml").write_text("vector_stores: {default: {provider: memory}, my-notes: {provider: memory}}")
    (tmp_path / "production.yaml").write_text(
        f"vector_stores: {{my-notes: {{provider: file, options: {{path: '${{DATA:-{tmp_path}}}/notes'}}}}}}"
    )
    application = Application()
    application.config.config_dir.from_value(str(tmp_path))
    return application


async def test_layers_and_named_stores_reach_the_application_s_own_services(
    application: Application, tmp_path: Path
) -> None:
    application.config.environment.from_value("production")
    async with application.storage.registry() as registry:
        service = application.service()
        assert service["default"] is registry.vector_store()
        assert service["notes"] is registry.vector_store("my-notes")
        assert isinstance(service["notes"], FileVectorStore)
        assert registry.list_backends(BackendType.VECTOR_STORE) == ["default", "my-notes"]
    assert (tmp_path / "notes").is_dir()


async def test_variables_and_the_application_s_own_settings_lie_over_the_files(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__MY_NOTES__OPTIONS__METRIC", "dot")
    application.config.storage.from_dict({"vector_stores": {"my-notes": {"options": {"dimension": 3}}}})
    async with application.storage.registry():
        assert application.service()["notes"].config == {"metric": "dot", "dimension": 3}


def test_a_mistake_has_its_place_there_too(application: Application, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("vector_stores:\n  default: {provider: memroy}\n")
    with pytest.raises(ConfigurationError, match=r'base\.yaml:2: vector_stores\.default\.provider: .*"memory"'):
        application.storage.registry()


def test_a_named_store_before_the_registry_is_open_says_what_to_do(application: Application) -> None:
    with pytest.raises(BackendNotOpenError, match=r'"my-notes" .* is not open\. Open everything with `async with'):
        application.service()


async def test_a_name_that_is_not_configured_says_which_are(application: Application) -> None:
    async with application.storage.registry() as registry:
        with pytest.raises(BackendNotFoundError, match='Did you mean "my-notes"'):
            registry.vector_store("my_notes")


async def test_a_test_overrides_a_named_store_by_its_name(application: Application) -> None:
    registry = application.storage.registry()
    fake = InMemoryVectorStore()
    with registry.container.vector_stores.providers["my-notes"].override(fake):
        async with registry:
            assert application.service()["notes"] is fake


async def test_a_test_chooses_its_own_settings(application: Application) -> None:
    settings = layered_settings(settings={"vector_stores": {"my-notes": {"provider": "memory"}}})
    with application.storage.settings.override(settings):
        async with application.storage.registry():
            assert isinstance(application.service()["notes"], InMemoryVectorStore)


def test_two_applications_share_nothing(application: Application, tmp_path: Path) -> None:
    other = Application()
    other.config.config_dir.from_value(str(tmp_path))
    assert other.storage.vector_store() is not application.storage.vector_store()
    assert other.storage.settings() is not application.storage.settings()
