"""Sentences about entities and relations."""

import asyncio
from typing import TypeAlias

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend, Relation
from symphony_registry.testing.adapters import NESTED
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentences import Group

GraphHarness: TypeAlias = Harness[KnowledgeGraphBackend]

entities = Group("entities")


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
        await graph.add_entity("a", "Person", NESTED)
        await graph.add_entity("b", "Person")
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "Person", "properties": NESTED}, "the entity")
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
    hostile = ["R", "r", "`", "'; --", "a b", "a:b", "a|b", "*", "é", "e\u0301", "\U0001f600", "]->()", "../x", "$x", "x" * 512]
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
            assert await graph.get_relations("b", direction=direction) == []  # type: ignore[arg-type]
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


relations = Group("relations")


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


@relations.sentence("an entity may have a relation to itself, which appears once in each direction")
async def to_itself(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R a")
        for direction in ("outgoing", "incoming", "both"):
            assert edges(await graph.get_relations("a", direction=direction)) == ["a R a"]  # type: ignore[arg-type]
        assert [entity["id"] for entity in await graph.query("a", ["R", "R"])] == ["a"]
        assert await graph.neighbors("a", depth=3) == []


@relations.sentence("an unknown entity has no relations")
async def unknown(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        for direction in ("outgoing", "incoming", "both"):
            assert await graph.get_relations("x", direction=direction) == []  # type: ignore[arg-type]


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


bulk = Group("bulk operations")


@bulk.sentence("add_entities and add_relations store each item, and the last of equal ones wins")
async def stored(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "Old", {"old": 1})
        await graph.add_entities([("a", "A", None), ("b", "B", {"n": 1}), ("b", "C", {"n": 2})])
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "A", "properties": {}}, "the replaced entity")
        assert_same(await graph.get_entity("b"), {"id": "b", "type": "C", "properties": {"n": 2}}, "the last one")
        await graph.add_relations([("a", "b", "R", {"n": 1}), ("a", "b", "R", {"n": 2}), ("b", "b", "R", None)])
        expected = {"from_id": "a", "to_id": "b", "type": "R", "properties": {"n": 2}}
        assert_same(await graph.get_relations("a"), [expected], "the last one")
        assert edges(await graph.get_relations("b")) == ["b R b"]


