"""An embedding that needs no model."""

import hashlib

import numpy as np
import pytest
from llama_index.core.embeddings import BaseEmbedding, MockEmbedding


class Hashed(MockEmbedding):
    """Embeds equal texts equally, in every process."""

    def _get_vector(self) -> list[float]:
        raise NotImplementedError

    def _get_text_embedding(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return [float(number) for number in np.random.default_rng(seed).normal(size=self.embed_dim)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embedding(text)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture
def embed_model() -> BaseEmbedding:
    return Hashed(embed_dim=8)
