"""Sentences about entities and relations."""

import asyncio
from typing import Any, TypeAlias

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend, Relation
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.adapters import sample
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import BACKEND_NAME, Harness
from symphony_registry.testing.sentence import Group

GraphHarness: TypeAlias = Harness[KnowledgeGraphBackend]

entities = Group("entities", BackendType.KNOWLEDGE_GRAPH)


async def add_graph(graph: KnowledgeGraphBackend, *edges: str) -> None:
    """Add relations written as "from type to", and the entities that they need."""
    relations = [tuple(edge.split()) for edge in edges]
    ids = {id for from_id, _, to_id in relations for id in (from_id, to_id)}
    await graph.add_entities([(id, "Node", {"id": id}) for id in sorted(ids)])
    await graph.add_relations([(from_id, to_id, kind, None) for from_id, kind, to_id in relations])


def edges(relations: list[Relation]) -> list[str]:
    """Return relations as "from type to"."""
    return [f"{relation['from_id']} {relation['type']} {relation['to_id']}" for relation in relations]


@entities.sentence("get_entity gives id, type and properties, or None")
async def get(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.get_entity("a") is None
        await graph.add_entity("a", "Person", sample())
        await graph.add_entity("b", "Person")
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "Person", "properties": sample()}, "the entity")
        assert_same(await graph.get_entity("b"), {"id": "b", "type": "Person", "properties": {}}, "the entity")
        assert await graph.get_entity("c") is None


@entities.sentence("add_entity replaces type and properties, and keeps the relations")
async def replaces(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "Old", {"old": 1, "both": 1})
        await add_graph(graph, "b R c")
        for from_id, to_id in ("ab", "ba", "aa"):
            await graph.add_relation(from_id, to_id, "R", {"kept": True})
        await graph.add_entity("a", "New", {"both": 2})
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "New", "properties": {"both": 2}}, "the entity")
        found = await graph.get_relations("a", direction="both")
        assert edges(found) == ["a R a", "a R b", "b R a"]
        assert all(relation["properties"] == {"kept": True} for relation in found)
        await graph.add_entity("a", "New")
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "New", "properties": {}}, "the entity")


@entities.sentence("types of entities and relations are data, compared code point by code point")
async def types(harness: GraphHarness) -> None:
    hostile = [
        "R",
        "r",
        "`",
        "'; --",
        "a b",
        "a:b",
        "a|b",
        "*",
        "é",
        "e\u0301",
        "\U0001f600",
        "]->()",
        "../x",
        "$x",
        "x" * 512,
    ]
    async with harness.open() as graph:
        await graph.add_entity("hub", "Hub")
        for number, kind in enumerate(hostile):
            await graph.add_entity(f"e{number}", kind)
            await graph.add_relation("hub", f"e{number}", kind)
        for number, kind in enumerate(hostile):
            assert_same(
                await graph.get_entity(f"e{number}"), {"id": f"e{number}", "type": kind, "properties": {}}, "the entity"
            )
            expected = {"from_id": "hub", "to_id": f"e{number}", "type": kind, "properties": {}}
            assert_same(await graph.get_relations("hub", kind), [expected], f"the relations of type {kind!r}")
            assert [entity["id"] for entity in await graph.query("hub", [kind])] == [f"e{number}"]
            assert [entity["id"] for entity in await graph.neighbors("hub", kind)] == [f"e{number}"]


@entities.sentence("update_entity merges the top-level keys, and says whether the entity is there")
async def update(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.update_entity("a", {"x": 1}) is False
        assert await graph.get_entity("a") is None
        await graph.add_entity("a", "T", {"kept": 1, "replaced": {"x": 1, "y": 2}})
        await graph.add_entity("b", "T", {"kept": 1})
        await graph.add_relation("a", "b", "R", {"kept": 1})
        assert await graph.update_entity("a", {"replaced": {"y": 3}, "new": None}) is True
        expected = {"kept": 1, "replaced": {"y": 3}, "new": None}
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "T", "properties": expected}, "the entity")
        assert await graph.update_entity("a", {}) is True
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "T", "properties": expected}, "the entity")
        assert_same(await graph.get_entity("b"), {"id": "b", "type": "T", "properties": {"kept": 1}}, "another entity")
        assert edges(await graph.get_relations("a")) == ["a R b"]


