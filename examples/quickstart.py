"""Find software by describing it: vectors, a graph and checkpoints, wherever the configuration keeps them.

    python examples/quickstart.py                                        # in memory
    SYMPHONY_REGISTRY_ENV=development python examples/quickstart.py      # in files: stop it, run it again
    SYMPHONY_REGISTRY_CONFIG_DIR=examples/config_custom python examples/quickstart.py    # your own provider

The answers on stdout are the same each time; how much was there from an earlier run is told on stderr.
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

HERE = Path(__file__).parent
DATA = HERE / "data"  # a thousand packages of Debian 12; see its README.md
CONFIG = os.environ.get("SYMPHONY_REGISTRY_CONFIG_DIR", HERE.parent / "config")
BATCH = 250

# Questions about some of the packages only.
FILTERS: dict[str, dict[str, Any]] = {
    "real time strategy game": {"size_kb": {"$lt": 5000}},
    "play chess against the computer": {"section": "games", "size_kb": {"$lt": 500}},
    "database backup": {"tags": {"$contains": "admin::backup"}},
    "speech synthesis": {"tags": {"$contains": "interface::commandline"}},
    "spreadsheet": {"$not": {"section": "editors"}},
    "markdown editor": {"section": "editors"},
}

T = TypeVar("T")
Embedding = npt.NDArray[np.float16]


async def main() -> None:
    """Load the packages, answer the questions, and walk the dependencies."""
    async with ServiceRegistry.from_config(config_dir=CONFIG) as registry:
        await load(registry.vector_store(), registry.knowledge_graph())
        await answer_all(registry)
        await explain(registry.knowledge_graph())


async def load(packages: VectorStoreBackend, graph: KnowledgeGraphBackend) -> None:
    """Store each package with its embedding, and what depends on what."""
    items = read_packages()
    entities = [(id, "Package", properties) for id, _, properties in items]
    await fill("vectors", items, await packages.count(), packages.add_many)
    await fill("entities", entities, await graph.count_entities(), graph.add_entities)
    await fill("relations", read_relations(), await graph.count_relations(), graph.add_relations)


async def fill(what: str, items: Sequence[T], done: int, add: Callable[[Sequence[T]], Awaitable[object]]) -> None:
    """Add the items that an earlier run did not.

    The order is fixed, and a batch is stored whole or not at all: their count
    says how far a run came that was stopped.
    """
    tell(what, done, len(items))
    for start in range(done, len(items), BATCH):
        await add(items[start : start + BATCH])


async def answer_all(registry: ServiceRegistry) -> None:
    """Answer one question after the other, and save the answers so far, so that none is worked out twice."""
    questions = read_questions()
    checkpoints = registry.checkpoint_store()
    saved = await checkpoints.get_checkpoint("quickstart")
    answers: dict[str, Any] = saved["data"] if saved else {}
    tell("answers", len(answers), len(questions))
    for question, embedding in questions.items():
        if question not in answers:
            answers[question] = await answer(registry, embedding, FILTERS.get(question))
            await checkpoints.save_checkpoint("quickstart", answers, {"answered": len(answers)})
        show(question, answers[question])


async def answer(registry: ServiceRegistry, embedding: Embedding, where: dict[str, Any] | None) -> dict[str, Any]:
    """Return the three packages that fit best, and what the first of them needs."""
    found = await registry.vector_store().search(embedding, 3, where, include_vectors=False)
    needs = await registry.knowledge_graph().query(found[0]["id"], ["DEPENDS_ON"])
    return {"found": found, "needs": needs}


def show(question: str, answer: dict[str, Any]) -> None:
    """Print a question and its answer."""
    where = f"   where {json.dumps(FILTERS[question])}" if question in FILTERS else ""
    print(f"{question}{where}")
    for found in answer["found"]:
        package = found["metadata"]
        print(f"  {found['similarity']:.3f}  {found['id']:<16} {package['section']:<8} {package['text']}")
    show_ids(f"{answer['found'][0]['id']} needs", answer["needs"])
    print()


async def explain(graph: KnowledgeGraphBackend) -> None:
    """Print what stands around one of the answers."""
    print("a look around deja-dup")
    show_ids("in two steps", await graph.query("deja-dup", ["DEPENDS_ON", "DEPENDS_ON"]))
    around = await graph.neighbors("deja-dup", "DEPENDS_ON", "outgoing", depth=3)
    show_ids(f"all {len(around)} within three", around)
    show_ids("gnupg is needed by", await graph.neighbors("gnupg", "DEPENDS_ON", "incoming"))
    path = await graph.shortest_path("deja-dup", "passwd", ["DEPENDS_ON"])
    show_ids("what leads to passwd", path or [], " > ")


def show_ids(title: str, entities: Sequence[Any], separator: str = ", ") -> None:
    """Print the ids of entities on one line, as many as it takes."""
    if entities:
        ids = separator.join(entity["id"] for entity in entities)
        print("        ", textwrap.shorten(f"{title}: {ids}", 91, placeholder=" ...", break_on_hyphens=False))


def tell(what: str, done: int, total: int) -> None:
    """Say how much of the work an earlier run did."""
    print(f"{what}: {done:,} of {total:,} there already", file=sys.stderr)


def read_packages() -> list[tuple[str, Embedding, dict[str, Any]]]:
    """Return (id, embedding, properties) of each package."""
    lines = (DATA / "packages.jsonl").read_text(encoding="utf-8").splitlines()
    packages = [json.loads(line) for line in lines]
    return [(package.pop("id"), decode(package.pop("vector")), package) for package in packages]


def read_relations() -> list[tuple[str, str, str, None]]:
    """Return (from, to, type, properties) of each relation."""
    lines = (DATA / "relations.tsv").read_text(encoding="utf-8").splitlines()
    return [(start, end, kind, None) for start, kind, end in (line.split("\t") for line in lines)]


def read_questions() -> dict[str, Embedding]:
    """Return the questions with their embeddings."""
    questions = json.loads((DATA / "queries.json").read_text(encoding="utf-8"))
    return {question: decode(vector) for question, vector in questions.items()}


def decode(text: str) -> Embedding:
    """Return a vector that was written as base64 of little-endian float16."""
    return np.frombuffer(base64.b64decode(text), "<f2")


if __name__ == "__main__":
    asyncio.run(main())
