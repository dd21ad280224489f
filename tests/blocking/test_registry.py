"""A registry without `await`: opening, calling from threads, errors, closing."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.backends.vector_store.base import VectorItem
from symphony_registry.blocking import BlockingCheckpointStore, BlockingKnowledgeGraph, BlockingVectorStore
from symphony_registry.errors import (
    BackendErrorGroup,
    BackendNotOpenError,
    BackendUnavailableError,
    BlockingCallError,
    DimensionError,
    InvalidTypeError,
    WrongEventLoopError,
)
from tests.helpers.fakes import FakeStore

VECTOR: Final = BackendType.VECTOR_STORE


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "symphony-registry event loop"]


class PatientStore(InMemoryVectorStore):
    """A store in which a count waits until it is cancelled, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = threading.Event()
        self.events: list[str] = []

    async def count(self, *arguments: Any, **selection: Any) -> int:
        self.counting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.events.append("count ended")
        return 0

    async def scan(self, *arguments: Any, **selection: Any) -> AsyncIterator[VectorItem]:
        try:
            async for item in super().scan(*arguments, **selection):
                self.events.append(item["id"])
                yield item
        finally:
            self.events.append("scan ended")

    async def disconnect(self) -> None:
        self.events.append("disconnect")
        await super().disconnect()


def registry_with(store: InMemoryVectorStore) -> ServiceRegistry:
    registry = ServiceRegistry()
    registry.container.vector_store.override(store)
    return registry


class TestUsing:
    def test_every_store_is_there_without_await(self) -> None:
        with ServiceRegistry().in_thread() as registry:
            registry.vector_store().add("a", [1.0, 2.0], {"year": 2024})
            assert registry.vector_store().search([1.0, 2.0], metadata_filter={"year": 2024})[0]["id"] == "a"
            registry.knowledge_graph().add_entity("ada", "Person")
            assert [entity["id"] for entity in registry.knowledge_graph().scan_entities()] == ["ada"]
            registry.checkpoint_store().save_checkpoint("1", {"step": 1})
            latest = registry.checkpoint_store().get_latest_checkpoint()
            assert latest is not None
            assert latest["data"] == {"step": 1}
            assert registry.vector_store().health_check()
            assert [health["status"] for health in registry.health()] == ["ok"] * 3

    def test_a_backend_of_each_type_has_the_class_of_its_type(self) -> None:
        classes = BlockingVectorStore, BlockingKnowledgeGraph, BlockingCheckpointStore
        with ServiceRegistry().in_thread() as registry:
            for backend_type, expected in zip(BackendType, classes, strict=True):
                assert type(registry.get_backend(backend_type)) is expected
                assert type(registry.open_backend(backend_type)) is expected

    def test_a_backend_is_registered_by_name_and_shows_what_it_is(self, tmp_path: Path) -> None:
        with ServiceRegistry().in_thread() as registry:
            docs = registry.register_backend(VECTOR, "file", "docs", {"path": tmp_path})
            docs.add("a", [1.0])
            assert (docs.name, docs.is_open, docs.guarantees.survives) == ("docs", True, "power loss")
            assert registry.list_backends(VECTOR) == ["default", "docs"]
        with ServiceRegistry().in_thread() as registry:
            assert registry.register_backend(VECTOR, "file", "docs", {"path": tmp_path}).count() == 1

    def test_services_are_those_of_the_registry(self) -> None:
        registry = ServiceRegistry()
        blocking = registry.in_thread()
        blocking.register_service("clock", "tick")
        blocking.repositories = {"songs": "all"}
        assert registry.get_service("clock") == "tick"
        assert registry.get_repository("songs") == "all"

    def test_an_async_function_is_called_on_the_loop_that_has_the_backends_open(self) -> None:
        async_registry = ServiceRegistry()

        async def add_two(first: str, *, second: str) -> int:
            await async_registry.vector_store().add(first, [1.0])
            await async_registry.vector_store().add(second, [1.0])
            return await async_registry.vector_store().count()

        with async_registry.in_thread() as registry:
            assert registry.call(add_two, "a", second="b") == 2

    def test_what_cannot_be_awaited_is_told_from_an_async_function(self) -> None:
        with ServiceRegistry().in_thread() as registry, pytest.raises(InvalidTypeError, match="call takes an async"):
            registry.call(lambda: 3)  # type: ignore[arg-type, return-value]

    def test_the_first_block_that_ends_closes_it_as_it_does_the_async_registry(self) -> None:
        with ServiceRegistry().in_thread() as registry:
            with registry:
                store = registry.vector_store()
            with pytest.raises(BackendNotOpenError):
                store.count()

    def test_an_operation_sees_the_context_variables_of_its_caller(self) -> None:
        request = contextvars.ContextVar[str]("request")

        async def read() -> str:
            return request.get()

        with ServiceRegistry().in_thread() as registry:
            request.set("r1")
            assert registry.call(read) == "r1"

    def test_threads_call_at_the_same_time_and_each_gets_its_own_answer(self) -> None:
        with ServiceRegistry().in_thread() as registry, ThreadPoolExecutor(8) as pool:
            store = registry.vector_store()

            def write_and_read(number: int) -> str | None:
                store.add(str(number), [1.0, float(number)])
                found = store.get(str(number))
                return found and found["id"]

            assert list(pool.map(write_and_read, range(200))) == [str(number) for number in range(200)]
            assert store.count() == 200


