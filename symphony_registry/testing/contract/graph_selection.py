"""Sentences about several entities at once: by their ids, by the beginning of these, by bounds, types and filters."""

import asyncio
from typing import Any

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.graph import GraphHarness, add_graph, edges
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.ranges import IDS
from symphony_registry.testing.sentence import Group

several = Group("several", BackendType.KNOWLEDGE_GRAPH)


@several.sentence("get_entities gives the entity of each id, None where there is none, in the order asked")
async def by_ids(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entities([(id, "T", {"id": id}) for id in "abc"])
        expected = [await graph.get_entity(id) for id in ("c", "nobody", "a", "c")]
        assert_same(await graph.get_entities(["c", "nobody", "a", "c"]), expected, "the entities")
        assert_same(await graph.get_entities(iter("a")), [await graph.get_entity("a")], "the entity")
        assert await graph.get_entities([]) == []


@several.sentence("add_entities gives how many it stored, and with if_absent leaves what is there")
async def if_absent(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.add_entities([]) == 0
        assert await graph.add_entities([("a", "Old", {"n": 1}), ("b", "Old", None), ("b", "Old", {"n": 2})]) == 3
        await graph.add_relation("a", "b", "R")
        items = [("a", "New", None), ("c", "New", {"n": 3}), ("b", "New", None), ("c", "Newer", None)]
        assert await graph.add_entities(items, if_absent=True) == 1
        assert await graph.add_entities(items, if_absent=True) == 0
        expected = [("a", "Old", {"n": 1}), ("b", "Old", {"n": 2}), ("c", "New", {"n": 3})]
        found = [{"id": id, "type": kind, "properties": properties} for id, kind, properties in expected]
        assert_same(await graph.get_entities(list("abc")), found, "what was there, and the first of what was not")
        assert edges(await graph.get_relations("a")) == ["a R b"]
        for wrong in (1, None, "yes"):
            with refused(f"if_absent={wrong!r}"):
                await graph.add_entities([("d", "T", None)], if_absent=wrong)  # type: ignore[arg-type]
        assert await graph.get_entity("d") is None


@several.sentence("of concurrent writers with if_absent one stores each entity", needs="atomic bulk operations")
async def one_wins(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        ids = [f"id-{number}" for number in range(20)]
        writes = ([(id, f"{writer}", None) for id in ids] for writer in range(5))
        counts = await asyncio.gather(*(graph.add_entities(items, if_absent=True) for items in writes))
        assert sum(counts) == len(ids)
        stored = [entity["type"] for entity in await graph.get_entities(ids) if entity]
        assert [stored.count(f"{writer}") for writer in range(5)] == counts


@several.sentence("delete_entities deletes the ids with the relations that touch them, and gives how many were there")
async def delete(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "b R c", "c S d", "d S d", "d R c", "b R b")
        assert await graph.delete_entities(["b", "nobody", "a", "b"]) == 2
        assert await graph.delete_entities(iter("ab")) == 0
        assert await graph.delete_entities([]) == 0
        assert [entity and entity["id"] for entity in await graph.get_entities(list("abcd"))] == [None, None, "c", "d"]
        assert edges(await graph.get_relations("c", direction="both")) == ["c S d", "d R c"]
        await graph.add_entities([("a", "T", None), ("b", "T", None)])
        for id in "ab":
            assert await graph.get_relations(id, direction="both") == []


@several.sentence("delete_relations deletes each (from, to, type) alone, and gives how many were there")
async def delete_relations(harness: GraphHarness) -> None:
    keys = [("a", "b", "R"), ("a", "nobody", "R"), ("b", "b", "S"), ("a", "b", "R"), ("a", "a", "S")]
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "a S b", "a R a", "b S b")
        assert await graph.delete_relations(keys) == 2
        assert await graph.delete_relations(iter(keys)) == 0
        assert await graph.delete_relations([]) == 0
        assert edges(await graph.get_relations("a", direction="both")) == ["a R a", "a S b", "b R a"]
        assert edges(await graph.get_relations("b", direction="both")) == ["a S b", "b R a"]
        assert [entity and entity["id"] for entity in await graph.get_entities(["a", "b"])] == ["a", "b"]
        wrong: list[Any] = [[("a", "b", "S"), ("a", "b")], [("a", "b", "S"), "abS"], [("a", "b", "S"), None], "aSb", 7]
        for given in wrong:
            with refused(f"delete_relations of {given}"):
                await graph.delete_relations(given)
        assert edges(await graph.get_relations("a", "S")) == ["a S b"]


@several.sentence("deletion without ids and without a selection raises, as with both, and deletes nothing")
async def forgotten_argument(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "T")
        nothing: list[dict[str, Any]] = [{}, {"property_filter": {}}, {"prefix": ""}, {"after": ""}]
        for selection in nothing:
            with refused(f"delete_entities with {selection}"):
                await graph.delete_entities(**selection)
        something: list[dict[str, Any]] = [{"entity_type": "T"}, {"prefix": "a"}, {"property_filter": {"n": 1}}]
        for selection in something:
            with refused(f"delete_entities of ids with {selection}"):
                await graph.delete_entities(["a"], **selection)
        assert await graph.get_entity("a") is not None
        await graph.add_relation("a", "a", "R")
        with refused("delete_relations of nothing"):
            await graph.delete_relations()
        with refused("delete_relations of keys with types"):
            await graph.delete_relations([("a", "a", "R")], relation_types=["R"])
        assert edges(await graph.get_relations("a")) == ["a R a"]


selecting = Group("selecting", BackendType.KNOWLEDGE_GRAPH, needs=("listing entities",))

_IDS = IDS[:-1]


async def _add_all(graph: KnowledgeGraphBackend) -> None:
    items = [(id, "Even" if number % 2 == 0 else "Odd", {"n": number}) for number, id in enumerate(_IDS)]
    await graph.add_entities(reversed(items))


async def _found(graph: KnowledgeGraphBackend, **selection: object) -> list[str]:
    options = {"limit": None, **selection}
    return [entity["id"] for entity in await graph.find_entities(**options)]  # type: ignore[arg-type]


@selecting.sentence("find_entities gives what is selected by id, from the last back with reverse, all with limit None")
async def by_id(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        assert await graph.find_entities(limit=None) == []
        await _add_all(graph)
        assert await _found(graph) == _IDS
        assert await _found(graph, reverse=True) == _IDS[::-1]
        assert await _found(graph, limit=3, reverse=True) == _IDS[:-4:-1]
        assert await _found(graph, prefix="a/", limit=1, reverse=True) == ["a/2"]
        assert await _found(graph, entity_type="Even", limit=2) == _IDS[:3:2]
        assert await _found(graph, entity_type="Even", reverse=True) == _IDS[-2::-2]
        await graph.add_entities([(f"n{number:03}", "T", None) for number in range(102)])
        assert len(await _found(graph, prefix="n")) == 102


@selecting.sentence("a prefix selects the ids that begin with it, whatever characters it has")
async def by_prefix(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        for prefix in [*_IDS, "", "a/1", "_", "x", "\ud7ffxx", "\U0010ffff" * 2]:
            expected = [id for id in _IDS if id.startswith(prefix)]
            assert await _found(graph, prefix=prefix) == expected, f"the prefix {prefix!a}"
            assert await graph.count_entities(prefix=prefix) == len(expected), f"the prefix {prefix!a}"
            scanned = await collect(graph.scan_entities(prefix=prefix))
            assert [entity["id"] for entity in scanned] == expected, f"the prefix {prefix!a}"


@selecting.sentence("after and before are exclusive bounds, and need not be there")
async def by_bounds(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        bounds = [None, *_IDS, "a/", "a/15", "z"]
        for after in bounds:
            for before in bounds:
                expected = [id for id in _IDS if (after is None or id > after) and (before is None or id < before)]
                assert await _found(graph, after=after, before=before) == expected, f"{after!a}, {before!a}"
        assert await _found(graph, prefix="a/", after="a/1") == ["a/10", "a/2"]
        assert await _found(graph, prefix="a/", after="a", before="a/2") == ["a/1", "a/10"]
        assert await _found(graph, prefix="b", after="c") == []
        assert await graph.count_entities(after="a", before="b") == 4
        assert await graph.count_entities("Odd", after="a", before="b") == 2


@selecting.sentence("what is written is selected at once, and what is deleted no more")
async def kept_up(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        assert await _found(graph, prefix="a/") == ["a/1", "a/10", "a/2"]
        await graph.add_entity("a/0", "T")
        await graph.add_entities([(id, "T", None) for id in ("a/3", "a/1", "a/11", "a/3")])
        await graph.delete_entity("a/10")
        await graph.delete_entities(["a/2", "a"])
        assert await _found(graph, prefix="a/") == ["a/0", "a/1", "a/11", "a/3"]
        assert await graph.count_entities("T") == 4
        await graph.clear()
        await graph.add_entity("a/4", "T")
        assert await _found(graph) == ["a/4"]


@selecting.sentence("a type, a filter and a range of ids select together, before the limit cuts", needs="filters")
async def together(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        small = {"n": {"$lt": 8}}
        assert await _found(graph, property_filter=small) == _IDS[:8]
        assert await _found(graph, property_filter=small, limit=2, reverse=True) == _IDS[7:5:-1]
        assert await _found(graph, property_filter=small, entity_type="Odd", prefix="a") == ["a/1", "a/2"]
        assert await graph.count_entities(property_filter=small) == 8
        assert await graph.count_entities("Odd", property_filter=small, prefix="a", after="a/1") == 1
        scanned = await collect(graph.scan_entities(entity_type="Odd", prefix="a", property_filter=small))
        assert_same(scanned, await graph.get_entities(["a/1", "a/2"]), "the scan")


@selecting.sentence("delete_entities deletes what is selected, with its relations, and gives how many that was")
async def delete_selected(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        await graph.add_relations([("b", "a/1", "R", None), ("a/2", "b", "R", None), ("b", "%", "R", None)])
        assert await graph.delete_entities(prefix="a/") == 3
        assert await graph.delete_entities(prefix="a/") == 0
        assert edges(await graph.get_relations("b", direction="both")) == ["b R %"]
        assert await graph.delete_entities(after="\ud7ff") == 3
        assert await graph.delete_entities(entity_type="Odd", before="b") == 1
        assert await _found(graph) == ["%", "a", "a0", "b", "b_", "é", "\ud7ff"]
        assert await graph.delete_entities(entity_type="Even") == 5
        assert await _found(graph) == ["b", "é"]
        assert await graph.count_relations() == 0


@selecting.sentence("delete_entities by a filter", needs="filters")
async def delete_by_filter(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await _add_all(graph)
        assert await graph.delete_entities(property_filter={"n": {"$gte": 4}}, prefix="a") == 3
        assert await graph.delete_entities(property_filter={"n": {"$gt": 9}}, entity_type="Odd") == 2
        assert await graph.delete_entities(property_filter={"n": -1}) == 0
        assert await _found(graph) == [id for number, id in enumerate(_IDS) if number not in (4, 5, 6, 11, 13)]


@selecting.sentence("scan_relations and delete_relations take the types that are wanted, of which there may be none")
async def of_types(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "b R a", "a S b", "a R b", "b T b", "a r a", "c S a")
        for types in ([], ["R"], ("T", "S"), ["S", "S", "nothing"], ["nothing"]):
            expected = [edge for edge in ["a r a", "a R b", "a S b", "b R a", "b T b", "c S a"] if edge[2] in types]
            assert edges(await collect(graph.scan_relations(relation_types=types))) == expected, f"the types {types}"
        assert await graph.delete_relations(relation_types=["nothing"]) == 0
        assert await graph.delete_relations(relation_types=[]) == 0
        assert await graph.count_relations() == 6
        assert await graph.delete_relations(relation_types=["S", "T", "S", "nothing"]) == 3
        assert await graph.delete_relations(relation_types=["S"]) == 0
        assert edges(await collect(graph.scan_relations())) == ["a r a", "a R b", "b R a"]
        assert edges(await graph.get_relations("a", direction="both")) == ["a r a", "a R b", "b R a"]
        assert await graph.count_entities() == 3
        for wrong in ("R", 7, [7]):
            with refused(f"scan_relations of {wrong!r}"):
                await collect(graph.scan_relations(relation_types=wrong))  # type: ignore[arg-type]
            with refused(f"delete_relations of {wrong!r}"):
                await graph.delete_relations(relation_types=wrong)  # type: ignore[arg-type]


@selecting.sentence("bounds that are no text of ids raise, and reverse that is no bool")
async def refused_bounds(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await graph.add_entity("a", "T")
        for bound in (1, b"a", True, "\0", "\ud800", "x" * 513, ["a"]):
            for name in ("prefix", "after", "before"):
                selection = {name: bound}
                with refused(f"find_entities with {name}={bound!r}"):
                    await graph.find_entities(**selection)  # type: ignore[arg-type]
                with refused(f"delete_entities with {name}={bound!r}"):
                    await graph.delete_entities(**selection)  # type: ignore[arg-type]
        for reverse in (1, None, "yes"):
            with refused(f"reverse={reverse!r}"):
                await graph.find_entities(reverse=reverse)  # type: ignore[arg-type]
        assert await graph.count_entities() == 1
