"""The registry: registering, getting, opening and closing backends; services and repositories."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from dependency_injector import providers

from symphony_registry import (
    BackendType,
    CheckpointStoreBackend,
    KnowledgeGraphBackend,
    ServiceRegistry,
    StorageBackendFactory,
    VectorStoreBackend,
)
from symphony_registry.backends.lookup import ProviderTable
from symphony_registry.backends.options import UnknownOptionWarning
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.containers import RegistryContainer, build_container
from symphony_registry.errors import (
    AlreadyRegisteredError,
    BackendErrorGroup,
    BackendNotFoundError,
    BackendNotOpenError,
    BackendTimeoutError,
    BackendUnavailableError,
    InvalidTypeError,
    InvalidValueError,
    NotFoundError,
    ProviderNotFoundError,
    ProviderTypeError,
    RegistryError,
    ServiceNotFoundError,
    StorageError,
    StorageLockedError,
    WrongEventLoopError,
)
from tests.helpers.fakes import FakeStore

VECTOR: Final = BackendType.VECTOR_STORE
GRAPH: Final = BackendType.KNOWLEDGE_GRAPH
UNSHOWN: Final = "Its text may hold a secret: only a traceback in Python shows it."


def registry_with(*fakes: FakeStore, **timeouts: float) -> ServiceRegistry:
    """Return a registry whose vector stores are fakes named a, b, c...; nothing else is configured."""
    names = "abcdefgh"[: len(fakes)]
    container = build_container(
        settings={
            "vector_stores": {"default": None, **{name: {"provider": "memory"} for name in names}},
            "knowledge_graphs": None,
            "checkpoint_stores": None,
            "timeouts": timeouts,
        }
    )
    log: list[str] = []
    for name, fake in zip(names, fakes, strict=True):
        fake.name, fake.log = name, log
        container.vector_stores.providers[name].override(fake)
    return ServiceRegistry(container)


class TestRegisteringBackends:
    async def test_a_registered_backend_is_open_and_can_be_got(self) -> None:
        registry = ServiceRegistry()
        store = await registry.register_backend(VECTOR, "memory", "docs")
        assert registry.get_backend(VECTOR, "docs") is store
        assert registry.vector_store("docs") is store
        assert registry.list_backends(VECTOR) == ["default", "docs"]
        await registry.shutdown()

    async def test_it_is_a_service_too(self) -> None:
        registry = ServiceRegistry()
        store = await registry.register_backend(VECTOR, "memory")
        assert registry.get_service("vector_store_default") is store
        await registry.shutdown()

    async def test_it_takes_the_place_of_a_configured_one_that_is_not_open(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        store = await registry.register_backend(VECTOR, "file", "default", {"path": tmp_path / "v"})
        assert isinstance(store, FileVectorStore)
        assert registry.container.vector_store() is registry.container.vector_stores("default") is store
        await registry.shutdown()

    async def test_the_same_provider_and_configuration_again_give_the_same_backend(self) -> None:
        registry = ServiceRegistry()
        calls = (registry.register_backend(VECTOR, "memory", "docs", {"metric": "dot"}) for _ in range(20))
        stores = await asyncio.gather(*calls)
        assert len(set(map(id, stores))) == 1
        await registry.shutdown()

    async def test_what_the_configuration_says_counts_too(self) -> None:
        settings = {"vector_stores": {"docs": {"provider": "memory", "options": {"dimension": 3}}}}
        async with ServiceRegistry.from_config(settings=settings) as registry:
            for name, config in (("default", None), ("docs", {"dimension": 3})):
                store = registry.vector_store(name)
                assert await registry.register_backend(VECTOR, "memory", name, config) is store
                assert registry.get_service(f"vector_store_{name}") is store

    @pytest.mark.parametrize(
        "arguments",
        [("memory", ""), ("memory", None), ("memory", 3), (InMemoryVectorStore, "a"), ("memory", "a", "path")],
    )
    async def test_what_is_no_name_or_no_config_is_refused(self, arguments: tuple[Any, ...]) -> None:
        registry = ServiceRegistry()
        with pytest.raises((InvalidValueError, InvalidTypeError)):
            await registry.register_backend(VECTOR, *arguments)
        assert registry.list_backends(VECTOR) == ["default"]

    async def test_a_different_provider_or_configuration_for_an_open_one_is_refused(self) -> None:
        registry = ServiceRegistry()
        await registry.register_backend(VECTOR, "memory", "docs", {"metric": "dot"})
        with pytest.raises(AlreadyRegisteredError, match="already open with a different provider or configuration"):
            await registry.register_backend(VECTOR, "memory", "docs", {"metric": "cosine"})
        await registry.shutdown()

    async def test_after_close_it_can_be_registered_differently(self) -> None:
        registry = ServiceRegistry()
        first = await registry.register_backend(VECTOR, "memory", "default", {"metric": "dot"})
        await registry.close()
        second = await registry.register_backend(VECTOR, "memory", "default", {"metric": "cosine"})
        assert first is not second
        assert registry.vector_store() is second
        await registry.shutdown()

    async def test_one_that_cannot_open_leaves_nothing_behind(self, tmp_path: Path) -> None:
        (tmp_path / "occupied").write_text("a file")
        registry = ServiceRegistry()
        for name in ("default", "docs"):
            with pytest.raises(OSError, match="occupied"):
                await registry.register_backend(VECTOR, "file", name, {"path": tmp_path / "occupied"})
        assert registry.list_backends(VECTOR) == ["default"]
        assert not registry.services
        await registry.open()
        assert isinstance(registry.vector_store(), InMemoryVectorStore)
        await registry.close()

    async def test_one_that_failed_does_not_take_the_place_of_an_earlier_one(self, tmp_path: Path) -> None:
        (tmp_path / "occupied").write_text("a file")
        registry = ServiceRegistry()
        store = await registry.register_backend(VECTOR, "memory", "default", {"dimension": 7})
        await registry.close()
        with pytest.raises(OSError, match="occupied"):
            await registry.register_backend(VECTOR, "file", "default", {"path": tmp_path / "occupied"})
        await registry.open()
        assert registry.vector_store() is store
        await registry.shutdown()

    async def test_of_two_registrations_of_a_name_at_once_one_is_refused(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        results = await asyncio.gather(
            registry.register_backend(VECTOR, "file", "default", {"path": tmp_path / "v"}),
            registry.register_backend(VECTOR, "memory", "default", {"dimension": 3}),
            return_exceptions=True,
        )
        assert isinstance(results[0], FileVectorStore)
        assert isinstance(results[1], AlreadyRegisteredError)
        assert registry.vector_store() is results[0]
        await registry.shutdown()

    async def test_what_was_opened_under_the_name_meanwhile_stays(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        registering = asyncio.ensure_future(
            registry.register_backend(VECTOR, "file", "default", {"path": tmp_path / "v"})
        )
        await asyncio.sleep(0)
        configured = await registry.open_backend(VECTOR)
        with pytest.raises(AlreadyRegisteredError):
            await registering
        assert registry.vector_store() is configured
        await registry.register_backend(VECTOR, "file", "other", {"path": tmp_path / "v"})  # it was closed
        await registry.shutdown()

    async def test_an_override_by_a_test_is_not_taken_for_what_was_registered(self) -> None:
        registry = ServiceRegistry()
        store = await registry.register_backend(VECTOR, "memory", "default", {"dimension": 2})
        async with InMemoryVectorStore() as fake:
            with registry.container.vector_store.override(fake):
                assert registry.vector_store() is fake
                with pytest.raises(AlreadyRegisteredError):
                    await registry.register_backend(VECTOR, "memory", "default", {"dimension": 2})
            assert registry.vector_store() is store
        await registry.shutdown()

    async def test_an_unknown_option_is_a_warning_that_names_the_nearest(self) -> None:
        registry = ServiceRegistry()
        with pytest.warns(UnknownOptionWarning, match=r"no option 'dimnsion'. Did you mean \"dimension\"\?"):
            await registry.register_backend(VECTOR, "memory", "default", {"dimnsion": 3})
        await registry.shutdown()

    async def test_a_wrong_option_is_an_error_that_names_it(self) -> None:
        with pytest.raises(InvalidValueError, match="metric: input should be 'cosine', 'dot' or 'euclidean'"):
            await ServiceRegistry().register_backend(VECTOR, "memory", "default", {"metric": "cosin"})
        with pytest.raises(InvalidValueError, match="path: this option is required"):
            await ServiceRegistry().register_backend(VECTOR, "file")

    async def test_an_unknown_provider_or_type_names_the_nearest(self) -> None:
        with pytest.raises(ProviderNotFoundError, match='Did you mean "memory"'):
            await ServiceRegistry().register_backend(VECTOR, "memroy")
        with pytest.raises(NotFoundError, match='Did you mean "vector_store"'):
            await ServiceRegistry().register_backend("vectorstore", "memory")  # type: ignore[call-overload]


class TestGettingBackends:
    async def test_typed_accessors_give_the_default_backends(self) -> None:
        async with ServiceRegistry() as registry:
            assert isinstance(registry.vector_store(), VectorStoreBackend)
            assert isinstance(registry.knowledge_graph(), KnowledgeGraphBackend)
            assert isinstance(registry.checkpoint_store(), CheckpointStoreBackend)
            assert registry.get_backend(GRAPH) is registry.knowledge_graph()

    async def test_an_unknown_name_lists_the_names_there_are(self) -> None:
        async with ServiceRegistry() as registry:
            with pytest.raises(BackendNotFoundError, match=r'Did you mean "default"\? Known: default\.'):
                registry.vector_store("defualt")
            with pytest.raises(BackendNotFoundError):
                await registry.open_backend(VECTOR, "defualt")

    def test_one_that_is_not_open_says_how_to_open_it(self) -> None:
        with pytest.raises(
            BackendNotOpenError, match=r"await registry.open_backend\(BackendType.VECTOR_STORE, 'default'"
        ):
            ServiceRegistry().vector_store()

    async def test_after_close_it_is_not_open(self) -> None:
        async with ServiceRegistry() as registry:
            store = registry.vector_store()
        with pytest.raises(BackendNotOpenError):
            registry.vector_store()
        with pytest.raises(BackendNotOpenError):
            await store.count()

    def test_use_on_another_event_loop_says_what_to_do(self) -> None:
        registry = ServiceRegistry()
        asyncio.run(registry.open())

        async def use() -> None:
            await registry.vector_store().count()

        with pytest.raises(WrongEventLoopError, match=r"loop, which has ended\. .*await registry\.open\(\)"):
            asyncio.run(use())
        asyncio.run(registry.close())

    def test_what_an_ended_event_loop_left_open_opens_on_the_next_and_keeps_its_data(self) -> None:
        registry = ServiceRegistry()

        async def add() -> None:
            await registry.open()
            await registry.vector_store().add("a", [1.0])

        async def count() -> int:
            await registry.open()
            return await registry.vector_store().count()

        asyncio.run(add())
        assert asyncio.run(count()) == 1
        asyncio.run(registry.close())


class TestOpening:
    async def test_twenty_tasks_that_ask_at_once_get_one_backend_opened_once(self) -> None:
        fake = FakeStore()
        fake.may_open.clear()
        registry = registry_with(fake)
        asking = [asyncio.ensure_future(registry.open_backend(VECTOR, "a")) for _ in range(20)]
        await asyncio.sleep(0)
        fake.may_open.set()
        assert set(map(id, await asyncio.gather(*asking))) == {id(fake)}
        assert fake.connects == 1
        await registry.close()

    async def test_a_caller_that_is_cancelled_does_not_stop_the_others(self) -> None:
        fake = FakeStore()
        fake.may_open.clear()
        registry = registry_with(fake)
        first, second = (asyncio.ensure_future(registry.open_backend(VECTOR, "a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        fake.may_open.set()
        assert await second is fake
        assert first.cancelled()
        assert fake.connects == 1
        await registry.close()

    async def test_a_failed_open_is_retried_by_the_next_call(self) -> None:
        fake = FakeStore()
        fake.open_errors = [ConnectionError("down")]
        registry = registry_with(fake)
        asking = (registry.open_backend(VECTOR, "a") for _ in range(20))
        failed = await asyncio.gather(*asking, return_exceptions=True)
        assert {str(error) for error in failed if isinstance(error, BackendUnavailableError)} == {
            f'The vector_store "a" (FakeStore) could not be opened: ConnectionError. {UNSHOWN}'
        }
        assert fake.connects == 1
        assert await registry.open_backend(VECTOR, "a") is fake
        await registry.close()

    async def test_a_bug_in_a_provider_comes_out_as_what_it_is_with_the_name_of_its_backend(self) -> None:
        note = 'The vector_store "a" (FakeStore) could not be opened'
        bug = AttributeError("pool")
        fake = FakeStore()
        fake.open_errors = [bug, bug]
        registry = registry_with(fake)
        with pytest.raises(AttributeError) as caught:
            await registry.open_backend(VECTOR, "a")
        assert caught.value.__notes__ == [note]
        with pytest.raises(BackendErrorGroup) as group:
            await registry.open()
        assert group.value.exceptions == (bug,)
        assert not group.value.transient
        fake.close_errors = [KeyError("b")]
        await registry.open()
        with pytest.raises(BackendErrorGroup) as group:
            await registry.close()
        assert isinstance(group.value.exceptions[0], KeyError)
        assert group.value.exceptions[0].__notes__[0] == 'The vector_store "a" (FakeStore) did not close'

    async def test_a_bug_in_a_constructor_names_the_backend_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Buggy(InMemoryVectorStore):
            def __init__(self, config: Any = None) -> None:
                raise KeyError("url")

        registry = ServiceRegistry()
        monkeypatch.setattr(StorageBackendFactory, "_providers", ProviderTable())
        StorageBackendFactory.register_provider(VECTOR, "buggy", Buggy)
        with pytest.raises(KeyError) as caught:
            await registry.register_backend(VECTOR, "buggy", "docs")
        assert caught.value.__notes__ == ['The vector_store "docs" could not be built']

    async def test_a_timeout_of_the_provider_s_own_is_not_taken_for_the_configured_one(self) -> None:
        fake = FakeStore()
        fake.open_errors = [TimeoutError("hunter2")]
        with pytest.raises(BackendTimeoutError, match=r"could not be opened: TimeoutError\.") as caught:
            await registry_with(fake, open=30).open_backend(VECTOR, "a")
        assert "hunter2" not in str(caught.value)

    async def test_open_is_all_or_nothing_and_reports_every_error(self) -> None:
        fakes = [FakeStore(), FakeStore(), FakeStore(), FakeStore()]
        fakes[1].open_errors = [ConnectionError("b is down")]
        fakes[3].open_errors = [ConnectionError("d is down")]
        fakes[0].close_errors = [OSError("a does not close")]
        registry = registry_with(*fakes)
        with pytest.raises(BackendErrorGroup) as caught:
            await registry.open()
        causes = [str(error.__cause__ or error) for error in caught.value.exceptions]
        assert causes == ["b is down", "d is down", "a does not close"]
        assert isinstance(caught.value, RegistryError)
        assert not any(fake.is_open for fake in fakes)
        await registry.open()
        assert all(fake.is_open for fake in fakes)
        await registry.close()

    async def test_backends_open_at_once(self) -> None:
        fakes = [FakeStore(), FakeStore()]
        for fake in fakes:
            fake.may_open.clear()
        opening = asyncio.ensure_future(registry_with(*fakes).open())
        while not all(fake.connects for fake in fakes):  # noqa: ASYNC110
            await asyncio.sleep(0)
        for fake in fakes:
            fake.may_open.set()
        await opening

    async def test_a_cancelled_open_leaves_nothing_open(self) -> None:
        slow, quick = FakeStore(), FakeStore()
        slow.may_open.clear()
        registry = registry_with(slow, quick)
        opening = asyncio.ensure_future(registry.open())
        while not quick.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        opening.cancel()
        slow.may_open.set()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not slow.is_open
        assert not quick.is_open

    async def test_open_has_a_timeout_that_names_the_backend(self) -> None:
        fake = FakeStore()
        fake.may_open.clear()
        registry = registry_with(fake, open=0.01)
        with pytest.raises(BackendErrorGroup) as caught:
            await registry.open()
        (error,) = caught.value.exceptions
        assert isinstance(error, BackendTimeoutError)
        assert 'vector_store "a" (FakeStore) did not open within 0.01 s' in str(error)

    async def test_what_cannot_be_built_is_reported_together_before_anything_opens(self, tmp_path: Path) -> None:
        fakes = FakeStore(), FakeStore()
        registry = registry_with(*fakes)
        registry.container.vector_stores.providers["a"].override("no backend")
        fake = fakes[1]
        with pytest.raises(BackendErrorGroup) as caught:
            await registry.open()
        assert isinstance(caught.value.exceptions[0], ProviderTypeError)
        assert fake.connects == 0

    async def test_one_that_hangs_when_it_is_given_up_does_not_hold_the_others(self) -> None:
        fake = FakeStore()
        fake.may_open.clear()
        fake.hangs_on_close = True
        registry = registry_with(fake, open=0.01, close=0.01)
        with pytest.raises(BackendTimeoutError):
            await registry.open_backend(VECTOR, "a")

    async def test_one_that_another_task_opens_is_not_closed_when_open_fails(self) -> None:
        slow, broken = FakeStore(), FakeStore()
        slow.may_open.clear()
        broken.open_errors = [ConnectionError("down")]
        registry = registry_with(slow, broken)
        owner = asyncio.ensure_future(registry.open_backend(VECTOR, "a"))
        await asyncio.sleep(0)
        opening = asyncio.ensure_future(registry.open())
        await asyncio.sleep(0)
        slow.may_open.set()
        assert await owner is slow
        with pytest.raises(BackendErrorGroup):
            await opening
        assert slow.is_open
        await registry.close()

    async def test_one_that_another_task_asked_for_meanwhile_is_not_closed_either(self) -> None:
        wanted, broken = FakeStore(), FakeStore()
        wanted.may_open.clear()
        broken.may_open.clear()
        broken.open_errors = [ConnectionError("down")]
        registry = registry_with(wanted, broken)
        opening = asyncio.ensure_future(registry.open())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking = asyncio.ensure_future(registry.open_backend(VECTOR, "a"))
        await asyncio.sleep(0)
        wanted.may_open.set()
        await asking
        broken.may_open.set()
        with pytest.raises(BackendErrorGroup):
            await opening
        assert wanted.is_open
        await registry.close()

    async def test_a_connect_that_is_cancelled_inside_is_a_failure(self) -> None:
        class Cancelled(FakeStore):
            async def connect(self) -> None:
                raise asyncio.CancelledError

        registry = registry_with(Cancelled())
        with pytest.raises(BackendErrorGroup) as caught:
            await registry.open()
        assert isinstance(caught.value.exceptions[0], BackendUnavailableError)

    def test_what_was_being_opened_on_an_ended_event_loop_does_not_hold_a_close(self) -> None:
        fake = FakeStore()
        registry = registry_with(fake)

        async def give_up() -> None:
            fake.may_open = asyncio.Event()
            async with asyncio.timeout(0.01):
                await registry.open_backend(VECTOR, "a")

        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
        asyncio.run(registry.close())


class TestClosing:
    async def test_the_last_opened_closes_first(self) -> None:
        fakes = [FakeStore(), FakeStore(), FakeStore()]
        registry = registry_with(*fakes)
        for name in "bca":
            await registry.open_backend(VECTOR, name)
        await registry.close()
        assert fakes[0].log == ["open b", "open c", "open a", "close a", "close c", "close b"]

    async def test_a_close_that_fails_still_closes_the_others_and_reports_all_errors(self) -> None:
        fakes = [FakeStore(), FakeStore(), FakeStore(), FakeStore()]
        fakes[0].close_errors = [OSError("a")]
        fakes[2].close_errors = [OSError("c")]
        fakes[3].hangs_on_close = True
        registry = registry_with(*fakes, close=0.01)
        await registry.open()
        with pytest.raises(BackendErrorGroup) as caught:
            await registry.close()
        assert sorted(str(error) for error in caught.value.exceptions) == [
            f'The vector_store "a" (FakeStore) did not close: OSError. {UNSHOWN}',
            f'The vector_store "c" (FakeStore) did not close: OSError. {UNSHOWN}',
            'The vector_store "d" (FakeStore) did not close within 0.01 s, and was abandoned. '
            "Allow more time in timeouts.close.",
        ]
        assert not any(fake.is_open for fake in fakes)
        await registry.close()  # has nothing left to do

    async def test_two_closes_at_once_close_once(self) -> None:
        fakes = [FakeStore(), FakeStore()]
        registry = registry_with(*fakes)
        await registry.open()
        await asyncio.gather(registry.close(), registry.close())
        assert sorted(fakes[0].log[2:]) == ["close a", "close b"]

    def test_what_is_open_on_a_running_event_loop_cannot_be_closed_from_another(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        loop = asyncio.new_event_loop()
        path = tmp_path / "v"
        store = loop.run_until_complete(registry.register_backend(VECTOR, "file", "default", {"path": path}))
        with pytest.raises(BackendErrorGroup) as caught:
            asyncio.run(registry.close())
        assert isinstance(caught.value.exceptions[0], WrongEventLoopError)
        loop.run_until_complete(store.add("a", [1.0]))
        loop.run_until_complete(registry.close())
        loop.close()
        assert not store.is_open

    async def test_a_closed_registry_opens_again_and_finds_what_was_persisted(self, tmp_path: Path) -> None:
        settings = {"vector_stores": {"default": {"provider": "file", "options": {"path": tmp_path / "v"}}}}
        registry = ServiceRegistry.from_config(settings=settings)
        async with registry:
            await registry.vector_store().add("a", [1.0])
        async with registry:
            assert await registry.vector_store().count() == 1

    async def test_shutdown_forgets_services_repositories_and_backends(self) -> None:
        registry = ServiceRegistry()
        await registry.register_backend(VECTOR, "memory")
        registry.register_service("a", 1)
        registry.register_repository("b", 2)
        await registry.shutdown()
        assert not registry.services
        assert not registry.repositories
        assert [registry.list_backends(kind) for kind in BackendType] == [[], [], []]
        store = await registry.register_backend(VECTOR, "memory")
        assert registry.vector_store() is store
        await registry.shutdown()

    async def test_shutdown_forgets_also_when_closing_fails(self) -> None:
        fake = FakeStore()
        fake.close_errors = [OSError("no")]
        registry = registry_with(fake)
        await registry.open()
        with pytest.raises(BackendErrorGroup):
            await registry.shutdown()
        assert registry.list_backends(VECTOR) == []

    async def test_two_backends_of_one_process_cannot_share_a_directory(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        await registry.register_backend(VECTOR, "file", "a", {"path": tmp_path / "v"})
        with pytest.raises(StorageLockedError, match="in use by another backend of this process"):
            await registry.register_backend(VECTOR, "file", "b", {"path": tmp_path / "v"})
        await registry.shutdown()


class TestHealth:
    async def test_it_tells_how_each_backend_is_and_never_raises(self) -> None:
        class Failing(FakeStore):
            async def health_check(self) -> bool:
                raise ConnectionError("server gone")

        class Unwell(FakeStore):
            async def health_check(self) -> bool:
                return False

        class Slow(FakeStore):
            async def health_check(self) -> bool:
                await asyncio.Event().wait()
                return True

        registry = registry_with(FakeStore(), Failing(), Unwell(), Slow(), health=0.01)
        await registry.open()
        no_backend: providers.Object[Any] = providers.Object("no backend")
        registry.container.vector_stores.set_providers({**registry.container.vector_stores.providers, "z": no_backend})
        found = await registry.health()
        assert [(row["type"], row["name"], row["status"]) for row in found] == [
            (VECTOR, "a", "ok"),
            (VECTOR, "b", "failing"),
            (VECTOR, "c", "failing"),
            (VECTOR, "d", "timeout"),
            (VECTOR, "z", "failing"),
        ]
        assert [row["detail"].partition(". ")[0] for row in found[1:4]] == [
            'The vector_store "b" (Failing) failed its health check: ConnectionError',
            'The vector_store "c" (Unwell): its health check failed, and gives no reason.',
            'The vector_store "d" (Slow) did not answer its health check within 0.01 s',
        ]
        assert "server gone" not in found[1]["detail"]
        assert all(row["latency"] >= 0 for row in found)
        await registry.close()
        assert {row["status"] for row in (await registry.health())[:4]} == {"closed"}

    async def test_a_backend_that_was_never_opened_is_not_called_closed(self) -> None:
        registry = registry_with(FakeStore(), FakeStore())
        await registry.open_backend(VECTOR, "a")
        assert [row["status"] for row in (await registry.health())[:2]] == ["ok", "unopened"]
        await registry.close()
        assert [row["status"] for row in (await registry.health())[:2]] == ["closed", "unopened"]

    async def test_it_gives_the_reason_that_a_call_would_give(self, tmp_path: Path) -> None:
        registry = ServiceRegistry()
        store = await registry.register_backend(
            BackendType.CHECKPOINT_STORE, "file", "runs", {"path": tmp_path / "runs"}
        )
        (tmp_path / "runs" / "journal.jsonl").unlink()
        with pytest.raises(StorageError) as caught:
            await store.save_checkpoint("a", {})
        (row,) = (row for row in await registry.health() if row["name"] == "runs")
        assert row["status"] == "failing"
        assert row["detail"] == str(caught.value)
        await registry.shutdown()


class TestProcessWideRegistry:
    def test_there_is_one(self) -> None:
        assert ServiceRegistry.get_instance() is ServiceRegistry.get_instance()

    def test_threads_get_the_same_one(self) -> None:
        found: list[ServiceRegistry] = []
        threads = [threading.Thread(target=lambda: found.append(ServiceRegistry.get_instance())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, found))) == 1

    def test_it_is_configured_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DOCS__PROVIDER", "memory")
        assert ServiceRegistry.get_instance().list_backends(VECTOR) == ["default", "docs"]

    def test_reset_makes_room_for_another(self) -> None:
        first = ServiceRegistry.get_instance()
        ServiceRegistry.reset_instance()
        assert ServiceRegistry.get_instance() is not first

    async def test_after_shutdown_there_is_another(self) -> None:
        first = ServiceRegistry.get_instance()
        await first.shutdown()
        async with ServiceRegistry.get_instance() as second:
            assert second is not first
            assert second.vector_store().is_open

    async def test_reset_with_open_backends_is_a_resource_warning(self) -> None:
        registry = ServiceRegistry.get_instance()
        await registry.open()
        with pytest.warns(ResourceWarning, match="open backends"):
            ServiceRegistry.reset_instance()
        await registry.close()

    async def test_a_subclass_gets_an_instance_of_its_own_over_the_same_container(self) -> None:
        class AppRegistry(ServiceRegistry):
            def get_greeter(self) -> Callable[[], str]:
                if "greeter" not in self.services:
                    self.register_service("greeter", lambda: "hello")
                greeter: Callable[[], str] = self.get_service("greeter")
                return greeter

        plain = ServiceRegistry.get_instance()
        app = AppRegistry.get_instance()
        assert isinstance(app, AppRegistry)
        assert AppRegistry.get_instance() is app is ServiceRegistry.get_instance()
        assert app.get_greeter()() == "hello"
        assert plain.services["greeter"] is app.services["greeter"]
        store = await plain.register_backend(VECTOR, "memory")
        assert app.vector_store() is store
        await app.shutdown()


class TestServices:
    @pytest.fixture(params=["services", "repositories"])
    def mapping(self, request: pytest.FixtureRequest) -> Any:
        return getattr(ServiceRegistry(), request.param)

    def test_an_object_is_given_back_as_it_is(self) -> None:
        registry, thing = ServiceRegistry(), object()
        registry.register_service("thing", thing)
        registry.register_repository("thing", None)
        assert registry.get_service("thing") is registry.services["thing"] is thing
        assert registry.get_repository("thing") is None

    def test_a_provider_is_resolved_on_each_get(self, mapping: Any) -> None:
        mapping["list"] = providers.Factory(list)
        mapping["one"] = providers.Singleton(list)
        assert mapping["list"] is not mapping["list"]
        assert mapping["one"] is mapping["one"]

    @pytest.mark.parametrize("caught", [ServiceNotFoundError, ValueError, KeyError, LookupError])
    def test_a_missing_one_names_those_there_are(self, caught: type[Exception]) -> None:
        registry = ServiceRegistry()
        registry.register_service("mailer", 1)
        registry.register_repository("orders", 1)
        with pytest.raises(caught, match=r"There is no service 'mailr'\. Did you mean \"mailer\"\? Known: mailer\."):
            registry.get_service("mailr")
        with pytest.raises(caught, match=r"There is no repository 'x'\. Known: orders\."):
            registry.get_repository("x")

    async def test_forgetting_them_makes_none_of_them(self) -> None:
        def fail() -> None:
            raise KeyError("made")

        registry = ServiceRegistry()
        registry.register_service("a", providers.Singleton(fail))
        assert "a" in registry.services
        registry.services = registry.services
        registry.register_repository("b", 1)
        await registry.shutdown()
        assert not registry.services
        assert not registry.repositories

    def test_they_are_mutable_mappings(self, mapping: Any) -> None:
        mapping.update(a=1, b=2)
        assert mapping == {"a": 1, "b": 2}
        assert mapping.pop("a") == 1
        assert "a" not in mapping
        assert mapping.get("a", 3) == mapping.setdefault("c", 3) == 3
        assert list(mapping) == ["b", "c"]
        del mapping["b"]
        with pytest.raises(KeyError):
            del mapping["b"]
        assert len(mapping) == 1

    def test_assigning_a_dictionary_replaces_them(self) -> None:
        registry = ServiceRegistry()
        registry.register_service("old", 1)
        registry.services = {"new": 2}
        registry.repositories = {"r": 3}
        assert registry.services == {"new": 2}
        assert registry.get_repository("r") == 3
        registry.services = registry.services  # does not empty itself
        assert registry.services == {"new": 2}

    def test_they_live_in_the_container(self) -> None:
        container = RegistryContainer()
        container.registry().register_service("a", 1)
        assert ServiceRegistry(container).get_service("a") == container.services("a") == 1
        assert not ServiceRegistry().services
