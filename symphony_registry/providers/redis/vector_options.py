"""The options of the vector store in Redis."""

from pydantic import Field, model_validator

from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.providers.redis.options import RedisOptions

# Numbers of a vector that the query engine takes.
LARGEST = 32_768


class RedisVectorOptions(RedisOptions, HNSWOptions):
    """The options of a vector store in Redis."""

    dimension: int | None = Field(
        default=None, ge=1, le=LARGEST, description="Length of every vector; default: of the first."
    )

    @model_validator(mode="after")
    def _check_index(self) -> "RedisVectorOptions":
        if self.index == "hnsw" and self.dimension is None:
            raise ValueError("an hnsw index needs the option dimension")
        if self.address.database:
            raise ValueError("the query engine of Redis knows database 0 alone: leave the database out of the url")
        return self
