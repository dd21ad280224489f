"""Operations of many callers: who waits for whom, and whose errors are whose."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.integrations.langgraph import RegistryStore
from symphony_registry.integrations.langgraph.batching import Batches


class Service:
    """Doubles numbers, and counts how often it is asked; `fails` says which batches it refuses."""

    def __init__(self, fails: Callable[[Sequence[int]], Exception | None] = lambda _: None) -> None:
        self.calls = 0
        self._fails = fails

    async def run(self, numbers: Sequence[int]) -> list[int]:
        self.calls += 1
        await asyncio.sleep(0)
        if error := self._fails(numbers):
            raise error
        return [number * 2 for number in numbers]


async def ask(service: Service, count: int) -> list[list[int] | BaseException]:
    batches = Batches(service.run)
    return await asyncio.gather(*(batches.add([number]) for number in range(count)), return_exceptions=True)


async def test_a_service_that_fails_is_not_asked_for_each() -> None:
    service = Service(lambda _: RuntimeError("429 Too Many Requests"))
    answers = await ask(service, 100)
    assert all(isinstance(answer, RuntimeError) for answer in answers)
    assert service.calls == 3


@pytest.mark.parametrize(("wrong", "error"), [({37}, RuntimeError), ({1, 37, 80, 99}, ValueError)])
async def test_nobody_fails_by_what_others_ask_for(wrong: set[int], error: type[Exception]) -> None:
    answers = await ask(Service(lambda numbers: error("no") if wrong & set(numbers) else None), 100)
    failed = {number for number, answer in enumerate(answers) if isinstance(answer, error)}
    assert failed == wrong
    assert [answer for answer in answers if isinstance(answer, list)] == [[2 * n] for n in range(100) if n not in wrong]


async def test_a_batch_is_cancelled_when_nobody_waits_for_it_any_more() -> None:
    begun, ended = asyncio.Event(), []

    async def run(names: Sequence[str]) -> list[str]:
        if "slow" in names:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(list(names))
        return list(names)

    batches = Batches(run)
    slow = [asyncio.create_task(batches.add([name])) for name in ("slow", "too")]
    await begun.wait()
    next_one = asyncio.create_task(batches.add(["next"]))
    slow[0].cancel()
    await asyncio.wait(slow[:1])
    assert not ended
    slow[1].cancel()
    async with asyncio.timeout(10):
        assert await next_one == ["next"]
    assert ended == [["slow", "too"]]


async def test_a_batch_that_cancels_itself_leaves_nobody_waiting() -> None:
    async def run(_: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await Batches(run).add([1])


def test_what_waits_on_a_loop_that_ended_holds_up_nobody_on_the_next() -> None:
    release: list[bool] = []

    async def run(numbers: Sequence[int]) -> list[int]:
        if not release:
            await asyncio.Event().wait()
        return list(numbers)

    batches = Batches(run)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    pending = first.create_task(batches.add([1]))
    first.run_until_complete(asyncio.sleep(0))
    first.run_until_complete(asyncio.sleep(0))
    release.append(True)
    assert second.run_until_complete(asyncio.wait_for(batches.add([2]), 10)) == [2]
    pending.cancel()
    first.run_until_complete(asyncio.wait(asyncio.all_tasks(first)))
    for loop in (first, second):
        loop.close()


async def test_nothing_waits_for_what_another_embeds() -> None:
    begun = asyncio.Event()

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        if "hangs" in texts:
            begun.set()
            await asyncio.Event().wait()
        return [[1.0, 2.0] for _ in texts]

    async with InMemoryCheckpointStore() as items, InMemoryVectorStore() as vectors:
        store = RegistryStore(items, vectors, index={"dims": 2, "embed": embed, "fields": ["text"]})
        hanging = asyncio.create_task(store.aput(("a",), "hangs", {"text": "hangs"}))
        await begun.wait()
        async with asyncio.timeout(10):
            await store.aput(("a",), "k", {"text": "no text of its index"}, index=False)
            assert await store.aget(("a",), "k")
            assert [item.key for item in await store.asearch(("a",), query="meaning")] == ["k"]
            hanging.cancel()
            await store.aput(("a",), "other", {"text": "meaning"})
        assert await store.aget(("a",), "hangs") is None
