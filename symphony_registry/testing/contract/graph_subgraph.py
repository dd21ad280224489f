"""Sentences about the part of a graph that is near some entities."""

from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend, Subgraph
from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract.graph import GraphHarness, add_graph, edges
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.sentence import Group

subgraph = Group("subgraph", BackendType.KNOWLEDGE_GRAPH)

# By (from, to, type).
_EDGES = ["a R a", "a S m", "b S a", "b R far", "far R farther", "m R b", "m R m", "other R farther", "é R b"]


def _parts(found: Subgraph) -> tuple[str, list[str]]:
    return " ".join(entity["id"] for entity in found["entities"]), edges(found["relations"])


async def _near(graph: KnowledgeGraphBackend, *starts: str, **options: object) -> str:
    found = await graph.subgraph(starts, **options)  # type: ignore[arg-type]
    return _parts(found)[0]


@subgraph.sentence(
    "subgraph gives the entities within the depth, the nearest first, then by id, and the relations among them"
)
async def within_the_depth(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        assert _parts(await graph.subgraph(["m"])) == ("m a b", ["a R a", "a S m", "b S a", "m R b", "m R m"])
        assert await _near(graph, "m", depth=2) == "m a b far é"
        everything = await graph.subgraph(["m"], 9)
        assert _parts(everything) == ("m a b far é farther other", _EDGES)
        await graph.add_relation("m", "b", "R", {"n": [1]})
        found = await graph.subgraph(["m"])
        assert_same(found["entities"], await graph.get_entities(["m", "a", "b"]), "the entities")
        assert_same(found["relations"][3], (await graph.get_relations("m", "R"))[0], "a relation")


@subgraph.sentence("the depth 0 gives the entities themselves and the relations among them")
async def depth_0(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        assert _parts(await graph.subgraph(["m", "b", "a"], 0)) == (
            "a b m",
            ["a R a", "a S m", "b S a", "m R b", "m R m"],
        )
        assert _parts(await graph.subgraph(iter(["far"]), 0)) == ("far", [])


@subgraph.sentence("of several entities the nearest counts; ids of none, and ids again, change nothing")
async def several_starts(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        assert await _near(graph, "other", "m", "nobody", "m") == "m other a b farther"
        assert _parts(await graph.subgraph(["nobody"], 3)) == ("", [])
        assert _parts(await graph.subgraph([], 3)) == ("", [])
        assert await _near(graph, "nobody", "m", limit=1) == "m"


@subgraph.sentence(
    "subgraph follows the direction and the relation types that are asked for, and gives only such types"
)
async def direction_and_types(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        assert _parts(await graph.subgraph(["m"], direction="outgoing", depth=9)) == (
            "m b a far farther",
            ["a R a", "a S m", "b S a", "b R far", "far R farther", "m R b", "m R m"],
        )
        assert _parts(await graph.subgraph(["m"], direction="incoming", depth=9)) == (
            "m a b é",
            ["a R a", "a S m", "b S a", "m R b", "m R m", "é R b"],
        )
        assert _parts(await graph.subgraph(["b"], relation_types=["S"], depth=2)) == ("b a m", ["a S m", "b S a"])
        assert _parts(await graph.subgraph(["b"], relation_types=("S", "T"))) == ("b a", ["b S a"])
        assert _parts(await graph.subgraph(["m", "b"], relation_types=[])) == ("b m", [])
        assert _parts(await graph.subgraph(["m"], relation_types=["T", "r"])) == ("m", [])


@subgraph.sentence(
    "subgraph gives at most limit entities, 1000 by default, all with None, and relations among these alone"
)
async def limited(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        order = ["m", "a", "b", "far", "é", "farther", "other"]
        for limit in range(1, 9):
            found = await graph.subgraph(["m"], 9, limit=limit)
            inside = set(order[:limit])
            among = [edge for edge in _EDGES if {edge.split()[0], edge.split()[2]} <= inside]
            assert _parts(found) == (" ".join(order[:limit]), among), f"the limit {limit}"
        assert await _near(graph, "other", "m", "b", limit=2, depth=0) == "b m"
        ids = [f"n{number:04}" for number in range(1_001)]
        await add_graph(graph, *(f"hub R {id}" for id in ids))
        found = await graph.subgraph(["hub"])
        assert [entity["id"] for entity in found["entities"]] == ["hub", *ids[:999]]
        assert len(found["relations"]) == 999
        found = await graph.subgraph(["hub"], limit=None)
        assert (len(found["entities"]), len(found["relations"])) == (1_002, 1_001)


@subgraph.sentence("a depth or a direction that is none raises, and ids that are no list")
async def refused_arguments(harness: GraphHarness) -> None:
    async with harness.open() as graph:
        await add_graph(graph, *_EDGES)
        for depth in (-1, True, 1.0, None, "1"):
            with refused(f"depth={depth!r}"):
                await graph.subgraph(["m"], depth)  # type: ignore[arg-type]
        for direction in ("up", None, "OUTGOING"):
            with refused(f"direction={direction!r}"):
                await graph.subgraph(["m"], direction=direction)  # type: ignore[arg-type]
        for starts in ("m", None, 7, {"m": 1}):
            with refused(f"entity_ids={starts!r}"):
                await graph.subgraph(starts)  # type: ignore[arg-type]
        for types in ("R", {"R"}, [None]):
            with refused(f"relation_types={types!r}"):
                await graph.subgraph(["m"], relation_types=types)  # type: ignore[arg-type]
