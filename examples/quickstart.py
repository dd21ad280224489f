"""Find software by describing it: vectors, a graph and checkpoints, behind whatever the configuration says.

    python examples/quickstart.py                                      # in memory
    SYMPHONY_REGISTRY_ENV=development python examples/quickstart.py    # in files: stop it, or run it twice
    SYMPHONY_REGISTRY_CONFIG_DIR=examples/config_custom python examples/quickstart.py    # a provider of your own

The answers, on stdout, are the same each time. How they came about is told on stderr.
"""

import asyncio
import base64
import json
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from symphony_registry import KnowledgeGraphBackend, ServiceRegistry, VectorStoreBackend

EXAMPLES = Path(__file__).parent
DATA = EXAMPLES / "data"  # a thousand packages of Debian 12; see its README.md
BATCH = 250
WIDTH = 100

# Some questions are about a part of the packages only.
FILTERS: dict[str, dict[str, Any]] = {
    "real time strategy game": {"size_kb": {"$lt": 5000}},
    "play chess against the computer": {"section": "games", "size_kb": {"$lt": 500}},
    "database backup": {"section": "database"},
    "speech synthesis": {"tags": {"$contains": "interface::commandline"}},
    "spreadsheet": {"$not": {"section": "editors"}},
}

T = TypeVar("T")
Float16s = npt.NDArray[np.float16]


async def main() -> None:
    """Load the packages, answer every question, and explain some dependencies."""
    registry = ServiceRegistry.from_config(
        config_dir=os.environ.get("SYMPHONY_REGISTRY_CONFIG_DIR", EXAMPLES.parent / "config")
    )
    async with registry:
        await load(registry.vector_store(), registry.knowledge_graph())
        await answer_all(registry)
        await explain(registry.knowledge_graph())


async def load(packages: VectorStoreBackend, graph: KnowledgeGraphBackend) -> None:
    """Store each package with its embedding, and what depends on what."""
    items = read_packages()
    entities = [(id, "Package", properties) for id, _, properties in items]
    loaded = [
        await fill(items, await packages.count(), packages.add_many),
        await fill(entities, await graph.count_entities(), graph.add_entities),
        await fill(read_relations(), await graph.count_relations(), graph.add_relations),
    ]
    tell("loaded {:,} vectors, {:,} packages and {:,} relations".format(*loaded))


async def fill(items: Sequence[T], done: int, add: Callable[[Sequence[T]], Awaitable[None]]) -> int:
    """Add what is not `done` yet, and return how much it was.

    Each batch is stored whole or not at all, always in the same order: the count
    alone says how far a run came that was stopped.
    """
    for start in range(done, len(items), BATCH):
        await add(items[start : start + BATCH])
    return len(items) - done


async def answer_all(registry: ServiceRegistry) -> None:
    """Answer the questions one by one, saving each answer, so that no work is done twice."""
    checkpoints = registry.checkpoint_store()
    saved = await checkpoints.get_checkpoint("quickstart")
    answers: dict[str, Any] = saved["data"] if saved else {}
    tell(f"{len(answers)} answers were in the checkpoint")

    for question, vector in read_queries().items():
        if question not in answers:
            answers[question] = await answer(registry, vector, FILTERS.get(question))
            await checkpoints.save_checkpoint("quickstart", answers, {"answered": len(answers)})
        show(question, answers[question])


async def answer(registry: ServiceRegistry, question: Float16s, metadata_filter: dict[str, Any] | None) -> Any:
    """Return the three best packages, and what the best of them needs."""
    graph = registry.knowledge_graph()
    found = await registry.vector_store().search(question, 3, metadata_filter, include_vectors=False)
    best = found[0]["id"]
    needs = await graph.query(best, ["DEPENDS_ON"])
    further = await graph.query(best, ["DEPENDS_ON", "DEPENDS_ON"])
    return {"found": found, "needs": names(needs), "further": names(further)}


def show(question: str, answer: Any) -> None:
    """Print one answer."""
    where = f"   where {json.dumps(FILTERS[question])}" if question in FILTERS else ""
    print(f"{question}{where}")
    for found in answer["found"]:
        package = found["metadata"]
        print(f"  {found['similarity']:.3f}  {found['id']:<17}{package['section']:<9}{package['text']}")
    show_list("needs", answer["needs"])
    show_list("which need", answer["further"])
    print()


async def explain(graph: KnowledgeGraphBackend) -> None:
    """Print what the graph knows around a backup tool."""
    around = await graph.neighbors("deja-dup", "DEPENDS_ON", "outgoing", depth=3)
    print(f"deja-dup stands on {len(around)} packages within three steps")
    show_list("backwards: what needs gnupg", names(await graph.neighbors("gnupg", "DEPENDS_ON", "incoming")))
    path = await graph.shortest_path("deja-dup", "passwd", ["DEPENDS_ON"])
    show_list("why it needs passwd", names(path or []), " > ")


def names(entities: Sequence[Any]) -> list[str]:
    """Return the ids of some entities."""
    return [entity["id"] for entity in entities]


def show_list(title: str, ids: Sequence[str], separator: str = ", ") -> None:
    """Print ids on one line, as many as it takes."""
    if ids:
        print(textwrap.shorten(f"{title}: {separator.join(ids)}", WIDTH - 9, placeholder=" ..."))


def tell(what: str) -> None:
    """Say how the work goes."""
    print(what, file=sys.stderr)


def read_packages() -> list[tuple[str, Float16s, dict[str, Any]]]:
    """Return (id, embedding, properties) of each package."""
    with (DATA / "packages.jsonl").open(encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    return [(package.pop("id"), decode(package.pop("vector")), package) for package in packages]


def read_relations() -> list[tuple[str, str, str, None]]:
    """Return (from, to, type, properties) of each relation."""
    lines = (DATA / "relations.tsv").read_text(encoding="utf-8").splitlines()
    return [(start, end, kind, None) for start, kind, end in (line.split("\t") for line in lines)]


def read_queries() -> dict[str, Float16s]:
    """Return the embedding of each question."""
    queries = json.loads((DATA / "queries.json").read_text(encoding="utf-8"))
    return {text: decode(vector) for text, vector in queries.items()}


def decode(text: str) -> Float16s:
    """Return a vector that was written as base64 of little-endian float16."""
    return np.frombuffer(base64.b64decode(text), "<f2")


if __name__ == "__main__":
    asyncio.run(main())
