"""A knowledge graph in memory: walking from a hub, reading, deleting, memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np

from benchmarks import graph_peers
from benchmarks.data import Relations, power_law
from benchmarks.harness import (
    MEGABYTES,
    OURS,
    Call,
    Plan,
    Result,
    at_most,
    each_apart,
    installed,
    race,
    resident,
)
from benchmarks.process import lateness
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph

_HUB = 0
_DELETED = 10  # entities in a turn
_WARM = 2  # calls before anything is timed
_HUB_DEGREE = 200  # of those that are deleted
PATH = ("KNOWS", "CITES", "LIKES")
_BATCH = 50_000

Kinds = Mapping[str, Callable[[Relations], Any]]


@asynccontextmanager
async def loaded(relations: Relations) -> AsyncIterator[InMemoryKnowledgeGraph]:
    """Open a graph that holds the relations."""
    async with InMemoryKnowledgeGraph() as graph:
        await fill(graph, relations)
        yield graph


async def fill(graph: InMemoryKnowledgeGraph, relations: Relations) -> None:
    """Add everything, in batches."""
    ids = relations.ids
    await graph.add_entities((id, "Thing", {"rank": rank}) for rank, id in enumerate(ids))
    for start in range(0, len(relations.sources), _BATCH):
        rows = slice(start, start + _BATCH)
        part = Relations(relations.entities, relations.sources[rows], relations.targets[rows], relations.kinds[rows])
        await graph.add_relations((ids[source], ids[target], kind, None) for source, target, kind in part.triples())


def typical(relations: Relations, count: int) -> list[int]:
    """Return entities that have relations and are no hubs, each as likely as the other."""
    connected = np.unique(relations.sources)
    chosen: list[int] = np.random.default_rng(5).choice(connected[connected > 100], count).tolist()
    return chosen


def _each(entities: Sequence[int], operation: Callable[[int], Any]) -> Call:
    def work(_: int) -> None:
        for entity in entities:
            operation(entity)

    return work


async def walk(plan: Plan) -> list[Result]:
    """A typed path of three steps in a graph.

    The relations follow a power law. All distinct ends of a path from the hub, ours as entities with their
    properties, in order; the peers give ids in any order. Typical starts are entities taken at random. The last
    columns say how late a task that sleeps for 1 ms wakes up while another queries the hub without pause.
    """
    relations = power_law(plan.entities)
    starts = typical(relations, 200)
    kinds: Kinds = {
        "plain dictionaries": graph_peers.Dictionaries,
        "numpy adjacency arrays": graph_peers.Arrays,
        "rustworkx": graph_peers.Rustworkx,
        "igraph": graph_peers.Igraph,
        "networkx": graph_peers.Networkx,
        "sqlite": graph_peers.Sqlite,
        "ladybug": graph_peers.Ladybug,
    }
    filled: dict[str, Any] = {}

    def walking(name: str, entities: Sequence[int]) -> Call | None:
        peer = filled[name]
        return peer and _each(entities, lambda start: peer.walk(start, PATH))

    async with loaded(relations) as graph:

        async def query(entity: int) -> list[Any]:
            return await graph.query(relations.ids[entity], list(PATH), limit=relations.entities)

        async def usual_starts(_: int) -> None:
            for entity in starts:
                await query(entity)

        results = len(await query(_HUB))
        late = await lateness(plan, lambda _: query(_HUB))  # before anybody else's objects are there to be collected
        filled.update(installed(kinds, relations))
        for name, peer in filled.items():
            assert peer is None or len(peer.walk(_HUB, PATH)) == results, name
        contestants = {OURS: lambda _: query(_HUB), **{name: walking(name, [_HUB]) for name in kinds}}
        hub = await race(plan, contestants, warm=_WARM, frozen=False)
        others = {name: walking(name, starts) for name in kinds}
        usual = await race(plan, {OURS: usual_starts, **others}, per=len(starts), warm=_WARM)
    size = f"{relations.entities:,} entities, {len(relations.sources):,} relations"
    return [
        Result(f"{size}: from the hub, {results:,} results", hub, reaches=[at_most(0.075)]),
        Result("a typical start", usual, reaches=[at_most(0.0002)]),
        Result("a sleeper meanwhile, median lateness", {OURS: float(np.median(late))}, reaches=[at_most(2e-3)]),
        Result("and the largest", {OURS: max(late)}, reaches=[at_most(10e-3)]),
    ]


async def access(plan: Plan) -> list[Result]:
    """Reading and deleting in the same graph.

    An entity by its id and the outgoing relations of an entity, for entities taken at random; the deletion of an
    entity with about 200 relations, twenty times the average, ten others in each turn.
    """
    relations = power_law(plan.entities)
    chosen = typical(relations, 500)
    kinds: Kinds = {
        "plain dictionaries": graph_peers.Dictionaries,
        "rustworkx": graph_peers.Rustworkx,
        "networkx": graph_peers.Networkx,
        "igraph": graph_peers.Igraph,
        "ladybug": graph_peers.Ladybug,
    }
    filled = installed(kinds, relations)
    ids = relations.ids
    hubs = np.argsort(np.abs(relations.degrees - _HUB_DEGREE))[: _DELETED * (plan.rounds + 1)].tolist()
    turns = [hubs[start : start + _DELETED] for start in range(0, len(hubs), _DELETED)]

    def others(operation: str, work: Callable[[Callable[[int], Any]], Call]) -> dict[str, Call | None]:
        calls: dict[str, Call | None] = {}
        for name, peer in filled.items():
            if peer is None or hasattr(peer, operation):
                calls[name] = peer and work(getattr(peer, operation))
        return calls

    async with loaded(relations) as graph:

        async def read(_: int) -> None:
            for entity in chosen:
                await graph.get_entity(ids[entity])

        async def relate(_: int) -> None:
            for entity in chosen:
                await graph.get_relations(ids[entity])

        async def delete(turn: int) -> None:
            for entity in turns[turn]:
                await graph.delete_entity(ids[entity])

        reading = {OURS: read, **others("entity", lambda entity: _each(chosen, entity))}
        points = await race(plan, reading, per=len(chosen), warm=_WARM)
        relating = {OURS: relate, **others("relations", lambda of: _each(chosen, of))}
        related = await race(plan, relating, per=len(chosen), warm=_WARM)
        deleting = {OURS: delete, **others("delete", lambda of: lambda turn: _each(turns[turn], of)(turn))}
        deleted = await race(plan, deleting, per=_DELETED)
    degree = int(np.median(relations.degrees[hubs]))
    outgoing = np.bincount(relations.sources, minlength=relations.entities)[chosen].mean()
    return [
        Result("an entity", points, reaches=[at_most(3e-6)]),
        Result(f"an entity's relations ({outgoing:.1f} on average)", related, reaches=[at_most(8e-6)]),
        Result(f"deletion of a hub ({degree:,} relations)", deleted, reaches=[at_most(0.15e-3)]),
    ]


async def size(plan: Plan) -> list[Result]:
    """Memory of the same graph.

    What the resident memory of a fresh process grows by. Each entity has an id, a type and a property.
    """
    kinds: Kinds = {
        "plain dictionaries": graph_peers.Dictionaries,
        "rustworkx": graph_peers.Rustworkx,
        "igraph": graph_peers.Igraph,
        "networkx": graph_peers.Networkx,
    }
    growths: dict[str, Callable[[int], float]] = {OURS: _our_growth}
    growths |= {name: partial(_peer_growth, kind) for name, kind in kinds.items()}
    figures = each_apart(growths, plan.entities)
    work = f"{plan.entities:,} entities, {10 * plan.entities:,} relations"
    return [Result(work, figures, MEGABYTES, [at_most(250, MEGABYTES)])]


def _our_growth(entities: int) -> float:
    async def growth() -> float:
        relations = power_law(entities)
        before = resident()
        async with loaded(relations):
            return resident() - before

    return asyncio.run(growth())


def _peer_growth(kind: Callable[[Relations], Any], entities: int) -> float:
    relations = power_law(entities)
    before = resident()
    graph = kind(relations)
    growth = resident() - before
    del graph
    return growth
