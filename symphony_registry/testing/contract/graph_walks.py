"""Sentences about walking along the relations of a knowledge graph."""

import asyncio
import time

from symphony_registry.backends.knowledge_graph.base import Entity
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.graph import GraphHarness, add_graph, edges
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.sentence import Group

query = Group("query", BackendType.KNOWLEDGE_GRAPH)


def _ids(found: list[Entity] | None) -> list[str]:
    assert found is not None
    return [entity["id"] for entity in found]


def _entity(id: str) -> Entity:
    return {"id": id, "type": "Node", "properties": {"id": id}}


@query.sentence("query gives the distinct entities at the end of the path, by id")
async def along_a_path(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "a R c", "b S x", "c S x", "b S Z", "c S é", "x R b", "a S y", "b R a", "q S x")
        assert_same(await graph.query("a", ["R"]), [_entity("b"), _entity("c")], "one step")
        assert _ids(await graph.query("a", ["R", "S"])) == ["Z", "x", "é"]
        assert _ids(await graph.query("a", ("R", "S", "R"))) == ["b"]
        assert _ids(await graph.query("a", ["R", "R"])) == ["a"]
        assert await graph.query("a", ["R", "T"]) == []
        assert await graph.query("a", ["r"]) == []


@query.sentence("query follows outgoing relations only")
async def outgoing(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        assert await graph.query("b", ["R"]) == []


@query.sentence("an empty path gives the start entity, an unknown start nothing")
async def empty_path(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        assert_same(await graph.query("a", []), [_entity("a")], "the start")
        assert await graph.query("x", []) == []
        assert await graph.query("x", ["R"]) == []


@query.sentence("query gives the first by id, 100 by default")
async def first_by_id(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        ids = [f"n{number:03}" for number in range(102)]
        await add_graph(graph, *(f"a R {id}" for id in reversed(ids)))
        assert _ids(await graph.query("a", ["R"])) == ids[:100]
        assert _ids(await graph.query("a", ["R"], limit=3)) == ids[:3]
        assert _ids(await graph.query("a", ["R"], 1000)) == ids


@query.sentence("a path that is not a list or tuple of relation types raises")
async def refused_paths(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        for wrong in ("R", None, {"R"}, ["R", 1], ["R", ""], [None]):
            with refused(f"the path {wrong!r}"):
                await graph.query("a", wrong)  # type: ignore[arg-type]


_DIAMONDS = 30
# Of edges there are 120, of paths 2 ** 30: what follows paths takes longer than this long before the end, in seconds.
_LONG = 10.0


@query.sentence("the cost follows the edges, never the number of paths")
async def cost_of_edges(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        chain = [
            edge
            for n in range(_DIAMONDS)
            for edge in (f"n{n} R l{n}", f"n{n} R r{n}", f"l{n} R n{n + 1}", f"r{n} R n{n + 1}")
        ]
        await add_graph(graph, *chain)
        for length in range(1, _DIAMONDS + 1):
            started = time.monotonic()
            async with asyncio.timeout(_LONG):
                assert _ids(await graph.query("n0", ["R"] * (2 * length))) == [f"n{length}"]
            took = time.monotonic() - started
            assert took < _LONG, f"{length} diamonds, {4 * length} relations, took {took:.1f} s"
        assert len(await graph.neighbors("n0", direction="outgoing", depth=2 * _DIAMONDS)) == 90
        shortest = await graph.shortest_path("n0", f"n{_DIAMONDS}", max_depth=2 * _DIAMONDS)
        assert _ids(shortest)[1::2] == [f"l{n}" for n in range(_DIAMONDS)]


neighbors = Group("neighbors", BackendType.KNOWLEDGE_GRAPH)


@neighbors.sentence("neighbors gives the distinct entities next to one, without itself, by id")
async def next_to_one(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "m R b", "m S b", "b R m", "a R m", "m R m", "m R é", "m R Z", "b R far")
        assert_same(await graph.neighbors("m"), [_entity(id) for id in ("Z", "a", "b", "é")], "the neighbours")
        assert await graph.neighbors("x") == []


@neighbors.sentence(
    "neighbors follows the direction and the relation type that is asked for, both directions by default"
)
async def direction_and_type(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "m R out", "in R m", "m S other", "in S m", "out R out2", "in2 R in", "out S side")
        assert _ids(await graph.neighbors("m", "R")) == ["in", "out"]
        assert _ids(await graph.neighbors("m", "R", "outgoing")) == ["out"]
        assert _ids(await graph.neighbors("m", "S", "incoming")) == ["in"]
        assert _ids(await graph.neighbors("m", None, "outgoing")) == ["other", "out"]
        assert _ids(await graph.neighbors("m", "R", "outgoing", 2)) == ["out", "out2"]
        assert _ids(await graph.neighbors("m", "R", "incoming", 2)) == ["in", "in2"]
        assert await graph.neighbors("m", "T") == []


@neighbors.sentence("neighbors gives what is within the depth, also where the relations form circles")
async def within_the_depth(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R c", "c R d", "d R a", "d R e")
        assert _ids(await graph.neighbors("a", direction="outgoing", depth=1)) == ["b"]
        assert _ids(await graph.neighbors("a", direction="outgoing", depth=2)) == ["b", "c"]
        assert _ids(await graph.neighbors("a", direction="outgoing", depth=4)) == ["b", "c", "d", "e"]
        assert _ids(await graph.neighbors("a", depth=1)) == ["b", "d"]
        assert _ids(await graph.neighbors("a", depth=1000)) == ["b", "c", "d", "e"]


@neighbors.sentence("a walk ends where nobody new is reached, however far it may go")
async def ends_in_circles(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        ids = [f"n{number}" for number in range(30)]
        await add_graph(graph, *(f"{one} R {next}" for one, next in zip(ids, [*ids[1:], ids[0]], strict=True)))
        await graph.add_entity("alone", "T")
        async with asyncio.timeout(_LONG):
            for direction in ("outgoing", "incoming", "both"):
                assert len(await graph.neighbors("n0", None, direction, depth=10**9)) == len(ids) - 1
            assert await graph.shortest_path("n0", "alone", max_depth=10**9) is None


@neighbors.sentence("neighbors gives the first by id, 100 by default")
async def first_hundred(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        ids = [f"n{number:03}" for number in range(102)]
        await add_graph(graph, *(f"z R {id}" for id in ids), "n101 R a")
        assert _ids(await graph.neighbors("z")) == ids[:100]
        assert _ids(await graph.neighbors("z", limit=2)) == ids[:2]
        assert _ids(await graph.neighbors("z", depth=2, limit=2)) == ["a", "n000"]


@neighbors.sentence("a depth that is not an int of at least 1 raises")
async def depth_refused(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b")
        for depth in (0, -1, True, 1.0, "1", None):
            with refused(f"neighbors with the depth {depth!r}"):
                await graph.neighbors("a", depth=depth)  # type: ignore[arg-type]
            with refused(f"shortest_path with the max_depth {depth!r}"):
                await graph.shortest_path("a", "b", max_depth=depth)  # type: ignore[arg-type]


shortest_path = Group("shortest_path", BackendType.KNOWLEDGE_GRAPH)


@shortest_path.sentence("shortest_path gives the entities from one to the other, both included")
async def both_ends(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R c", "c R d", "a S c")
        assert_same(await graph.shortest_path("a", "d"), [_entity(id) for id in "acd"], "the path")
        assert _ids(await graph.shortest_path("a", "b")) == ["a", "b"]


@shortest_path.sentence("shortest_path gives None where there is no path along outgoing relations")
async def no_path(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "c R a")
        assert await graph.shortest_path("b", "a") is None
        assert await graph.shortest_path("a", "c") is None
        assert await graph.shortest_path("a", "x") is None
        assert await graph.shortest_path("x", "a") is None
        assert await graph.shortest_path("x", "x") is None


@shortest_path.sentence("the path from an entity to itself is the entity alone")
async def to_itself(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R b", "b R a", "b R b")
        assert _ids(await graph.shortest_path("a", "a")) == ["a"]
        assert _ids(await graph.shortest_path("b", "b")) == ["b"]


@shortest_path.sentence("of equally short paths shortest_path gives the smallest by ids")
async def smallest(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        # a-b-z-e comes before a-c-d-e, though d comes before z; and before a-b-é-e
        await add_graph(
            graph, "a R c", "c R d", "d R e", "a R b", "b R z", "z R e", "b R é", "é R e", "a R x", "x R A", "A R e"
        )
        assert _ids(await graph.shortest_path("a", "e")) == ["a", "b", "z", "e"]
    async with harness.open() as graph:
        await add_graph(graph, "s R \U00010000", "s R \uffff", "\U00010000 R t", "\uffff R t")
        assert _ids(await graph.shortest_path("s", "t")) == ["s", "\uffff", "t"]


@shortest_path.sentence("shortest_path follows only the relation types that are given")
async def of_types(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, "a R d", "a S b", "b T d", "b S c", "c S d")
        assert _ids(await graph.shortest_path("a", "d")) == ["a", "d"]
        assert _ids(await graph.shortest_path("a", "d", ["S", "T"])) == ["a", "b", "d"]
        assert _ids(await graph.shortest_path("a", "d", ("S",))) == ["a", "b", "c", "d"]
        assert await graph.shortest_path("a", "d", ["T"]) is None
        assert await graph.shortest_path("a", "d", []) is None


@shortest_path.sentence("shortest_path is at most max_depth relations long, 6 by default")
async def within_max_depth(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *(f"n{number} R n{number + 1}" for number in range(8)))
        assert _ids(await graph.shortest_path("n0", "n6")) == [f"n{number}" for number in range(7)]
        assert await graph.shortest_path("n0", "n7") is None
        assert _ids(await graph.shortest_path("n0", "n7", max_depth=7))[-1] == "n7"
        assert await graph.shortest_path("n0", "n2", max_depth=1) is None
        assert _ids(await graph.shortest_path("n0", "n1", max_depth=1)) == ["n0", "n1"]


@shortest_path.sentence("walks give the same after the storage was opened again", needs="survives a crash")
async def persisted(harness: GraphHarness) -> None:
    storage = harness.storage()
    async with storage.open() as graph:
        await add_graph(graph, "a R b", "b S a", "a R a", "a R c", "c R d", "x R d")
        await graph.delete_entity("x")
        await graph.delete_relation("a", "a", "R")
    async with storage.open() as graph:
        assert edges(await graph.get_relations("a", direction="both")) == ["a R b", "a R c", "b S a"]
        assert _ids(await graph.query("a", ["R", "R"])) == ["d"]
        assert _ids(await graph.shortest_path("b", "d")) == ["b", "a", "c", "d"]
        assert _ids(await graph.neighbors("d", depth=2)) == ["a", "c"]
        await graph.add_relation("d", "a", "R")
        assert _ids(await graph.query("d", ["R"])) == ["a"]
