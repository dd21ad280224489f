"""The conformance kit: one test for every sentence of the contract.

The author of a provider subclasses the class of its backend type:

    from symphony_registry.testing import VectorStoreConformance

    class TestMyStore(VectorStoreConformance):
        provider = "my_package.stores:MyStore"

Without pytest, `await run_conformance(harness)` gives a report.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symphony_registry.testing.catalog import sentences
    from symphony_registry.testing.conformance import (
        CheckpointStoreConformance,
        KnowledgeGraphConformance,
        VectorStoreConformance,
    )
    from symphony_registry.testing.harness import Harness
    from symphony_registry.testing.report import Outcome, Report, run_conformance
    from symphony_registry.testing.sentence import Sentence

__all__ = [
    "CheckpointStoreConformance",
    "Harness",
    "KnowledgeGraphConformance",
    "Outcome",
    "Report",
    "Sentence",
    "VectorStoreConformance",
    "run_conformance",
    "sentences",
]

# Imported on first use: pytest imports this package for its plugin, in every run.
_HOMES = {
    "CheckpointStoreConformance": "conformance",
    "Harness": "harness",
    "KnowledgeGraphConformance": "conformance",
    "Outcome": "report",
    "Report": "report",
    "Sentence": "sentence",
    "VectorStoreConformance": "conformance",
    "run_conformance": "report",
    "sentences": "catalog",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found  # a submodule may have the same name
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
