"""What an application of the Symphony framework keeps, in our stores: repositories, checkpoints and agents' memory.

The classes have the methods that the framework calls. Beside the framework, call
`symphony_registry.integrations.symphony.install()` before it is imported.

python examples/symphony_application.py
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from symphony_registry import CheckpointStoreBackend, KnowledgeGraphBackend, VectorStoreBackend
from symphony_registry.integrations.symphony import ServiceRegistry

ModelT = TypeVar("ModelT", bound=BaseModel)


class GraphRepository(Generic[ModelT]):
    """A `Repository`: models with an `id` as the entities of a graph, whose type is the name of their class."""

    def __init__(self, model_class: type[ModelT], graph: KnowledgeGraphBackend) -> None:
        self._model_class = model_class
        self._type = model_class.__name__
        self._graph = graph

    async def save(self, entity: ModelT) -> str:
        """Store a model under its id."""
        properties = entity.model_dump(mode="json")
        await self._graph.add_entity(self._key(properties["id"]), self._type, properties)
        return str(properties["id"])

    async def find_by_id(self, id: str) -> ModelT | None:
        """Return the model with an id."""
        found = await self._graph.get_entity(self._key(id))
        return None if found is None else self._model_class.model_validate(found["properties"])

    async def find_all(self, filter_criteria: dict[str, Any] | None = None) -> list[ModelT]:
        """Return the models whose fields have these values."""
        found = await self._graph.find_entities(self._type, filter_criteria, limit=sys.maxsize)
        return [self._model_class.model_validate(each["properties"]) for each in found]

    async def update(self, entity: ModelT) -> bool:
        """Store a model in place of the one with its id, if there is one."""
        properties = entity.model_dump(mode="json")
        return await self._graph.update_entity(self._key(properties["id"]), properties)

    async def delete(self, id: str) -> bool:
        """Delete the model with an id."""
        return await self._graph.delete_entity(self._key(id))

    def _key(self, id: str) -> str:
        return f"{self._type}/{id}"


class StateStorage:
    """What a `CheckpointManager` stores its states in: a checkpoint for each key."""

    def __init__(self, checkpoints: CheckpointStoreBackend) -> None:
        self._checkpoints = checkpoints

    async def create_transaction(self) -> "Transaction":
        """Return something to store several states with, all or none."""
        return Transaction(self._checkpoints)

    async def retrieve(self, key: str) -> bytes | None:
        """Return what was stored under a key."""
        found = await self._checkpoints.get_checkpoint(key)
        return None if found is None else str(found["data"]["text"]).encode()

    async def delete(self, key: str) -> bool:
        """Delete what was stored under a key."""
        return await self._checkpoints.delete_checkpoint(key)

    async def list_keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with a prefix."""
        keys = [each["checkpoint_id"] for each in await self._checkpoints.list_checkpoints()]
        return [key for key in keys if key.startswith(prefix)]


class Transaction:
    """States that are stored together."""

    def __init__(self, checkpoints: CheckpointStoreBackend) -> None:
        self._checkpoints = checkpoints
        self._states: dict[str, dict[str, Any]] = {}

    async def store(self, key: str, data: bytes) -> None:
        """Add a state."""
        self._states[key] = {"text": data.decode()}

    async def commit(self) -> bool:
        """Store all states; whatever happens, all or none are there afterwards."""
        now = time.time()
        await self._checkpoints.restore_checkpoints([(key, state, None, now) for key, state in self._states.items()])
        return True

    async def rollback(self) -> None:
        """Forget the states."""
        self._states.clear()


class Memory:
    """What an agent remembers, found again by what it means to `embed`."""

    def __init__(self, vectors: VectorStoreBackend, embed: Callable[[str], list[float]]) -> None:
        self._vectors = vectors
        self._embed = embed

    async def store(self, key: str, value: object, importance: float | None = None) -> None:
        """Remember a value."""
        await self._vectors.add(key, self._embed(str(value)), {"content": str(value), "importance": importance})

    async def retrieve(self, key: str) -> str | None:
        """Return the value of a key."""
        found = await self._vectors.get(key)
        return None if found is None else found["metadata"]["content"]

    async def search(self, query: str, limit: int = 10) -> list[str]:
        """Return what is most like a text."""
        found = await self._vectors.search(self._embed(query), limit, include_vectors=False)
        return [each["metadata"]["content"] for each in found]


class Task(BaseModel):
    """Stands for the framework's."""

    id: str
    name: str
    status: str = "pending"


def letters(text: str) -> list[float]:
    """Return a vector that texts with the same letters share; an application asks a model."""
    return [text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"]


async def main() -> None:
    """Do what the framework does with them."""
    async with ServiceRegistry() as registry:
        tasks = GraphRepository(Task, registry.knowledge_graph())
        registry.register_repository("task", tasks)  # from here on, registry.get_task_manager() finds it
        await tasks.save(Task(id="1", name="Write the report"))
        await tasks.save(Task(id="2", name="Read the report"))
        await tasks.update(Task(id="1", name="Write the report", status="completed"))
        print("open:", [task.name for task in await tasks.find_all({"status": "pending"})])

        storage = StateStorage(registry.checkpoint_store())
        registry.register_service("state_storage", storage)
        transaction = await storage.create_transaction()
        await transaction.store("checkpoints/1/manifest.json", b'{"entities": []}')
        await transaction.store("checkpoints/latest.txt", b"1")
        await transaction.commit()
        print("states:", await storage.list_keys("checkpoints"), await storage.retrieve("checkpoints/latest.txt"))

        memory = Memory(registry.vector_store(), letters)
        await memory.store("tone", "the customer wants short sentences", importance=0.9)
        await memory.store("color", "blue is the favourite color")
        print("remembered:", await memory.search("short sentences", limit=1))


if __name__ == "__main__":
    asyncio.run(main())
