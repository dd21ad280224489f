"""What the tests of the PostgreSQL providers try on each of them."""

import pytest

from symphony_registry.backends.checkpoint_store.postgres import PostgresCheckpointStore
from symphony_registry.backends.knowledge_graph.postgres import PostgresKnowledgeGraph
from symphony_registry.backends.vector_store.postgres import PostgresVectorStore

KINDS = [PostgresVectorStore, PostgresKnowledgeGraph, PostgresCheckpointStore]
each_type = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.backend_type))