@entities.sentence("update_entity refuses None as properties")
async def update_with_nothing(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "T")
        with refused("None as properties", "properties", BACKEND_NAME):
            await graph.update_entity("a", None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@entities.sentence("concurrent updates of different keys are all there")
async def concurrent_updates(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "T")
        await asyncio.gather(*(graph.update_entity("a", {f"key {number}": number}) for number in range(30)))
        found = await graph.get_entity("a")
        assert found is not None
        assert_same(found["properties"], {f"key {number}": number for number in range(30)}, "the properties")


@entities.sentence("delete_entity deletes every relation that touches it, and says whether it was there")
async def delete(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "b S b", "b R c", "c S b", "c R a", "a R c")
        assert await graph.delete_entity("b") is True
        assert await graph.delete_entity("b") is False
        assert await graph.delete_entity("x") is False
        assert await graph.get_entity("b") is None
        assert edges(await graph.get_relations("a", direction="both")) == ["a R c", "c R a"]
        assert edges(await graph.get_relations("c", direction="both")) == ["a R c", "c R a"]
        for direction in ("outgoing", "incoming", "both"):
            assert await graph.get_relations("b", direction=direction) == []
        assert [entity["id"] for entity in await graph.query("a", ["R"])] == ["c"]
        assert [entity["id"] for entity in await graph.neighbors("a", depth=5)] == ["c"]


@entities.sentence("an entity that is added again after it was deleted has no relations")
async def added_again(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "a R a")
        await graph.delete_entity("a")
        await graph.add_entity("a", "T")
        assert await graph.get_relations("a", direction="both") == []
        assert await graph.get_relations("b", direction="both") == []


relations = Group("relations", BackendType.KNOWLEDGE_GRAPH)


@relations.sentence("a relation is identified by from, to and type, and add_relation replaces its properties")
async def identity(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "a S b")
        await graph.add_relation("a", "b", "R", {"old": 1})
        await graph.add_relation("a", "b", "R", {"new": 2})
        await graph.add_relation("a", "b", "S", {"s": 3})
        expected = [
            {"from_id": "a", "to_id": "b", "type": "R", "properties": {"new": 2}},
            {"from_id": "a", "to_id": "b", "type": "S", "properties": {"s": 3}},
        ]
        assert_same(await graph.get_relations("a"), expected, "the relations")
        assert edges(await graph.get_relations("b")) == ["b R a"]
        await graph.add_relation("a", "b", "R")
        assert (await graph.get_relations("a", "R"))[0]["properties"] == {}


@relations.sentence("add_relation raises ValueError that names the entity that does not exist")
async def missing_ends(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("here", "T")
        for ends in (("here", "nowhere"), ("nowhere", "here"), ("nowhere", "nowhere")):
            with refused(f"a relation {ends}", "nowhere", kinds=(ValueError,)):
                await graph.add_relation(*ends, "R")
            with refused(f"relations {ends}", "nowhere", kinds=(ValueError,)):
                await graph.add_relations([("here", "here", "R", None), (*ends, "R", None)])
        assert await graph.get_entity("nowhere") is None
        assert await graph.get_relations("here", direction="both") == []


@relations.sentence("get_relations gives outgoing, incoming or both, by from, to and type")
async def directions(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "m S b", "m R b", "m R a", "z R m", "a S m", "a R m", "m R é", "m R Z", "x R y")
        outgoing = ["m R Z", "m R a", "m R b", "m S b", "m R é"]
        incoming = ["a R m", "a S m", "z R m"]
        assert edges(await graph.get_relations("m")) == outgoing
        assert edges(await graph.get_relations("m", direction="outgoing")) == outgoing
        assert edges(await graph.get_relations("m", direction="incoming")) == incoming
        assert edges(await graph.get_relations("m", direction="both")) == [*incoming[:2], *outgoing, incoming[2]]


@relations.sentence("get_relations gives only the type that is asked for")
async def of_type(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "a S b", "b R a", "b S a")
        assert edges(await graph.get_relations("a", "R")) == ["a R b"]
        assert edges(await graph.get_relations("a", "S", "incoming")) == ["b S a"]
        assert edges(await graph.get_relations("a", "R", "both")) == ["a R b", "b R a"]
        assert await graph.get_relations("a", "T") == []


@relations.sentence("get_relations gives so many as the limit says, which follow one that need not be there")
async def pages(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "m S b", "m R b", "m R a", "z R m", "a S m", "a R m", "m R m", "m R é", "m R Z", "x R y")
        for direction in ("outgoing", "incoming", "both"):
            for kind in (None, "R"):
                found = await graph.get_relations("m", kind, direction)
                for number, each in enumerate(found, start=1):
                    page = await graph.get_relations("m", kind, direction, limit=number)
                    assert_same(page, found[:number], "the first relations")
                    key = (each["from_id"], each["to_id"], each["type"])
                    for limit in (None, 1, 2, 1000):
                        page = await graph.get_relations("m", kind, direction, after=key, limit=limit)
                        assert_same(page, found[number:][:limit], f"the relations after the {number}th")
        assert edges(await graph.get_relations("m", after=["m", "a", "S"], limit=2)) == ["m R b", "m S b"]
        assert edges(await graph.get_relations("m", direction="both", after=("a", "m", ""), limit=1)) == ["a R m"]
        assert edges(await graph.get_relations("m", after=("", "", ""), limit=1)) == ["m R Z"]
        assert await graph.get_relations("m", after=("n", "", "")) == []
        assert await graph.get_relations("x", after=("", "", "")) == await graph.get_relations("x")


@relations.sentence("what is no (from, to, type) to follow raises")
async def after_refused(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        wrong: list[Any] = ["abR", ("a", "b"), ("a", "b", "R", {}), ("a", "b", None), ("a", "\ud800", "R"), "", 0, {}]
        for after in wrong:
            with refused(f"get_relations after {after!r}"):
                await graph.get_relations("a", after=after)


@relations.sentence("an entity may have a relation to itself, which appears once in each direction")
async def to_itself(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R a")
        for direction in ("outgoing", "incoming", "both"):
            assert edges(await graph.get_relations("a", direction=direction)) == ["a R a"]
        assert [entity["id"] for entity in await graph.query("a", ["R", "R"])] == ["a"]
        assert await graph.neighbors("a", depth=3) == []


@relations.sentence("an unknown entity has no relations")
async def unknown(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        for direction in ("outgoing", "incoming", "both"):
            assert await graph.get_relations("x", direction=direction) == []


@relations.sentence("an unknown direction raises ValueError")
async def direction_refused(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        for direction in ("out", "", "BOTH", None, 1):
            with refused(f"get_relations with the direction {direction!r}", kinds=(ValueError, TypeError)):
                await graph.get_relations("a", direction=direction)  # type: ignore[arg-type]
            with refused(f"neighbors with the direction {direction!r}", kinds=(ValueError, TypeError)):
                await graph.neighbors("a", direction=direction)  # type: ignore[arg-type]


@relations.sentence("delete_relation deletes that one alone, and says whether it was there")
async def deleted(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "a S b", "a R a")
        assert await graph.delete_relation("a", "b", "R") is True
        assert await graph.delete_relation("a", "b", "R") is False
        assert await graph.delete_relation("a", "x", "R") is False
        assert edges(await graph.get_relations("a", direction="both")) == ["a R a", "a S b", "b R a"]
        assert edges(await graph.get_relations("b", direction="both")) == ["a S b", "b R a"]
        assert await graph.get_entity("b") is not None