@bulk.sentence("bulk operations take any iterable, also an empty one")
async def iterables(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entities([])
        await graph.add_relations([])
        await graph.add_entities((id, "T", None) for id in "abc")
        await graph.add_relations(("a", id, "R", None) for id in "bc")
        assert edges(await graph.get_relations("a")) == ["a R b", "a R c"]


@bulk.sentence("bulk items of the wrong shape raise, and nothing is written")
async def malformed(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        good = ("a", "T", None)
        for items in ([good, ("b",)], [good, ("b", "T")], [good, ("b", "T", None, 1)], [good, None], 7):
            with refused(f"add_entities of {items}"):
                await graph.add_entities(items)  # type: ignore[arg-type]
        assert await graph.get_entity("a") is None
        await graph.add_entity("a", "T")
        relation = ("a", "a", "R", None)
        for related in ([relation, ("a", "a", "R")], [relation, ("a",)], [relation, None], "aaRn"):
            with refused(f"add_relations of {related}"):
                await graph.add_relations(related)  # type: ignore[arg-type]
        assert await graph.get_relations("a") == []


@bulk.sentence("a bulk write that is refused midway changes nothing that was there")
async def midway(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "T", {"kept": 1})
        await graph.add_relation("a", "a", "R", {"kept": 1})
        with refused("add_relations with a missing end"):
            await graph.add_relations([("a", "a", "R", {"new": 1}), ("a", "a", "S", None), ("a", "x", "R", None)])
        with refused("add_entities with a bad value"):
            await graph.add_entities([("a", "New", {"new": 1}), ("b", "T", None), ("c", "T", {"bad": {1}})])
        assert_same(await graph.get_entity("a"), {"id": "a", "type": "T", "properties": {"kept": 1}}, "the entity")
        expected = {"from_id": "a", "to_id": "a", "type": "R", "properties": {"kept": 1}}
        assert_same(await graph.get_relations("a"), [expected], "the relations")
        assert await graph.get_entity("b") is None


listing = Group("listing")


@listing.sentence("find_entities gives the entities of a type that match the filter, by id")
async def find(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.find_entities() == []
        for number, id in enumerate("dbca"):
            await graph.add_entity(id, "Even" if number % 2 == 0 else "Odd", {"n": number})

        def ids(found: list[dict[str, object]]) -> list[object]:
            return [entity["id"] for entity in found]

        assert_same((await graph.find_entities())[0], {"id": "a", "type": "Odd", "properties": {"n": 3}}, "an entity")
        assert ids(await graph.find_entities()) == list("abcd")  # type: ignore[arg-type]
        assert ids(await graph.find_entities("Even")) == list("cd")  # type: ignore[arg-type]
        assert ids(await graph.find_entities("Odd", {"n": {"$gt": 1}})) == ["a"]  # type: ignore[arg-type]
        assert ids(await graph.find_entities(None, {"n": {"$lt": 3}}, 2)) == list("bc")  # type: ignore[arg-type]
        assert ids(await graph.find_entities("Even", limit=1)) == ["c"]  # type: ignore[arg-type]
        assert await graph.find_entities("even") == []


@listing.sentence("find_entities gives 100 by default")
async def default_limit(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entities([(f"{number:03}", "T", None) for number in range(102)])
        assert [entity["id"] for entity in await graph.find_entities()] == [f"{number:03}" for number in range(100)]


@listing.sentence("count_entities and count_relations count all, or those of a type")
async def count(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert (await graph.count_entities(), await graph.count_relations()) == (0, 0)
        await add_graph(graph, "a R b", "b R a", "a S b", "a R a")
        await graph.add_relation("a", "b", "R", {"replaced": True})
        await graph.add_entity("c", "Other")
        assert (await graph.count_entities(), await graph.count_entities("Node"), await graph.count_entities("x")) == (3, 2, 0)
        assert (await graph.count_relations(), await graph.count_relations("R"), await graph.count_relations("x")) == (4, 3, 0)
        await graph.delete_relation("a", "a", "R")
        await graph.delete_entity("b")
        assert (await graph.count_entities(), await graph.count_relations()) == (2, 0)
        assert await graph.count_relations("R") == 0


@listing.sentence("clear deletes every entity and relation, and the graph can be used on")
async def clear(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.clear()
        await add_graph(graph, "a R b", "b R a")
        await graph.clear()
        assert (await graph.count_entities(), await graph.count_relations()) == (0, 0)
        assert await graph.get_entity("a") is None
        await add_graph(graph, "a R c")
        assert edges(await graph.get_relations("a", direction="both")) == ["a R c"]


@listing.sentence("scan_entities gives every entity by id")
async def scan_entities(harness: GraphHarness) -> None:
    ids = sorted(["a", "Z", "é", "10", "9", "\uffff", "\U00010000"])
    async with harness.open() as graph:
        assert await collect(graph.scan_entities()) == []
        await graph.add_entities([(id, "T", {"id": id}) for id in reversed(ids)])
        expected = [{"id": id, "type": "T", "properties": {"id": id}} for id in ids]
        assert_same(await collect(graph.scan_entities()), expected, "the entities")


@listing.sentence("scan_relations gives every relation by from, to and type")
async def scan_relations(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await collect(graph.scan_relations()) == []
        await add_graph(graph, "b R a", "a S b", "a R b", "b R b", "a R a", "é R Z", "Z R é")
        expected = ["Z R é", "a R a", "a R b", "a S b", "b R a", "b R b", "é R Z"]
        assert edges(await collect(graph.scan_relations())) == expected


@listing.sentence("changes during a scan break neither it nor what does not change")
async def changing(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entities([(id, "T", None) for id in "abcde"])
        seen = []
        async for entity in graph.scan_entities():
            seen.append(entity["id"])
            if entity["id"] == "b":
                await graph.delete_entity("d")
                await graph.add_entity("a0", "T")
        assert [id for id in seen if id in "abce"] == list("abce")
