"""The options of an approximate search, wherever the vectors are."""

from typing import Literal

from pydantic import Field

from symphony_registry.backends.vector_store.base import VectorOptions


class HNSWOptions(VectorOptions):
    """The options of a vector store that may have an HNSW graph of its vectors."""

    index: Literal["none", "hnsw"] = Field(
        default="none",
        description="none searches exactly; hnsw approximately, where there are many vectors "
        "(memory and file need the extra hnsw).",
    )
    m: int = Field(default=16, ge=2, le=100, description="hnsw: neighbours of each vector in the index.")
    ef_construction: int = Field(
        default=64, ge=4, le=1_000, description="hnsw: candidates for these neighbours, when the index is made."
    )
    ef_search: int = Field(
        default=40,
        ge=1,
        le=1_000,
        description="hnsw: candidates of a search, raised where its limit needs more; more miss less and take longer.",
    )
