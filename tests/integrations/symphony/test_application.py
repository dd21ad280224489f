"""The classes of examples/symphony_application.py do what the framework asks of its own."""

from collections.abc import AsyncIterator

import pytest
from symphony_application import GraphRepository, Memory, StateStorage, Task, letters

from symphony_registry.integrations.symphony import ServiceRegistry


@pytest.fixture
async def registry() -> AsyncIterator[ServiceRegistry]:
    async with ServiceRegistry() as opened:
        yield opened


@pytest.mark.usefixtures("framework")
async def test_a_repository_over_a_graph_is_what_the_frameworks_services_are_built_from(
    registry: ServiceRegistry,
) -> None:
    tasks = GraphRepository(Task, registry.knowledge_graph())
    registry.register_repository("task", tasks)
    assert registry.get_task_manager().given == (tasks,)
    assert registry.get_enhanced_executor().given == (tasks, None)


async def test_a_repository_over_a_graph_keeps_models(registry: ServiceRegistry) -> None:
    tasks = GraphRepository(Task, registry.knowledge_graph())
    one, two = Task(id="1", name="one"), Task(id="2", name="two")
    assert [await tasks.save(task) for task in (one, two)] == ["1", "2"]
    assert await tasks.find_by_id("1") == one
    assert await tasks.find_all() == [one, two]
    assert await tasks.find_all({"name": "two"}) == [two]
    assert await tasks.update(one.model_copy(update={"status": "done"}))
    assert not await tasks.update(Task(id="3", name="three"))
    assert await tasks.find_all({"status": "done"}) == [Task(id="1", name="one", status="done")]
    assert await tasks.delete("1")
    assert not await tasks.delete("1")
    assert await tasks.find_by_id("1") is None


async def test_states_over_a_checkpoint_store_are_there_once_they_are_committed(registry: ServiceRegistry) -> None:
    storage = StateStorage(registry.checkpoint_store())
    transaction = await storage.create_transaction()
    await transaction.store("checkpoints/1/manifest.json", b"{}")
    assert await storage.retrieve("checkpoints/1/manifest.json") is None
    assert await transaction.commit()
    assert await storage.retrieve("checkpoints/1/manifest.json") == b"{}"
    given_up = await storage.create_transaction()
    await given_up.store("checkpoints/2/manifest.json", b"{}")
    await given_up.rollback()
    assert await storage.list_keys("checkpoints") == ["checkpoints/1/manifest.json"]
    assert await storage.delete("checkpoints/1/manifest.json")
    assert await storage.list_keys() == []


async def test_a_memory_over_a_vector_store_finds_what_is_alike(registry: ServiceRegistry) -> None:
    memory = Memory(registry.vector_store(), letters)
    await memory.store("tone", "short sentences", importance=0.9)
    await memory.store("number", 123)
    assert await memory.retrieve("number") == "123"
    assert await memory.retrieve("nothing") is None
    assert await memory.search("a short sentence", limit=1) == ["short sentences"]
