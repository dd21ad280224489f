"""The factory: providers by name, backends that are remembered process-wide."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from symphony_registry import BackendType, StorageBackendFactory, VectorStoreBackend
from symphony_registry.backends.lookup import ProviderTable
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import (
    AlreadyRegisteredError,
    BackendErrorGroup,
    ProviderNotFoundError,
    ProviderTypeError,
)
from symphony_registry.providers import PRODUCTS
from tests.helpers.fakes import FakeStore

VECTOR, GRAPH, CHECKPOINT = BackendType


@pytest.fixture(autouse=True)
async def _forgotten(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Give each test a table of its own, and close what it left open."""
    monkeypatch.setattr(StorageBackendFactory, "_providers", ProviderTable(PRODUCTS))
    yield
    await StorageBackendFactory.shutdown_all()


class FakeProvider:
    @staticmethod
    def create_backend(config: Mapping[str, Any] | None = None) -> InMemoryVectorStore:
        return FakeStore(config)


class TestProviders:
    def test_the_built_in_ones_are_listed_sorted(self) -> None:
        for backend_type in BackendType:
            assert StorageBackendFactory.list_providers(backend_type) == ["file", "memory", "postgres", "redis"]

    def test_a_registered_one_is_listed_and_used(self) -> None:
        StorageBackendFactory.register_provider(VECTOR, "my_custom", FakeProvider)
        assert StorageBackendFactory.list_providers(VECTOR) == ["file", "memory", "my_custom", "postgres", "redis"]
        assert isinstance(StorageBackendFactory.build(VECTOR, "my_custom"), FakeStore)
        assert StorageBackendFactory.list_providers(GRAPH) == ["file", "memory", "postgres", "redis"]

    def test_a_backend_class_serves_as_its_own_provider(self) -> None:
        StorageBackendFactory.register_provider(VECTOR, "fake", FakeStore)
        assert StorageBackendFactory.list_providers(VECTOR) == ["fake", "file", "memory", "postgres", "redis"]

    def test_a_taken_name_is_refused_unless_replaced(self) -> None:
        StorageBackendFactory.register_provider(VECTOR, "x", FakeProvider)
        StorageBackendFactory.register_provider(VECTOR, "x", FakeProvider)  # the same again is harmless
        StorageBackendFactory.register_provider(VECTOR, "memory", InMemoryVectorStore)
        for name, other in (("x", InMemoryVectorStore), ("memory", FakeProvider)):
            with pytest.raises(AlreadyRegisteredError, match="pass replace=True"):
                StorageBackendFactory.register_provider(VECTOR, name, other)
        StorageBackendFactory.register_provider(VECTOR, "memory", FakeProvider, replace=True)
        assert isinstance(StorageBackendFactory.build(VECTOR, "memory"), FakeStore)

    @pytest.mark.parametrize("provider", [object(), "memory", dict, None, len])
    def test_what_is_no_provider_is_refused(self, provider: object) -> None:
        with pytest.raises(ProviderTypeError, match="neither a vector_store backend class nor a provider"):
            StorageBackendFactory.register_provider(VECTOR, "x", provider)

    def test_a_provider_that_makes_something_else_is_refused(self) -> None:
        class Wrong:
            @staticmethod
            def create_backend(config: Mapping[str, Any] | None = None) -> Any:
                return "no backend"

        StorageBackendFactory.register_provider(VECTOR, "wrong", Wrong)
        with pytest.raises(ProviderTypeError, match=r"made a builtins\.str"):
            StorageBackendFactory.build(VECTOR, "wrong")
        StorageBackendFactory.register_provider(GRAPH, "vectors", FakeProvider)
        with pytest.raises(ProviderTypeError, match="made a vector_store, not a knowledge_graph"):
            StorageBackendFactory.build(GRAPH, "vectors")

    def test_a_class_is_found_by_its_path(self) -> None:
        for name in ("tests.helpers.fakes:FakeStore", "custom_provider:MyCustomVectorStore.Provider"):
            assert isinstance(StorageBackendFactory.build(VECTOR, name), VectorStoreBackend)

    def test_a_misspelt_class_names_the_backends_there_are(self) -> None:
        with pytest.raises(ProviderNotFoundError, match=r'Did you mean "FakeStore"\? Known: FakeStore, InMemoryVector'):
            StorageBackendFactory.build(VECTOR, "tests.helpers.fakes:FakeStor")


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Install two packages: both offer `twice`, one offers `fake` and `broken`."""
        for package, names in (("one", {"fake", "twice", "broken"}), ("two", {"twice"})):
            info = tmp_path / f"{package}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            targets = {"broken": "no_such_module:Store"}
            lines = [f"{name} = {targets.get(name, 'tests.helpers.fakes:FakeStore')}" for name in sorted(names)]
            (info / "entry_points.txt").write_text("[symphony_registry.vector_store]\n" + "\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(tmp_path)

    def test_they_are_listed_and_found(self) -> None:
        assert StorageBackendFactory.list_providers(VECTOR) == [
            "broken",
            "fake",
            "file",
            "memory",
            "postgres",
            "redis",
            "twice",
        ]
        assert isinstance(StorageBackendFactory.build(VECTOR, "fake"), FakeStore)

    def test_a_name_that_two_packages_offer_is_an_error_that_names_both(self) -> None:
        with pytest.raises(AlreadyRegisteredError, match=r"FakeStore of one, tests\.helpers\.fakes:FakeStore of two"):
            StorageBackendFactory.build(VECTOR, "twice")

    def test_one_that_cannot_be_imported_says_where_it_comes_from(self) -> None:
        with pytest.raises(ProviderNotFoundError, match=r"'broken' \(no_such_module:Store of one\) leads to"):
            StorageBackendFactory.build(VECTOR, "broken")


class TestRememberedBackends:
    async def test_a_created_backend_is_open_and_remembered(self) -> None:
        store = await StorageBackendFactory.create_backend(VECTOR, "memory", "docs")
        assert store.is_open
        assert store.name == "docs"
        assert StorageBackendFactory.get_backend(VECTOR, "docs") is store
        assert StorageBackendFactory.get_backend(VECTOR, "other") is None

    async def test_the_same_provider_and_config_give_the_same_backend_and_concurrent_calls_build_one(self) -> None:
        calls = (StorageBackendFactory.create_backend(VECTOR, "memory", "docs", {"metric": "dot"}) for _ in range(20))
        assert len(set(map(id, await asyncio.gather(*calls)))) == 1

    async def test_another_provider_or_config_is_refused(self, tmp_path: Path) -> None:
        await StorageBackendFactory.create_backend(VECTOR, "memory", "docs")
        for provider, config in (("memory", {"metric": "dot"}), ("file", {"path": tmp_path / "v"})):
            with pytest.raises(AlreadyRegisteredError, match="Disconnect it first"):
                await StorageBackendFactory.create_backend(VECTOR, provider, "docs", config)

    async def test_a_disconnected_one_is_not_remembered(self) -> None:
        first = await StorageBackendFactory.create_backend(VECTOR, "memory")
        await first.disconnect()
        assert StorageBackendFactory.get_backend(VECTOR) is None
        assert await StorageBackendFactory.create_backend(VECTOR, "memory") is not first

    async def test_one_that_failed_to_open_is_built_anew(self) -> None:
        made: list[FakeStore] = []

        class Failing:
            @staticmethod
            def create_backend(config: Mapping[str, Any] | None = None) -> FakeStore:
                made.append(FakeStore())
                made[-1].open_errors = [ConnectionError("down")] if len(made) == 1 else []
                return made[-1]

        StorageBackendFactory.register_provider(VECTOR, "failing", Failing)
        with pytest.raises(ConnectionError):
            await StorageBackendFactory.create_backend(VECTOR, "failing")
        assert StorageBackendFactory.get_backend(VECTOR) is None
        assert await StorageBackendFactory.create_backend(VECTOR, "failing") is made[1]

    async def test_shutdown_closes_the_last_first_and_reports_every_error(self) -> None:
        StorageBackendFactory.register_provider(VECTOR, "fake", FakeProvider)
        log: list[str] = []
        for name in "abc":
            store = await StorageBackendFactory.create_backend(VECTOR, "fake", name)
            assert isinstance(store, FakeStore)
            store.log = log
            store.close_errors = [OSError(name)] if name != "b" else []
        with pytest.raises(BackendErrorGroup) as caught:
            await StorageBackendFactory.shutdown_all()
        assert log == ["close c", "close b", "close a"]
        assert [str(error.__cause__) for error in caught.value.exceptions] == ["c", "a"]
        assert StorageBackendFactory.get_backend(VECTOR, "a") is None
