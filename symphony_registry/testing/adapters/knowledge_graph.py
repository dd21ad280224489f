"""A knowledge graph as JSON objects under ids."""

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters.base import Adapter, Calls, Place, WholeWrite, sample
from symphony_registry.testing.expectations import collect

_LISTING = frozenset({"find_entities", "count_entities", "count_relations", "clear", "scan_entities", "scan_relations"})


class GraphAdapter(Adapter[KnowledgeGraphBackend]):
    """A knowledge graph: the properties of entities and relations are the objects."""

    @property
    @override
    def unpromised(self) -> frozenset[str]:
        return frozenset() if self.store.guarantees.lists_entities else _LISTING

    @override
    async def delete(self, id: str) -> bool:
        return await self.store.delete_entity(id)

    @override
    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:
        await self.store.add_entities([(id, "T", value) for id, value in values])

    @override
    async def find(self, filter: Any = None) -> list[str]:
        return [entity["id"] for entity in await self.store.find_entities(None, filter, self.large_limit)]

    @override
    async def count(self, filter: Any) -> int:
        return await self.store.count_entities(property_filter=filter)

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

    @override
    def _places(self) -> list[Place]:
        store = self.store
        return [
            Place("add_entity", lambda id, value: store.add_entity(id, "T", value), self._properties),
            Place("add_entities", lambda id, value: store.add_entities([(id, "T", value)]), self._properties),
            Place("update_entity", self._update, self._properties, optional=False),
            Place("add_relation", self._relate, self._relation_properties),
            Place("add_relations", self._relate_many, self._relation_properties),
        ]

    @override
    def operations(self) -> Calls:
        store = self.store
        return {
            "add_entity": lambda: store.add_entity("a", "T"),
            "get_entity": lambda: store.get_entity("a"),
            "get_entities": lambda: store.get_entities(["a"]),
            "update_entity": lambda: store.update_entity("a", {}),
            "add_relation": lambda: store.add_relation("a", "a", "R"),
            "get_relations": lambda: store.get_relations("a", direction="both"),
            "delete_relation": lambda: store.delete_relation("a", "a", "R"),
            "delete_relations": lambda: store.delete_relations([("a", "a", "R")]),
            "delete_entity": lambda: store.delete_entity("a"),
            "delete_entities": lambda: store.delete_entities(["a"]),
            "query": lambda: store.query("a", ["R"]),
            "add_entities": lambda: store.add_entities([("a", "T", None)]),
            "add_relations": lambda: store.add_relations([("a", "a", "R", None)]),
            "find_entities": store.find_entities,
            "neighbors": lambda: store.neighbors("a"),
            "shortest_path": lambda: store.shortest_path("a", "b"),
            "subgraph": lambda: store.subgraph(["a"]),
            "count_entities": store.count_entities,
            "count_relations": store.count_relations,
            "clear": store.clear,
            "scan_entities": lambda: collect(store.scan_entities()),
            "scan_relations": lambda: collect(store.scan_relations()),
        }

    @override
    def with_id(self, id: Any) -> Calls:
        store = self.store
        return self.promised(
            {
                "add_entity": lambda: store.add_entity(id, "T"),
                "add_entity's type": lambda: store.add_entity("x", id),
                "get_entity": lambda: store.get_entity(id),
                "get_entities": lambda: store.get_entities(["x", id]),
                "update_entity": lambda: store.update_entity(id, {}),
                "delete_entity": lambda: store.delete_entity(id),
                "delete_entities": lambda: store.delete_entities(["x", id]),
                "add_relation's start": lambda: store.add_relation(id, "a", "R"),
                "add_relation's end": lambda: store.add_relation("a", id, "R"),
                "add_relation's type": lambda: store.add_relation("a", "a", id),
                "get_relations": lambda: store.get_relations(id),
                "get_relations' type": lambda: store.get_relations("a", id),
                "delete_relation's start": lambda: store.delete_relation(id, "a", "R"),
                "delete_relation's end": lambda: store.delete_relation("a", id, "R"),
                "delete_relation's type": lambda: store.delete_relation("a", "a", id),
                "delete_relations' start": lambda: store.delete_relations([("x", "a", "R"), (id, "a", "R")]),
                "delete_relations' end": lambda: store.delete_relations([("x", "a", "R"), ("a", id, "R")]),
                "delete_relations' type": lambda: store.delete_relations([("x", "a", "R"), ("a", "a", id)]),
                "delete_relations' types": lambda: store.delete_relations(relation_types=["x", id]),
                "query": lambda: store.query(id, ["R"]),
                "query's path": lambda: store.query("a", ["R", id]),
                "add_entities": lambda: store.add_entities([("x", "T", None), (id, "T", None)]),
                "add_entities' type": lambda: store.add_entities([("x", id, None)]),
                "add_relations' start": lambda: store.add_relations([(id, "a", "R", None)]),
                "add_relations' end": lambda: store.add_relations([("a", id, "R", None)]),
                "add_relations' type": lambda: store.add_relations([("a", "a", id, None)]),
                "find_entities' type": lambda: store.find_entities(id),
                "neighbors": lambda: store.neighbors(id),
                "neighbors' type": lambda: store.neighbors("a", id),
                "shortest_path's start": lambda: store.shortest_path(id, "a"),
                "shortest_path's end": lambda: store.shortest_path("a", id),
                "shortest_path's types": lambda: store.shortest_path("a", "b", [id]),
                "subgraph": lambda: store.subgraph(["a", id]),
                "subgraph's types": lambda: store.subgraph(["a"], relation_types=["R", id]),
                "count_entities' type": lambda: store.count_entities(id),
                "count_relations' type": lambda: store.count_relations(id),
                "scan_relations' types": lambda: collect(store.scan_relations(relation_types=["R", id])),
            }
        )

    @override
    def with_limit(self, limit: Any) -> Calls:
        store = self.store

        async def nearest() -> list[Any]:
            found = await store.subgraph(["a"], limit=limit)
            return [*found["entities"]]

        return self.promised(
            {
                "get_relations": lambda: store.get_relations("a", limit=limit),
                "query": lambda: store.query("a", ["R"], limit),
                "find_entities": lambda: store.find_entities(limit=limit),
                "find_entities from the last": lambda: store.find_entities(limit=limit, reverse=True),
                "neighbors": lambda: store.neighbors("a", limit=limit),
                "subgraph": nearest,
            }
        )

    @override
    def with_filter(self, filter: Any) -> Calls:
        store = self.store
        calls: Calls = {
            "find_entities": lambda: store.find_entities(None, filter),
            "delete_entities": lambda: store.delete_entities(prefix="x", property_filter=filter),
            "count_entities": lambda: store.count_entities(property_filter=filter),
            "scan_entities": lambda: collect(store.scan_entities(property_filter=filter)),
        }
        return calls if store.guarantees.lists_entities else {}

    @override
    async def fill(self) -> None:
        for id in "abc":
            await self.store.add_entity(id, "T", sample())
        for id in "abc":
            await self.store.add_relation("a", id, "R", sample())

    @override
    def _whole_writes(self, many: int) -> list[WholeWrite]:
        store = self.store
        ids = [f"id-{number}" for number in range(many)]
        keys = [("a", id, "R") for id in ids]
        relations = [(*key, {"to": key[1]}) for key in keys]

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
            WholeWrite("delete_entity", graph, lambda: store.delete_entity("a"), degree, bulk=False),
            WholeWrite("add_relations", nodes, lambda: store.add_relations(relations), degree),
            WholeWrite("delete_entities", graph, lambda: store.delete_entities(ids), degree),
            WholeWrite("delete_relations", graph, lambda: store.delete_relations(keys), degree),
        ]
        if self._has("count_entities"):
            writes += [
                WholeWrite(
                    "delete_entities by prefix",
                    graph,
                    lambda: store.delete_entities(prefix="id-"),
                    store.count_entities,
                ),
                WholeWrite(
                    "delete_relations by type", graph, lambda: store.delete_relations(relation_types=["R"]), degree
                ),
                WholeWrite("add_entities", nothing, nodes, store.count_entities),
                WholeWrite("clear", graph, store.clear, store.count_entities),
            ]
        return writes
