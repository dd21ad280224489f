"""The options of the vector store in Redis."""

from typing import Literal

from pydantic import Field, model_validator

from symphony_registry.backends.vector_store.base import VectorOptions
from symphony_registry.providers.redis.options import RedisOptions

# Numbers of a vector that the query engine takes.
LARGEST = 32_768


class RedisVectorOptions(RedisOptions, VectorOptions):
    """The options of a vector store in Redis."""

    dimension: int | None = Field(
        default=None, ge=1, le=LARGEST, description="Length of every vector; default: of the first."
    )
    index: Literal["none", "hnsw"] = Field(
        default="none", description="none searches exactly; hnsw approximately, and needs dimension."
    )
    m: int = Field(default=16, ge=2, le=100, description="hnsw: connections of each vector, when the index is made.")
    ef_construction: int = Field(default=64, ge=4, le=1_000, description="hnsw: candidates when the index is made.")
    ef_search: int = Field(default=40, ge=1, le=1_000, description="hnsw: candidates of a search, at least.")

    @model_validator(mode="after")
    def _check_index(self) -> "RedisVectorOptions":
        if self.index == "hnsw" and self.dimension is None:
            raise ValueError("an hnsw index needs the option dimension")
        if self.address.database:
            raise ValueError("the query engine of Redis knows database 0 alone: leave the database out of the url")
        return self