class TestIterating:
    @pytest.fixture
    def store(self) -> PatientStore:
        return PatientStore()

    @pytest.fixture
    def blocking(self, store: PatientStore) -> Iterator[BlockingVectorStore]:
        with registry_with(store).in_thread() as registry:
            registry.vector_store().add_many([(f"{number:05}", [1.0], None) for number in range(3000)])
            yield registry.vector_store()

    def test_all_items_come_in_order(self, blocking: BlockingVectorStore) -> None:
        assert [item["id"] for item in blocking.scan()] == [f"{number:05}" for number in range(3000)]

    def test_one_that_is_left_early_ends_the_async_one(
        self, blocking: BlockingVectorStore, store: PatientStore
    ) -> None:
        for _ in blocking.scan():
            break
        assert blocking.get("00000") is not None
        assert store.events[-1] == "scan ended"

    def test_one_that_is_never_begun_leaves_nothing(self, blocking: BlockingVectorStore, store: PatientStore) -> None:
        blocking.scan()
        assert store.events == []

    def test_items_come_before_the_error_that_ended_them(self) -> None:
        class Failing(InMemoryVectorStore):
            async def scan(self, *arguments: Any, **selection: Any) -> AsyncIterator[VectorItem]:
                yield {"id": "a", "vector": [1.0], "metadata": {}}
                raise DimensionError(1, 2)

        with registry_with(Failing()).in_thread() as registry:
            items = registry.vector_store().scan()
            assert next(items)["id"] == "a"
            with pytest.raises(DimensionError):
                next(items)

    def test_a_bulk_operation_takes_items_that_are_read_from_the_store_itself(
        self, blocking: BlockingVectorStore
    ) -> None:
        blocking.add_many((f"copy of {item['id']}", item["vector"], None) for item in blocking.scan())
        assert len(blocking.get_many(f"copy of {number:05}" for number in range(3000))) == 3000

    def test_one_outlives_the_registry_with_an_error(self, blocking: BlockingVectorStore, store: PatientStore) -> None:
        with registry_with(InMemoryVectorStore()).in_thread() as other:
            other.vector_store().add_many([(f"{number:05}", [1.0], None) for number in range(3000)])
            items = other.vector_store().scan()
            next(items)
        with pytest.raises(BackendNotOpenError):
            list(items)


