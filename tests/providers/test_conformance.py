"""Every provider that the package ships passes the conformance kit, and so does what stands on the base classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from symphony_registry.providers.embedded.vectors import approximate
from symphony_registry.testing import (
    DIMENSION,
    CheckpointStoreConformance,
    KnowledgeGraphConformance,
    VectorStoreConformance,
)
from tests.helpers import plain


class OnFiles:
    """What the file providers have in common."""

    provider: ClassVar[object] = "file"

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"path": str(tmp_path / "data")}


class TestMemoryVectorStore(VectorStoreConformance):
    provider = "memory"


class TestFileVectorStore(OnFiles, VectorStoreConformance):
    pass


class WithAnIndex:
    """What searches by a graph, of however few vectors."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(approximate, "_FEWEST", 1)


@pytest.mark.slow
class TestMemoryVectorStoreWithAnIndex(WithAnIndex, VectorStoreConformance):
    provider = "memory"

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"index": "hnsw"}


@pytest.mark.slow
class TestFileVectorStoreWithAnIndex(WithAnIndex, OnFiles, VectorStoreConformance):
    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {**super().options(tmp_path), "index": "hnsw"}


class TestMemoryKnowledgeGraph(KnowledgeGraphConformance):
    provider = "memory"


class TestFileKnowledgeGraph(OnFiles, KnowledgeGraphConformance):
    pass


class TestMemoryCheckpointStore(CheckpointStoreConformance):
    provider = "memory"


class TestFileCheckpointStore(OnFiles, CheckpointStoreConformance):
    pass


class OnPostgres:
    """What the PostgreSQL providers have in common."""

    provider: ClassVar[object] = "postgres"

    @pytest.fixture(autouse=True)
    def _server(self, postgres_url: str, new_schema: Callable[[], str]) -> None:
        self._url, self._new_schema = postgres_url, new_schema

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"dsn": self._url, "schema": self._new_schema()}


class TestPostgresVectorStore(OnPostgres, VectorStoreConformance):
    pass


@pytest.mark.slow
class TestPostgresVectorStoreOfHalfTheSize(OnPostgres, VectorStoreConformance):
    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {**super().options(tmp_path), "storage": "halfvec"}


@pytest.mark.slow
class TestPostgresVectorStoreWithAnIndex(OnPostgres, VectorStoreConformance):
    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {**super().options(tmp_path), "index": "hnsw", "dimension": DIMENSION}


class TestPostgresKnowledgeGraph(OnPostgres, KnowledgeGraphConformance):
    pass


class TestPostgresCheckpointStore(OnPostgres, CheckpointStoreConformance):
    pass


class OnRedis:
    """What the Redis providers have in common."""

    provider: ClassVar[object] = "redis"

    @pytest.fixture(autouse=True)
    def _server(self, redis_url: str, new_prefix: Callable[[], str]) -> None:
        self._url, self._new_prefix = redis_url, new_prefix

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"url": self._url, "prefix": self._new_prefix()}


class TestRedisVectorStore(OnRedis, VectorStoreConformance):
    pass


@pytest.mark.slow
class TestRedisVectorStoreWithAnIndex(OnRedis, VectorStoreConformance):
    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {**super().options(tmp_path), "index": "hnsw", "dimension": DIMENSION}


class TestRedisKnowledgeGraph(OnRedis, KnowledgeGraphConformance):
    pass


class TestRedisCheckpointStore(OnRedis, CheckpointStoreConformance):
    pass


class OnValkey(OnRedis):
    """What there is without the query engine."""

    @pytest.fixture(autouse=True)
    def _server(self, valkey_url: str, new_prefix: Callable[[], str]) -> None:
        self._url, self._new_prefix = valkey_url, new_prefix


@pytest.mark.slow
class TestValkeyKnowledgeGraph(OnValkey, KnowledgeGraphConformance):
    pass


@pytest.mark.slow
class TestValkeyCheckpointStore(OnValkey, CheckpointStoreConformance):
    pass


class OnACluster(OnRedis):
    """One of three masters has all of a store."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_cluster_url: str, new_prefix: Callable[[], str]) -> None:
        self._url, self._new_prefix = redis_cluster_url, new_prefix


@pytest.mark.slow
class TestRedisClusterVectorStore(OnACluster, VectorStoreConformance):
    pass


@pytest.mark.slow
class TestRedisClusterKnowledgeGraph(OnACluster, KnowledgeGraphConformance):
    pass


@pytest.mark.slow
class TestRedisClusterCheckpointStore(OnACluster, CheckpointStoreConformance):
    pass


class OnDictionaries:
    """What the custom providers have in common."""

    large: ClassVar[int] = 200  # plain dictionaries, all on the event loop


class TestExampleVectorStore(VectorStoreConformance):
    provider = "custom_provider:MyCustomVectorStore"
    large = 200  # it compares in Python, on the event loop


class TestCustomVectorStore(OnDictionaries, VectorStoreConformance):
    provider = plain.DictVectorStore


class TestCustomKnowledgeGraph(OnDictionaries, KnowledgeGraphConformance):
    provider = plain.DictGraph


class TestCustomKnowledgeGraphWithListing(OnDictionaries, KnowledgeGraphConformance):
    provider = "tests.helpers.plain:DictGraphWithListing"


class TestCustomCheckpointStore(OnDictionaries, CheckpointStoreConformance):
    provider = plain.DictCheckpointStore
