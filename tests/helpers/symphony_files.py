"""Directories as the file backends of the Symphony framework write them, and the items that they hold."""

import json
from pathlib import Path
from typing import Any

from symphony_registry.backends import BackendType

VECTORS, GRAPH, CHECKPOINTS = BackendType

# As json.dump writes them, in the order in which a store gives them.
WRITTEN: dict[BackendType, dict[str, Any]] = {
    VECTORS: {
        "vectors/B.json": {"id": "B", "vector": [0.10000000149011612, -0.0, 3.0], "metadata": {"n": [1, 1.0, None]}},
        "vectors/a b.json": {"id": "a b", "vector": [1.0, 0.0, 0.0], "metadata": {}},
        "vectors/é.json": {"id": "é", "vector": [1.0, 0.5, 0.0], "metadata": {"deep": {"é": True}}},
    },
    GRAPH: {
        "entities/ada.json": {"id": "ada", "type": "Person", "properties": {"name": "Ada"}},
        "entities/the--engine.json": {"id": "the--engine", "type": "Machine", "properties": {}},
        "relations/ada--the--engine--DESCRIBED.json": {
            "from_id": "ada", "to_id": "the--engine", "type": "DESCRIBED", "properties": {"year": 1843},
        },
    },
    CHECKPOINTS: {
        "checkpoints/z.json": {"state": "initial"},
        "checkpoints/a.json": {"state": "updated"},
        "metadata/z.json": {"name": "first", "timestamp": 1700000000.25, "checkpoint_id": "z"},
        "metadata/a.json": {"timestamp": 1700000001.5, "checkpoint_id": "a"},
    },
}  # fmt: skip
ITEMS: dict[BackendType, list[Any]] = {
    VECTORS: list(WRITTEN[VECTORS].values()),
    GRAPH: list(WRITTEN[GRAPH].values()),
    CHECKPOINTS: [
        {
            "checkpoint_id": id,
            "data": WRITTEN[CHECKPOINTS][f"checkpoints/{id}.json"],
            "metadata": WRITTEN[CHECKPOINTS][f"metadata/{id}.json"],
        }
        for id in ("z", "a")
    ],
}


def write(directory: Path, kind: BackendType, changed: dict[str, Any] | None = None) -> Path:
    """Write a directory of the framework's; what is changed may be an item, any text, or nothing."""
    for name, item in {**WRITTEN[kind], **(changed or {})}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if item is not None:
            path.write_text(item if isinstance(item, str) else json.dumps(item, indent=2))
    return directory
