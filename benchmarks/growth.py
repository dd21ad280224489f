"""How cost grows with what is stored, as tables and as pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import graph as graphs
from benchmarks import opening, peers, vectors
from benchmarks.data import Corpus, mixture, power_law
from benchmarks.harness import Call, Figures, Plan, Result, apart, installed, library, race
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import VectorStoreBackend

_DIMENSION = 128
_REPEATED = 100  # short operations in a turn
_DEGREE = 100  # relations of an entity that is deleted

# For each piece of work, the figure at each size.
_Curves = dict[str, dict[int, float]]


async def growth(plan: Plan) -> list[Result]:
    """How cost grows.

    Vectors of 128 numbers: searching and adding in memory (faiss beside it), opening from the disk after a clean close.
    Graphs of ten relations an entity: the operations of the rows above, and the deletion of entities that have
    100 relations in a graph of any size.
    """
    curves: _Curves = {}
    for size in plan.sizes:
        _keep(curves, size, await _vector_figures(plan, size))
    graph_curves: _Curves = {}
    for size in (size for size in plan.sizes if size <= plan.entities):
        _keep(graph_curves, size, await _graph_figures(plan, size))
    if plan.pictures:
        _draw(plan.pictures / "growth-vectors.svg", "vectors", curves)
        _draw(plan.pictures / "growth-graph.svg", "entities", graph_curves)
    return [*_results("vectors", curves), *_results("graph", graph_curves)]


def _keep(curves: _Curves, size: int, figures: Figures) -> None:
    for work, figure in figures.items():
        if figure is not None:
            curves.setdefault(work, {})[size] = figure


def _results(kind: str, curves: _Curves) -> list[Result]:
    return [
        Result(f"{kind}: {work}", {f"{size:,}": figure for size, figure in curve.items()})
        for work, curve in curves.items()
    ]


async def _vector_figures(plan: Plan, size: int) -> Figures:
    corpus = mixture(size, _DIMENSION)

    def faiss() -> Call:
        index = peers.Faiss(None, _DIMENSION)
        index.fill(corpus)
        return lambda turn: index.search(corpus.query(turn))

    async with vectors.loaded(corpus) as store:
        searches = {
            "search": vectors.searching(store, corpus),
            "search, filter keeps 5 %": vectors.searching(store, corpus, vectors.CONDITIONS["5 %"]),
            **installed({"search by faiss": faiss}),
        }
        figures = await race(plan, searches, warm=vectors.WARM)
        figures |= await race(plan, {"add": partial(_add, store, corpus)}, per=_REPEATED)
    with TemporaryDirectory(dir=plan.directory) as name:
        apart(opening.fill_ours, Path(name) / "ours", corpus)
        times = [apart(opening.open_ours, Path(name) / "ours", corpus.queries[0]) for _ in range(3)]
    return {**figures, "open and first search": median(times)}


async def _add(store: VectorStoreBackend, corpus: Corpus, turn: int) -> None:
    for number in range(_REPEATED):
        await store.add(f"added-{turn}-{number}", corpus.vectors[number])


async def _graph_figures(plan: Plan, entities: int) -> Figures:
    relations = power_law(entities)
    chosen = [relations.ids[number] for number in graphs.typical(relations, _REPEATED)]
    async with graphs.loaded(relations) as graph:
        await _add_doomed(graph, plan, relations.ids)

        async def read(_: int) -> None:
            for id in chosen:
                await graph.get_entity(id)

        async def relate(_: int) -> None:
            for id in chosen:
                await graph.get_relations(id)

        async def query(_: int) -> None:
            for id in chosen:
                await graph.query(id, list(graphs.PATH))

        works = {"an entity": read, "its relations": relate, "a path of three steps": query}
        figures = await race(plan, works, per=_REPEATED, warm=2)
        figures |= await race(
            plan, {"deletion": lambda turn: graph.delete_entity(f"doomed-{turn}")}, settle=lambda: None
        )
    return figures


async def _add_doomed(graph: InMemoryKnowledgeGraph, plan: Plan, ids: Sequence[str]) -> None:
    """Add an entity of the same degree for each deletion."""
    doomed = [f"doomed-{turn}" for turn in range(plan.rounds + 1)]
    await graph.add_entities((id, "Thing", None) for id in doomed)
    await graph.add_relations(
        (id, target, "KNOWS", None) for id in doomed for target in ids[:: len(ids) // _DEGREE][:_DEGREE]
    )


def _draw(path: Path, things: str, curves: Mapping[str, Mapping[int, float]]) -> None:
    """Draw the curves on logarithmic axes."""
    try:
        matplotlib = library("matplotlib")
    except ModuleNotFoundError:
        return
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks"})
    plot = library("matplotlib.pyplot")
    figure, axes = plot.subplots(figsize=(7, 4.5))
    for work, curve in curves.items():
        axes.plot(list(curve), [seconds * 1e3 for seconds in curve.values()], marker="o", label=work)
    axes.set(xscale="log", yscale="log", xlabel=things, ylabel="milliseconds")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plot.close(figure)
