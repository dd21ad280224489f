"""Vectors of texts, by the embedding that an index has."""

import asyncio
from collections.abc import Iterable, Sequence

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, ensure_embeddings
from langgraph.store.base.embed import EmbeddingsLambda

from symphony_registry.errors import InvalidValueError, hint
from symphony_registry.integrations.calling import on_thread
from symphony_registry.integrations.langgraph.batching import Batches

Vector = list[float]


class Embedding:
    """Embeds texts of many puts by one call, and queries each for itself."""

    def __init__(self, config: IndexConfig) -> None:
        for key in config:
            if key not in IndexConfig.__annotations__:
                raise InvalidValueError(f"index has no {key!r}. {hint(key, IndexConfig.__annotations__)}")
        if "embed" not in config:
            raise InvalidValueError('index has no "embed", a function that makes vectors of texts.')
        self._embeddings = ensure_embeddings(config["embed"])
        self._dims = config.get("dims")
        self._batches = Batches(self._documents)

    async def texts(self, texts: list[str]) -> list[Vector]:
        """Return the vectors of texts that are to be found."""
        return self._checked(await self._batches.add(texts)) if texts else []

    async def queries(self, texts: Iterable[str]) -> list[Vector]:
        """Return the vectors of what is searched for."""
        return self._checked(await asyncio.gather(*map(self._query, texts)))

    async def _documents(self, texts: Sequence[str]) -> list[Vector]:
        distinct = list(dict.fromkeys(texts))
        if _waits(self._embeddings, "aembed_documents"):
            vectors = await on_thread(self._embeddings.embed_documents, distinct)
        else:
            vectors = await self._embeddings.aembed_documents(distinct)
        by_text = dict(zip(distinct, vectors, strict=True))
        return [by_text[text] for text in texts]

    async def _query(self, text: str) -> Vector:
        if _waits(self._embeddings, "aembed_query"):
            return await on_thread(self._embeddings.embed_query, text)
        return await self._embeddings.aembed_query(text)

    def _checked(self, vectors: list[Vector]) -> list[Vector]:
        for vector in vectors:
            if self._dims is not None and len(vector) != self._dims:
                raise InvalidValueError(
                    f'index["dims"] is {self._dims!r}, but index["embed"] gives vectors of {len(vector)} numbers: '
                    f'set "dims" to {len(vector)}, or embed with another model.'
                )
        return vectors


def _waits(embeddings: Embeddings, method: str) -> bool:
    """Say whether a method would run the one without `await`, on a thread of the event loop's own executor."""
    if isinstance(embeddings, EmbeddingsLambda):
        return not hasattr(embeddings, "afunc")
    return getattr(type(embeddings), method) is getattr(Embeddings, method)
