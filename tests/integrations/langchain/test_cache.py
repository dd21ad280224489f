"""Langchain's own kits for caches over every engine, and what they do not ask."""

from datetime import UTC, datetime

import pytest
from langchain_core.caches import BaseCache
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langchain import RegistryCache


class TestSync(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, blocking_registry: BlockingRegistry) -> BaseCache:
        return RegistryCache(blocking_registry.checkpoint_store())


class TestAsync(AsyncCacheTestSuite):
    @pytest.fixture
    async def cache(self, checkpoint_store: CheckpointStoreBackend) -> BaseCache:
        return RegistryCache(checkpoint_store)


async def test_a_chat_model_is_asked_once(checkpoint_store: CheckpointStoreBackend) -> None:
    answers = [AIMessage("first", tool_calls=[{"name": "look", "args": {"at": 1}, "id": "1"}]), AIMessage("second")]
    model = GenericFakeChatModel(messages=iter(answers), cache=RegistryCache(checkpoint_store))
    first = await model.ainvoke("a question")
    again = await model.ainvoke("a question")
    assert (again.content, again.additional_kwargs) == ("first", first.additional_kwargs)
    assert isinstance(again, AIMessage)
    assert again.tool_calls == answers[0].tool_calls
    assert (await model.ainvoke("another")).content == "second"


async def test_answers_come_back_as_the_classes_that_they_were(checkpoint_store: CheckpointStoreBackend) -> None:
    cache = RegistryCache(checkpoint_store)
    answers = [Generation(text="a"), ChatGeneration(message=AIMessage("b", id="1"), generation_info={"reason": "stop"})]
    await cache.aupdate("prompt", "model", answers)
    assert await cache.alookup("prompt", "model") == answers


@pytest.mark.parametrize(
    "answer",
    [
        Generation(text="a", generation_info={"at": datetime(2024, 1, 1, tzinfo=UTC)}),
        ChatGeneration(message=AIMessage("a", additional_kwargs={"raw": b"bytes"})),
        Generation(text="\ud83d"),
    ],
)
async def test_an_answer_that_is_no_json_is_given_and_not_kept(
    checkpoint_store: CheckpointStoreBackend, caplog: pytest.LogCaptureFixture, answer: Generation
) -> None:
    cache = RegistryCache(checkpoint_store)
    await cache.aupdate("prompt", "model", [answer])
    assert await cache.alookup("prompt", "model") is None
    assert "the model will be asked again" in caplog.text


async def test_prompt_and_model_are_not_mistaken_for_another_pair(checkpoint_store: CheckpointStoreBackend) -> None:
    cache = RegistryCache(checkpoint_store)
    await cache.aupdate("a", "bc", [Generation(text="x")])
    assert await cache.alookup("ab", "c") is None


async def test_only_what_is_cached_is_cleared(checkpoint_store: CheckpointStoreBackend) -> None:
    cache = RegistryCache(checkpoint_store)
    await checkpoint_store.save_checkpoint("mine", {})
    await cache.aupdate("prompt", "model", [Generation(text="x")])
    await cache.aclear()
    assert await cache.alookup("prompt", "model") is None
    assert await checkpoint_store.count() == 1
