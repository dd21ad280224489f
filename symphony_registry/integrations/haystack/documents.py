"""Haystack's documents, as metadata."""

from typing import Any

from haystack.dataclasses import Document

from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidValueError
from symphony_registry.integrations.haystack.filters import DOCUMENT, META


def stored(document: Document) -> JSONObject:
    """Return the metadata under which a document is kept."""
    kept = {  # what to_dict() gives, which copies each number of the embedding
        "id": document.id,
        "content": document.content,
        "blob": document.blob and document.blob.to_dict(),
        "embedding": None if document.embedding is None else True,  # for filters: a vector is no metadata
        "sparse_embedding": document.sparse_embedding and document.sparse_embedding.to_dict(),
    }
    return {DOCUMENT: kept} | keys(document.meta)


def keys(meta: dict[str, Any]) -> JSONObject:
    """Return a document's own metadata as they are kept."""
    return {META + key if isinstance(key, str) else key: value for key, value in meta.items()}


def restored(metadata: JSONObject, *, embedding: list[float] | None = None, score: float | None = None) -> Document:
    """Return the document that is kept under these metadata."""
    if DOCUMENT not in metadata:
        raise InvalidValueError(
            "What was found was not stored as a document of haystack's. Give haystack a vector store of its own, such "
            "as another name under vector_stores."
        )
    meta = {key.removeprefix(META): value for key, value in metadata.items() if key.startswith(META)}
    return Document.from_dict(metadata[DOCUMENT] | {"meta": meta, "embedding": embedding, "score": score})
