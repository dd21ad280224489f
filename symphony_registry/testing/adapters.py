"""The three backend types as the common sentences see them: JSON objects under ids."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.expectations import collect
from symphony_registry.testing.harness import can_list

Call: TypeAlias = Callable[[], Awaitable[Any]]
Calls: TypeAlias = dict[str, Call]

VECTOR = [1.0, 2.0, 3.0]
# Checkpoints are larger and fewer than vectors and entities.
_SHARE = 10
NESTED: JSONObject = {"a": {"b": [1, {"c": "deep"}]}, "tags": ["x", "y"]}


@dataclass(frozen=True)
class Place:
    """One of the places where a backend type keeps a JSON object under an id."""

    name: str
    put: Callable[[str, Any], Awaitable[object]]
    get: Callable[[str], Awaitable[JSONObject | None]]
    optional: bool = True  # None gives an empty object


@dataclass(frozen=True)
class WholeWrite:
    """A write of many things, which happens whole or not at all; `size` says how much is there, in one read."""

    name: str
    prepare: Call
    run: Call
    size: Call


class Adapter(ABC):
    """The operations of one backend type in terms that they all have."""

    store: StorageBackend
    ordered_by_id: ClassVar[bool] = True

    async def put(self, id: str, value: JSONObject | None = None) -> None:
        """Store an object."""
        await self.places()[0].put(id, {} if value is None else value)

    async def get(self, id: str) -> JSONObject | None:
        """Return the object, or `None`."""
        return await self.places()[0].get(id)

    @abstractmethod
    async def delete(self, id: str) -> bool:
        """Delete the object."""

    @abstractmethod
    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:
        """Store many objects; of checkpoints, one in ten."""

    @abstractmethod
    async def find(self, filter: Any = None) -> list[str]:
        """Return the ids of the objects that match a filter, in the order of the operation."""

    async def put_for_filter(self, id: str, value: JSONObject) -> None:
        """Store an object where filters see it."""
        await self.put(id, value)

    async def count(self, filter: Any) -> int | None:  # noqa: ARG002 - most types count all only
        """Return how many objects match, or `None` where there is no such operation."""
        return None

    @abstractmethod
    def places(self) -> list[Place]:
        """Return the places for an object."""

    @abstractmethod
    def operations(self) -> Calls:
        """Return every operation with arguments that it takes."""

    @abstractmethod
    def with_id(self, id: Any) -> Calls:
        """Return every operation that takes an id or a type, with this one in each position."""

    @abstractmethod
    def with_limit(self, limit: Any) -> Calls:
        """Return every operation that takes a limit, with this one; each gives a list."""

    @abstractmethod
    def with_filter(self, filter: Any) -> Calls:
        """Return every operation that takes a filter, with this one."""

    @abstractmethod
    async def fill(self) -> None:
        """Store the objects "a", "b" and "c", so that every read has something to return."""

    @abstractmethod
    def reads(self) -> Calls:
        """Return every operation whose result can be changed."""

    @abstractmethod
    def whole_writes(self, many: int) -> list[WholeWrite]:
        """Return the writes that touch more than one thing."""


def adapt(store: StorageBackend) -> Adapter:
    """Return the adapter of a backend."""
    if isinstance(store, VectorStoreBackend):
        return VectorAdapter(store)
    if isinstance(store, KnowledgeGraphBackend):
        return GraphAdapter(store)
    assert isinstance(store, CheckpointStoreBackend)
    return CheckpointAdapter(store)


class VectorAdapter(Adapter):
    """A vector store: the metadata are the objects."""

    def __init__(self, store: VectorStoreBackend) -> None:
        self.store: VectorStoreBackend = store

    async def delete(self, id: str) -> bool:  # noqa: D102
        return await self.store.delete(id)

    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:  # noqa: D102
        await self.store.add_many([(id, VECTOR, value) for id, value in values])

    async def find(self, filter: Any = None) -> list[str]:  # noqa: D102
        return [found["id"] for found in await self.store.search(VECTOR, 1000, filter)]

    async def count(self, filter: Any) -> int | None:  # noqa: D102
        return await self.store.count(filter)

    async def _metadata(self, id: str) -> JSONObject | None:
        item = await self.store.get(id)
        return None if item is None else item["metadata"]

    def places(self) -> list[Place]:  # noqa: D102
        store = self.store
        return [
            Place("add", lambda id, value: store.add(id, VECTOR, value), self._metadata),
            Place("add_many", lambda id, value: store.add_many([(id, VECTOR, value)]), self._metadata),
        ]

    def operations(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add": lambda: store.add("x", VECTOR),
            "get": lambda: store.get("x"),
            "delete": lambda: store.delete("x"),
            "search": lambda: store.search(VECTOR),
            "count": store.count,
            "add_many": lambda: store.add_many([("x", VECTOR, None)]),
            "get_many": lambda: store.get_many(["x"]),
            "delete_many": lambda: store.delete_many(["x"]),
            "search_many": lambda: store.search_many([VECTOR]),
            "scan": lambda: collect(store.scan()),
            "dimension": store.dimension,
            "clear": store.clear,
        }

    def with_id(self, id: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add": lambda: store.add(id, VECTOR),
            "get": lambda: store.get(id),
            "delete": lambda: store.delete(id),
            "add_many": lambda: store.add_many([("x", VECTOR, None), (id, VECTOR, None)]),
            "get_many": lambda: store.get_many(["x", id]),
            "delete_many": lambda: store.delete_many(["x", id]),
        }

    def with_limit(self, limit: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, limit),
            "search_many": lambda: _first(store.search_many([VECTOR], limit)),
        }

    def with_filter(self, filter: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, 10, filter),
            "search_many": lambda: store.search_many([VECTOR], 10, filter),
            "count": lambda: store.count(filter),
        }

    async def fill(self) -> None:  # noqa: D102
        for number, id in enumerate("abc", start=1):
            await self.store.add(id, [1.0, 2.0, float(number)], NESTED)

    def reads(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "get": lambda: store.get("a"),
            "search": lambda: store.search(VECTOR),
            "get_many": lambda: store.get_many(["a", "b", "a"]),
            "search_many": lambda: store.search_many([VECTOR, VECTOR]),
            "scan": lambda: collect(store.scan()),
        }

    def whole_writes(self, many: int) -> list[WholeWrite]:  # noqa: D102
        store = self.store
        ids = [f"id-{number}" for number in range(many)]
        items = [(id, VECTOR, {"id": id}) for id in ids]

        async def nothing() -> None:
            pass

        async def load() -> None:
            await store.add_many(items)

        return [
            WholeWrite("add_many", nothing, load, store.count),
            WholeWrite("delete_many", load, lambda: store.delete_many(ids[1:]), store.count),
            WholeWrite("clear", load, store.clear, store.count),
        ]


class GraphAdapter(Adapter):
    """A knowledge graph: the properties of entities and relations are the objects."""

    def __init__(self, store: KnowledgeGraphBackend) -> None:
        self.store: KnowledgeGraphBackend = store

    async def delete(self, id: str) -> bool:  # noqa: D102
        return await self.store.delete_entity(id)

    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:  # noqa: D102
        await self.store.add_entities([(id, "T", value) for id, value in values])

    async def find(self, filter: Any = None) -> list[str]:  # noqa: D102
        return [entity["id"] for entity in await self.store.find_entities(None, filter, 1000)]

    async def _properties(self, id: str) -> JSONObject | None:
        entity = await self.store.get_entity(id)
        return None if entity is None else entity["properties"]

    async def _relation_properties(self, id: str) -> JSONObject | None:
        relations = await self.store.get_relations(id)
        return relations[0]["properties"] if relations else None

    async def _update(self, id: str, value: Any) -> None:
        if await self.store.get_entity(id) is None:
            await self.store.add_entity(id, "T")
        await self.store.update_entity(id, value)

    async def _relate(self, id: str, value: Any) -> None:
        if await self.store.get_entity(id) is None:
            await self.store.add_entity(id, "T")
        await self.store.add_relation(id, id, "R", value)

    async def _relate_many(self, id: str, value: Any) -> None:
        if await self.store.get_entity(id) is None:
            await self.store.add_entity(id, "T")
        await self.store.add_relations([(id, id, "R", value)])

    def places(self) -> list[Place]:  # noqa: D102
        store = self.store
        return [
            Place("add_entity", lambda id, value: store.add_entity(id, "T", value), self._properties),
            Place("add_entities", lambda id, value: store.add_entities([(id, "T", value)]), self._properties),
            Place("update_entity", self._update, self._properties, optional=False),
            Place("add_relation", self._relate, self._relation_properties),
            Place("add_relations", self._relate_many, self._relation_properties),
        ]

    def _listing(self, calls: Calls) -> Calls:
        """Return `calls` where the graph can list its entities."""
        return calls if can_list(type(self.store)) else {}

    def operations(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add_entity": lambda: store.add_entity("x", "T"),
            "get_entity": lambda: store.get_entity("x"),
            "update_entity": lambda: store.update_entity("x", {}),
            "add_relation": lambda: store.add_relation("x", "x", "R"),
            "get_relations": lambda: store.get_relations("x"),
            "delete_relation": lambda: store.delete_relation("x", "x", "R"),
            "delete_entity": lambda: store.delete_entity("x"),
            "query": lambda: store.query("x", ["R"]),
            "add_entities": lambda: store.add_entities([("x", "T", None)]),
            "add_relations": lambda: store.add_relations([("x", "x", "R", None)]),
            "neighbors": lambda: store.neighbors("x"),
            "shortest_path": lambda: store.shortest_path("x", "x"),
        } | self._listing(
            {
                "find_entities": store.find_entities,
                "count_entities": store.count_entities,
                "count_relations": store.count_relations,
                "scan_entities": lambda: collect(store.scan_entities()),
                "scan_relations": lambda: collect(store.scan_relations()),
                "clear": store.clear,
            }
        )

    def with_id(self, id: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add_entity": lambda: store.add_entity(id, "T"),
            "add_entity's type": lambda: store.add_entity("x", id),
            "get_entity": lambda: store.get_entity(id),
            "update_entity": lambda: store.update_entity(id, {}),
            "delete_entity": lambda: store.delete_entity(id),
            "add_relation's start": lambda: store.add_relation(id, "a", "R"),
            "add_relation's end": lambda: store.add_relation("a", id, "R"),
            "add_relation's type": lambda: store.add_relation("a", "a", id),
            "get_relations": lambda: store.get_relations(id),
            "get_relations' type": lambda: store.get_relations("a", id),
            "delete_relation's start": lambda: store.delete_relation(id, "a", "R"),
            "delete_relation's end": lambda: store.delete_relation("a", id, "R"),
            "delete_relation's type": lambda: store.delete_relation("a", "a", id),
            "query": lambda: store.query(id, ["R"]),
            "query's path": lambda: store.query("a", ["R", id]),
            "add_entities": lambda: store.add_entities([("x", "T", None), (id, "T", None)]),
            "add_entities' type": lambda: store.add_entities([("x", id, None)]),
            "add_relations' start": lambda: store.add_relations([(id, "a", "R", None)]),
            "add_relations' end": lambda: store.add_relations([("a", id, "R", None)]),
            "add_relations' type": lambda: store.add_relations([("a", "a", id, None)]),
            "neighbors": lambda: store.neighbors(id),
            "neighbors' type": lambda: store.neighbors("a", id),
            "shortest_path's start": lambda: store.shortest_path(id, "a"),
            "shortest_path's end": lambda: store.shortest_path("a", id),
            "shortest_path's types": lambda: store.shortest_path("a", "b", [id]),
        } | self._listing(
            {
                "find_entities' type": lambda: store.find_entities(id),
                "count_entities' type": lambda: store.count_entities(id),
                "count_relations' type": lambda: store.count_relations(id),
            }
        )

    def with_limit(self, limit: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "query": lambda: store.query("a", ["R"], limit),
            "neighbors": lambda: store.neighbors("a", limit=limit),
        } | self._listing({"find_entities": lambda: store.find_entities(limit=limit)})

    def with_filter(self, filter: Any) -> Calls:  # noqa: D102
        return {"find_entities": lambda: self.store.find_entities(None, filter)}

    async def fill(self) -> None:  # noqa: D102
        for id in "abc":
            await self.store.add_entity(id, "T", NESTED)
        for id in "abc":
            await self.store.add_relation("a", id, "R", NESTED)

    def reads(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "get_entity": lambda: store.get_entity("a"),
            "get_relations": lambda: store.get_relations("a", direction="both"),
            "query": lambda: store.query("a", ["R"]),
            "neighbors": lambda: store.neighbors("a"),
            "shortest_path": lambda: store.shortest_path("a", "b"),
        } | self._listing(
            {
                "find_entities": store.find_entities,
                "scan_entities": lambda: collect(store.scan_entities()),
                "scan_relations": lambda: collect(store.scan_relations()),
            }
        )

    def whole_writes(self, many: int) -> list[WholeWrite]:  # noqa: D102
        store = self.store
        ids = [f"id-{number}" for number in range(many)]
        relations = [("a", id, "R", {"to": id}) for id in ids]

        async def nodes() -> None:
            await store.add_entities([("a", "T", None), *((id, "T", {"id": id}) for id in ids)])

        async def graph() -> None:
            await nodes()
            await store.add_relations(relations)

        async def degree() -> int:
            return len(await store.get_relations("a"))

        async def nothing() -> None:
            pass

        writes = [
            WholeWrite("add_relations", nodes, lambda: store.add_relations(relations), degree),
            WholeWrite("delete_entity", graph, lambda: store.delete_entity("a"), degree),
        ]
        if can_list(type(store)):
            writes.append(WholeWrite("add_entities", nothing, nodes, store.count_entities))
            writes.append(WholeWrite("clear", graph, store.clear, store.count_entities))
        return writes


class CheckpointAdapter(Adapter):
    """A checkpoint store: data and metadata are the objects, the latter what filters see."""

    ordered_by_id = False

    def __init__(self, store: CheckpointStoreBackend) -> None:
        self.store: CheckpointStoreBackend = store

    async def delete(self, id: str) -> bool:  # noqa: D102
        return await self.store.delete_checkpoint(id)

    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:  # noqa: D102
        for number, (id, value) in enumerate(values):
            if number % _SHARE == 0:
                await self.store.save_checkpoint(id, {}, value)

    async def find(self, filter: Any = None) -> list[str]:  # noqa: D102
        return [info["checkpoint_id"] for info in await self.store.list_checkpoints(metadata_filter=filter)]

    async def put_for_filter(self, id: str, value: JSONObject) -> None:  # noqa: D102
        await self.store.save_checkpoint(id, {}, value)

    async def _metadata(self, id: str) -> JSONObject | None:
        checkpoint = await self.store.get_checkpoint(id)
        if checkpoint is None:
            return None
        added = ("timestamp", "checkpoint_id")
        return {key: value for key, value in checkpoint["metadata"].items() if key not in added}

    async def _data(self, id: str) -> JSONObject | None:
        checkpoint = await self.store.get_checkpoint(id)
        return None if checkpoint is None else checkpoint["data"]

    def places(self) -> list[Place]:  # noqa: D102
        store = self.store
        return [
            Place("data", store.save_checkpoint, self._data, optional=False),
            Place("metadata", lambda id, value: store.save_checkpoint(id, {}, value), self._metadata),
        ]

    def operations(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "save_checkpoint": lambda: store.save_checkpoint("x", {}),
            "get_checkpoint": lambda: store.get_checkpoint("x"),
            "delete_checkpoint": lambda: store.delete_checkpoint("x"),
            "list_checkpoints": store.list_checkpoints,
            "get_latest_checkpoint": store.get_latest_checkpoint,
            "prune": lambda: store.prune(1),
            "count": store.count,
            "scan": lambda: collect(store.scan()),
            "clear": store.clear,
        }

    def with_id(self, id: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "save_checkpoint": lambda: store.save_checkpoint(id, {}),
            "get_checkpoint": lambda: store.get_checkpoint(id),
            "delete_checkpoint": lambda: store.delete_checkpoint(id),
        }

    def with_limit(self, limit: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "list_checkpoints": lambda: store.list_checkpoints(limit=limit),
            "list_checkpoints from the newest": lambda: store.list_checkpoints(limit=limit, newest_first=True),
        }

    def with_filter(self, filter: Any) -> Calls:  # noqa: D102
        return {"list_checkpoints": lambda: self.store.list_checkpoints(metadata_filter=filter)}

    async def fill(self) -> None:  # noqa: D102
        for id in "abc":
            await self.store.save_checkpoint(id, NESTED, NESTED)

    def reads(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "get_checkpoint": lambda: store.get_checkpoint("a"),
            "list_checkpoints": store.list_checkpoints,
            "get_latest_checkpoint": store.get_latest_checkpoint,
            "scan": lambda: collect(store.scan()),
        }

    def whole_writes(self, many: int) -> list[WholeWrite]:  # noqa: D102
        store = self.store
        large = {"items": [{"number": number} for number in range(many * _SHARE)]}

        async def nothing() -> None:
            pass

        async def load() -> None:
            for number in range(0, many, _SHARE):
                await store.save_checkpoint(f"id-{number}", {})

        return [
            WholeWrite("save_checkpoint", nothing, lambda: store.save_checkpoint("x", large), store.count),
            WholeWrite("prune", load, lambda: store.prune(1), store.count),
            WholeWrite("clear", load, store.clear, store.count),
        ]


async def _first(results: Awaitable[list[Any]]) -> Any:
    return (await results)[0]
