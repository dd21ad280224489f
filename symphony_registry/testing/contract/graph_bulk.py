"""Sentences about bulk operations on a knowledge graph, and about listing it."""

from symphony_registry.backends.knowledge_graph.base import Entity
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.graph import GraphHarness, add_graph, edges
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.sentence import Group

bulk = Group("bulk", BackendType.KNOWLEDGE_GRAPH)


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


listing = Group("listing", BackendType.KNOWLEDGE_GRAPH, needs=("listing entities",))


def ids(found: list[Entity]) -> list[str]:
    """Return the ids of entities, in their order."""
    return [entity["id"] for entity in found]


@listing.sentence("find_entities gives the entities of a type, by id")
async def of_a_type(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.find_entities() == []
        for number, id in enumerate("dbca"):
            await graph.add_entity(id, "Even" if number % 2 == 0 else "Odd", {"n": number})

        assert_same((await graph.find_entities())[0], {"id": "a", "type": "Odd", "properties": {"n": 3}}, "an entity")
        assert ids(await graph.find_entities()) == list("abcd")
        assert ids(await graph.find_entities("Even")) == list("cd")
        assert ids(await graph.find_entities("Even", limit=1)) == ["c"]
        assert await graph.find_entities("even") == []


@listing.sentence("find_entities gives those that match the filter, before the limit", needs="filters")
async def matching(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        for number, id in enumerate("dbca"):
            await graph.add_entity(id, "Even" if number % 2 == 0 else "Odd", {"n": number})
        assert ids(await graph.find_entities("Odd", {"n": {"$gt": 1}})) == ["a"]
        assert ids(await graph.find_entities(None, {"n": {"$lt": 3}}, 2)) == list("bc")


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
        assert (await graph.count_entities(), await graph.count_entities("Node"), await graph.count_entities("x")) == (
            3,
            2,
            0,
        )
        assert (await graph.count_relations(), await graph.count_relations("R"), await graph.count_relations("x")) == (
            4,
            3,
            0,
        )
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
        await add_graph(
            graph, "b R a", "a S b", "a R b", "b R b", "a R a", "é R Z", "Z R é", "\U00010000 R a", "\uffff R a"
        )
        expected = ["Z R é", "a R a", "a R b", "a S b", "b R a", "b R b", "é R Z", "\uffff R a", "\U00010000 R a"]
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