class TestErrors:
    def test_what_an_operation_raises_comes_out_as_it_is(self) -> None:
        async def refused(registry: ServiceRegistry) -> str:
            with pytest.raises(DimensionError) as raised:
                await registry.vector_store().add("b", [1.0])
            return str(raised.value)

        async_registry = ServiceRegistry()
        with async_registry.in_thread() as registry:
            registry.vector_store().add("a", [1.0, 2.0])
            with pytest.raises(DimensionError) as raised:
                registry.vector_store().add("b", [1.0])
            assert str(raised.value) == registry.call(refused, async_registry)

    def test_arguments_that_do_not_fit_are_refused_as_python_does(self) -> None:
        with ServiceRegistry().in_thread() as registry:
            with pytest.raises(TypeError, match="unexpected keyword argument"):
                registry.vector_store().add("a", [1.0], colour="red")  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="await"):
                registry.call(lambda: "not async")  # type: ignore[arg-type, return-value]
            with pytest.raises(InvalidTypeError, match=r'^The vector_store "default" .*: A bulk operation takes'):
                registry.vector_store().get_many("abc")

    def test_a_backend_that_does_not_open_is_told_and_leaves_no_thread(self) -> None:
        store = FakeStore()
        store.open_errors = [ConnectionError("no route")]
        with pytest.raises(BackendErrorGroup), registry_with(store).in_thread():
            pass
        assert threads() == []

    def test_before_and_after_the_with_block_an_operation_says_how_to_open(self) -> None:
        registry = ServiceRegistry().in_thread()
        how = r'^The vector_store "default".* is not open\. Open it with `with registry:` or `registry\.open\(\)`\.$'
        with pytest.raises(BackendNotOpenError, match=how):
            registry.vector_store()
        with pytest.raises(BackendNotOpenError, match=how):
            registry.get_backend(VECTOR)
        with registry:
            store = registry.vector_store()
        assert threads() == []
        with pytest.raises(BackendNotOpenError, match=how):
            store.count()
        registry.open_backend(BackendType.KNOWLEDGE_GRAPH)  # which begins the loop, and leaves that store closed
        with pytest.raises(BackendNotOpenError, match=how):
            store.count()
        registry.close()
        with registry:
            assert registry.vector_store().count() == 0

    def test_closing_twice_and_shutting_down_are_harmless(self) -> None:
        registry = ServiceRegistry().in_thread()
        registry.open()
        registry.close()
        registry.close()
        registry.shutdown()
        assert registry.list_backends(VECTOR) == []
        assert threads() == []

    def test_what_closing_raises_comes_out_and_the_thread_ends(self) -> None:
        store = FakeStore()
        store.close_errors = [ConnectionError("gone")]
        registry = registry_with(store).in_thread()
        registry.open()
        with pytest.raises(BackendErrorGroup):
            registry.close()
        assert threads() == []

    def test_a_call_that_waits_while_another_thread_closes_is_told(self) -> None:
        store = PatientStore()
        with ThreadPoolExecutor(1) as pool:
            with registry_with(store).in_thread() as registry:
                waiting = pool.submit(registry.vector_store().count)
                store.counting.wait()
            with pytest.raises(BackendUnavailableError, match="closed meanwhile"):
                waiting.result()

    async def test_a_backend_that_another_loop_has_open_is_not_taken_from_it(self) -> None:
        async_registry = ServiceRegistry()
        async with async_registry:
            with pytest.raises(BackendErrorGroup, match="Not all backends could be opened") as raised:
                await asyncio.to_thread(async_registry.in_thread().open)
            assert {type(error) for error in raised.value.exceptions} == {WrongEventLoopError}
            assert await async_registry.vector_store().count() == 0


class TestInsideAnEventLoop:
    async def test_a_call_is_refused_where_it_would_block_the_loop(self) -> None:
        with pytest.raises(BlockingCallError, match=r"await asyncio\.to_thread"):
            ServiceRegistry().in_thread().open()
        assert threads() == []

    async def test_another_thread_may_call(self) -> None:
        registry = ServiceRegistry().in_thread()
        await asyncio.to_thread(registry.open)
        assert await asyncio.to_thread(registry.vector_store().count) == 0
        with pytest.raises(BlockingCallError):
            registry.vector_store().count()
        await asyncio.to_thread(registry.close)

    async def test_a_cell_of_a_notebook_may_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.ps1", "In : ", raising=False)  # as IPython does
        with ServiceRegistry().in_thread() as registry:
            registry.vector_store().add("a", [1.0])
            assert registry.vector_store().count() == 1

    @pytest.mark.parametrize("interactive", [False, True])
    def test_a_call_on_the_loop_that_would_have_to_answer_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, *, interactive: bool
    ) -> None:
        if interactive:
            monkeypatch.setattr("sys.ps1", ">>> ", raising=False)

        async def count() -> int:
            return registry.vector_store().count()

        with ServiceRegistry().in_thread() as registry, pytest.raises(BlockingCallError, match="wait forever"):
            registry.call(count)
