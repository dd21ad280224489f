"""Every provider that the package ships passes the conformance kit, and so does what stands on the base classes."""

from pathlib import Path
from typing import Any, ClassVar

import custom_providers

from symphony_registry.testing import CheckpointStoreConformance, KnowledgeGraphConformance, VectorStoreConformance


class OnFiles:
    """What the file providers have in common."""

    provider: ClassVar[object] = "file"
    persists: ClassVar[bool] = True

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"path": str(tmp_path / "data")}


class TestMemoryVectorStore(VectorStoreConformance):
    provider = "memory"


class TestFileVectorStore(OnFiles, VectorStoreConformance):
    pass


class TestMemoryKnowledgeGraph(KnowledgeGraphConformance):
    provider = "memory"


class TestFileKnowledgeGraph(OnFiles, KnowledgeGraphConformance):
    pass


class TestMemoryCheckpointStore(CheckpointStoreConformance):
    provider = "memory"


class TestFileCheckpointStore(OnFiles, CheckpointStoreConformance):
    pass


class OnDictionaries:
    """What the custom providers have in common."""

    large: ClassVar[int] = 200  # plain dictionaries, all on the event loop


class TestExampleVectorStore(VectorStoreConformance):
    provider = "custom_provider:MyCustomVectorStore"
    large = 1_000  # it compares in Python, on the event loop


class TestCustomVectorStore(OnDictionaries, VectorStoreConformance):
    provider = custom_providers.DictVectorStore


class TestCustomKnowledgeGraph(OnDictionaries, KnowledgeGraphConformance):
    provider = custom_providers.DictGraph


class TestCustomKnowledgeGraphWithListing(OnDictionaries, KnowledgeGraphConformance):
    provider = "custom_providers:DictGraphWithListing"


class TestCustomCheckpointStore(OnDictionaries, CheckpointStoreConformance):
    provider = custom_providers.DictCheckpointStore
