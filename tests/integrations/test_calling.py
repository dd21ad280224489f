"""How a framework's calls reach a backend: from its own event loop, another one, or a thread."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend, InMemoryCheckpointStore
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import BackendNotOpenError, BackendUnavailableError, BlockingCallError, InvalidTypeError
from symphony_registry.integrations.calling import Calls

CHECKPOINT = BackendType.CHECKPOINT_STORE


async def failing() -> None:
    raise TimeoutError("its own")


async def test_on_the_loop_of_the_backend_a_call_is_awaited(checkpoint_store: CheckpointStoreBackend) -> None:
    assert await Calls(checkpoint_store, CHECKPOINT).awaited(checkpoint_store.count) == 0


def test_a_thread_waits_for_the_loop_of_a_blocking_registry(blocking_registry: BlockingRegistry) -> None:
    calls = Calls(blocking_registry.checkpoint_store(), CHECKPOINT)
    assert calls.waited("aput", calls.backend.save_checkpoint, "a", {}) == 1
    assert calls.waited("acount", calls.backend.count) == 1


def test_another_event_loop_awaits_the_loop_of_a_blocking_registry(blocking_registry: BlockingRegistry) -> None:
    calls = Calls(blocking_registry.checkpoint_store(), CHECKPOINT)
    assert asyncio.run(calls.awaited(calls.backend.count)) == 0


async def test_a_thread_beside_the_loop_of_the_backend_waits_for_it(checkpoint_store: CheckpointStoreBackend) -> None:
    calls = Calls(checkpoint_store, CHECKPOINT)
    assert await asyncio.to_thread(calls.waited, "acount", checkpoint_store.count) == 0


async def test_on_the_loop_of_the_backend_waiting_raises_instead_of_a_deadlock() -> None:
    async with InMemoryCheckpointStore() as store:
        with pytest.raises(BlockingCallError, match=r"for ever. Await aput\(\) instead"):
            Calls(store, CHECKPOINT).waited("aput", store.count)


def test_on_any_other_loop_waiting_raises_too() -> None:
    async def call(calls: Calls[CheckpointStoreBackend]) -> None:
        calls.waited("aput", calls.backend.count)

    with ServiceRegistry().in_thread() as registry:
        registry.register_backend(BackendType.CHECKPOINT_STORE, "memory")
        with pytest.raises(BlockingCallError, match=r"in this thread. Await aput\(\) instead"):
            asyncio.run(call(Calls(registry.checkpoint_store(), CHECKPOINT)))


def test_a_backend_that_is_not_open_says_how_to_open_it() -> None:
    store = InMemoryCheckpointStore()
    with pytest.raises(BackendNotOpenError, match="in_thread"):
        Calls(store, CHECKPOINT).waited("acount", store.count)


def test_a_backend_whose_loop_has_ended_says_so() -> None:
    store = InMemoryCheckpointStore()
    asyncio.run(store.connect())
    with pytest.raises(BackendUnavailableError, match="has ended"):
        Calls(store, CHECKPOINT).waited("acount", store.count)
    with pytest.raises(BackendUnavailableError, match="has ended"):
        asyncio.run(Calls(store, CHECKPOINT).awaited(store.count))


def test_a_thread_that_waits_when_the_loop_ends_is_told() -> None:
    store, begun = InMemoryCheckpointStore(), threading.Event()
    raised: list[BaseException] = []

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            Calls(store, CHECKPOINT).waited("aput", forever)
        except BackendUnavailableError as error:
            raised.append(error)

    async def end_meanwhile() -> threading.Thread:
        await store.connect()
        thread = threading.Thread(target=wait)
        thread.start()
        await asyncio.to_thread(begun.wait)
        return thread

    asyncio.run(end_meanwhile()).join()
    assert len(raised) == 1


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "left"])
def test_a_task_that_waits_when_the_loop_of_the_backend_ends_is_told(cancelled: bool) -> None:
    store, begun = InMemoryCheckpointStore(), threading.Event()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(store.connect())

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def end() -> None:
        if cancelled:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.call_later(0.01, loop.stop)
        else:
            loop.stop()

    async def wait() -> None:
        call = asyncio.create_task(Calls(store, CHECKPOINT).awaited(forever))
        await asyncio.to_thread(begun.wait)
        loop.call_soon_threadsafe(end)
        with pytest.raises(BackendUnavailableError, match="has ended"):
            await call

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run(wait())
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
    loop.close()


def test_errors_come_out_as_they_are(blocking_registry: BlockingRegistry) -> None:
    calls = Calls(blocking_registry.checkpoint_store(), CHECKPOINT)
    with pytest.raises(TimeoutError, match="its own"):
        calls.waited("aput", failing)
    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(calls.awaited(failing))


async def test_a_call_that_is_cancelled_is_cancelled_on_the_other_loop(blocking_registry: BlockingRegistry) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(Calls(blocking_registry.checkpoint_store(), CHECKPOINT).awaited(forever))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)


@pytest.mark.parametrize("waited", [True, False])
def test_a_call_has_the_context_variables_of_its_caller(blocking_registry: BlockingRegistry, waited: bool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")
    calls = Calls(blocking_registry.checkpoint_store(), CHECKPOINT)

    async def read() -> str:
        return variable.get("nothing")

    assert (calls.waited("aread", read) if waited else asyncio.run(calls.awaited(read))) == "the caller's"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (None, "not a NoneType"),
        (ServiceRegistry(), "not a ServiceRegistry"),
        (InMemoryVectorStore(), 'not The vector_store "default"'),
    ],
)
def test_anything_but_a_store_of_the_kind_is_refused_at_once(given: Any, named: str) -> None:
    with pytest.raises(InvalidTypeError, match=rf"checkpoint_store\(\)` gives one, {named}"):
        Calls(given, CHECKPOINT)
