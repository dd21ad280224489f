"""The storage products that ship with the package: the manifest, and a folder each.

None is imported before it is used.
"""

from symphony_registry.backends.lookup import Product
from symphony_registry.backends.storage import BackendType

PRODUCTS = (
    Product(
        "memory",
        "this process; for tests",
        "symphony_registry.providers.embedded",
        {
            BackendType.VECTOR_STORE: "vectors.store:InMemoryVectorStore",
            BackendType.KNOWLEDGE_GRAPH: "graph.store:InMemoryKnowledgeGraph",
            BackendType.CHECKPOINT_STORE: "checkpoints.store:InMemoryCheckpointStore",
        },
    ),
    Product(
        "file",
        "a directory of readable JSON lines",
        "symphony_registry.providers.embedded",
        {
            BackendType.VECTOR_STORE: "vectors.store:FileVectorStore",
            BackendType.KNOWLEDGE_GRAPH: "graph.store:FileKnowledgeGraph",
            BackendType.CHECKPOINT_STORE: "checkpoints.store:FileCheckpointStore",
        },
    ),
    Product(
        "postgres",
        "PostgreSQL with pgvector",
        "symphony_registry.providers.postgres",
        {
            BackendType.VECTOR_STORE: "vector_store:PostgresVectorStore",
            BackendType.KNOWLEDGE_GRAPH: "knowledge_graph:PostgresKnowledgeGraph",
            BackendType.CHECKPOINT_STORE: "checkpoint_store:PostgresCheckpointStore",
        },
        extra="postgres",
    ),
    Product(
        "redis",
        "Redis or Valkey",
        "symphony_registry.providers.redis",
        {
            BackendType.VECTOR_STORE: "vector_store:RedisVectorStore",
            BackendType.KNOWLEDGE_GRAPH: "knowledge_graph:RedisKnowledgeGraph",
            BackendType.CHECKPOINT_STORE: "checkpoint_store:RedisCheckpointStore",
        },
        extra="redis",
    ),
)
