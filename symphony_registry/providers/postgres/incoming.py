"""Items on their way to a table: checked, in order, and as columns."""

from functools import partial
from typing import Any

import numpy as np

from symphony_registry.backends.values import JSONObject, check_id, check_items, checked_object
from symphony_registry.backends.vector_store.base import ITEM_PARTS, Float32s, Metric, Vector, check_vector
from symphony_registry.backends.vector_store.block import Block, checked_rows
from symphony_registry.backends.vector_store.scoring import lengths_of, outliers
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.postgres.documents import plain_documents, texts
from symphony_registry.providers.postgres.vector_sql import LARGEST, PostgresVectorOptions
from symphony_registry.providers.postgres.vectors import encoded


class Incoming:
    """Checks items by the options of their store."""

    def __init__(self, options: PostgresVectorOptions) -> None:
        self._options = options

    def checked(
        self, dimension: int | None, id: str, vector: Vector, metadata: JSONObject | None
    ) -> tuple[str, Float32s, JSONObject]:
        """Return an item that can be stored, else raise."""
        checked = check_vector(vector, dimension, self._options.metric)
        if self._options.storage == "halfvec":
            check_half(checked, self._options.metric, "vector")
        if checked.size > LARGEST:
            raise InvalidValueError(f"pgvector takes at most {LARGEST} dimensions, not {checked.size}.")
        return check_id(id), checked, checked_object(metadata, "metadata")

    def check_in_order(self, given: list[Any]) -> None:
        """Raise the error that names the first wrong item by the place where the caller has it."""
        ((_, first, _),) = check_items(given[:1], ITEM_PARTS, partial(self.checked, self._options.dimension))
        check_items(given, ITEM_PARTS, partial(self.checked, first.size))

    def ordered(self, given: list[Any]) -> tuple[list[Any], int]:
        """Return the items by id, the last of equal ids, not checked but for the first; and its dimension."""
        check = partial(self.checked, self._options.dimension)
        if set(map(type, given)) - {tuple, list} or {type(item[0]) if item else None for item in given} != {str}:
            given = list(check_items(given, ITEM_PARTS, check))
        last = {item[0]: item for item in given}
        if len(last) < len(given):
            check_items(given, ITEM_PARTS, check)  # those that are left out, too
        ordered = [last[id] for id in sorted(last)]  # everybody locks rows in the same order
        ((_, first, _),) = check_items(ordered[:1], ITEM_PARTS, check)
        return ordered, first.size

    def block(self, items: list[Any], size: int) -> Block:
        """Return checked items of a dimension."""
        is_half = self._options.storage == "halfvec"  # which has limits of its own
        block = None if is_half else checked_rows(items, size, self._options.metric, plain_documents)
        if block is None:
            checked = check_items(items, ITEM_PARTS, partial(self.checked, size))
            ids, vectors, documents = map(list, zip(*checked, strict=True))
            block = ids, np.array(vectors), documents
        return block


def check_half(vector: Float32s, metric: Metric, what: str) -> None:
    """Raise `InvalidValueError` for a vector that float16 cannot hold."""
    with np.errstate(over="ignore"):
        half = vector.astype(np.float16)
    if not np.isfinite(half).all():
        raise InvalidValueError(f"The {what} holds a number too large for float16, which storage: halfvec is.")
    if metric == "cosine" and not half.any():
        raise InvalidValueError(f"The {what} has length zero as float16, which has no cosine.")


def columns(block: Block) -> list[Any]:
    """Return what is sent of some items, a list for each column."""
    ids, vectors, documents = block
    metadata, comparable = map(list, zip(*map(texts, documents), strict=True))
    lengths = lengths_of(vectors)
    return [ids, encoded(vectors), lengths.tolist(), outliers(lengths).tolist(), metadata, comparable]
