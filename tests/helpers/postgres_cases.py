"""What the tests of the PostgreSQL providers try on each of them."""

import pytest

from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from symphony_registry.providers.postgres.knowledge_graph import PostgresKnowledgeGraph
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore

KINDS = [PostgresVectorStore, PostgresKnowledgeGraph, PostgresCheckpointStore]
each_type = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.backend_type))
