"""Checking many vectors at once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.encoding import is_plain, serialized
from symphony_registry.backends.values import JSONObject, check_id, checked_object
from symphony_registry.backends.vector_store.base import ITEM_PARTS, Float32s, Metric
from symphony_registry.errors import InvalidTypeError, InvalidValueError

Block = tuple[list[str], npt.NDArray[np.float32], list[JSONObject]]

# Vectors that are copied at a time, so that they are checked while they are near.
_CHUNK = 512


def checked_documents(given: Sequence[Any]) -> list[JSONObject]:
    """Return checked copies of metadata."""
    return [checked_object(document, "metadata") for document in given]


def uncopied_documents(given: Sequence[Any]) -> list[JSONObject]:
    """Return metadata as they are, checked all at once; checked copies where that does not tell."""
    documents = [{} if document is None else document for document in given]
    if set(map(type, documents)) == {dict}:
        with suppress(TypeError):
            text, packed = serialized({"": documents})
            if text is not None and is_plain(text, packed):
                return documents
    return checked_documents(given)


def checked_rows(
    items: Sequence[Any],
    dimension: int | None,
    metric: Metric,
    documents: Callable[[Sequence[Any]], list[JSONObject]] = checked_documents,
) -> Block | None:
    """Return ids, vectors and metadata of items whose vectors are arrays alike, or `None`.

    `None` says that an item is not alike, or wrong, or near the limits of
    float32: it takes a look at each to know. There is one item at least.
    `documents` checks the metadata.
    """
    if not set(map(type, items)) <= {tuple, list} or set(map(len, items)) != {len(ITEM_PARTS)}:
        return None
    ids, vectors, metadata = zip(*items, strict=True)
    if set(map(type, vectors)) != {np.ndarray}:
        return None
    kind, shape = vectors[0].dtype, vectors[0].shape
    size = shape[0] if len(shape) == 1 else 0
    if not size or kind not in (np.float16, np.float32, np.float64) or (dimension is not None and size != dimension):
        return None
    if not all(vector.dtype == kind and vector.shape == shape for vector in vectors):
        return None
    block = _copied(vectors, size, metric)
    if block is None:
        return None
    try:
        return list(map(check_id, ids)), block, documents(metadata)
    except (InvalidValueError, InvalidTypeError):
        return None


def _copied(vectors: Sequence[Any], size: int, metric: Metric) -> "Float32s | None":
    """Return a float32 matrix of vectors, if their squares show that all of them can be stored."""
    matrix = np.empty((len(vectors), size), np.float32)
    for start in range(0, len(vectors), _CHUNK):
        part = matrix[start : start + _CHUNK]
        with np.errstate(over="ignore", invalid="ignore"):
            np.concatenate(vectors[start : start + _CHUNK], out=part.reshape(-1), casting="same_kind")
            squares = np.einsum("ij,ij->i", part, part)
        if not np.isfinite(squares).all() or (metric == "cosine" and not squares.all()):
            return None
    return matrix
