"""What a vector store holds."""

from collections.abc import AsyncIterator, Sequence
from struct import pack

import numpy as np
import orjson
from typing_extensions import override

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.values import JSONObject, check_id
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.backends.vector_store.checks import check_vector
from symphony_registry.errors import InvalidValueError
from symphony_registry.transfer.collection import Collection, ItemCheck, Key, StoredItem, check_object
from symphony_registry.transfer.digest import canonical_json

# Vectors that a store is asked for at a time: as Python's numbers they are large.
_VECTORS = 200


class Vectors(Collection[VectorStoreBackend]):
    """What a vector store holds, by id."""

    name = "vectors"
    fields = ("id", "vector", "metadata")

    @override
    def read(self, store: VectorStoreBackend) -> AsyncIterator[StoredItem]:
        return store.scan(_VECTORS)

    @override
    async def write(self, store: VectorStoreBackend, items: Sequence[StoredItem]) -> None:
        await store.add_many([(each["id"], each["vector"], each["metadata"]) for each in items])

    @override
    async def count(self, store: VectorStoreBackend) -> int:
        return await store.count()

    @override
    async def summary(self, store: VectorStoreBackend) -> JSONObject:
        return {**await super().summary(store), "dimension": await store.dimension()}

    @override
    async def limits(self, store: VectorStoreBackend, *, emptied: bool) -> ItemCheck:
        is_set = store.config.get("dimension") is not None
        dimension = None if emptied and not is_set else await store.dimension()  # `clear` frees it
        metric = store.config.get("metric", "cosine")
        advice = "Correct its option dimension, or name another store." if is_set else "Name another store."

        def check(item: StoredItem) -> None:
            if dimension not in (None, len(item["vector"])):
                raise InvalidValueError(
                    f"it takes vectors of dimension {dimension}, and the source has vectors of dimension "
                    f"{len(item['vector'])}. {advice}"
                )
            check_vector(item["vector"], None, metric)

        return check

    @override
    def rounded(self, item: StoredItem, precision: str) -> StoredItem:
        with np.errstate(over="ignore"):  # the target refuses what is too large
            vector = np.array(item["vector"], np.float32).astype(precision)
        return {**item, "vector": vector.tolist()}

    @override
    def promises(self, given: Guarantees) -> list[str]:
        return ["exact search" if given.exact_search else "approximate search", given.precision]

    @override
    def key(self, item: StoredItem) -> Key:
        return (item["id"],)

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        check_id(item["id"])
        check_vector(item["vector"], None, "dot")
        check_object(item, "metadata")
        if before is not None and len(item["vector"]) != len(before["vector"]):
            raise InvalidValueError(
                f"the vector has dimension {len(item['vector'])}, those before it {len(before['vector'])}"
            )

    @override
    def canonical(self, item: StoredItem) -> bytes:
        """Return the parts but for the vector as JSON, and the vector's bits."""
        return canonical_json([item["id"], len(item["vector"]), item["metadata"]]) + _bits(item["vector"])

    @override
    def line(self, item: StoredItem) -> bytes:
        """Return the item with the fewest digits that give its float32 back."""
        bits = _bits(item["vector"])
        vector = np.frombuffer(bits, "<f4").astype(np.float32, copy=False)
        text = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
        # rounding them twice, to float64 where they are read and then to float32, is off by a bit for a few numbers
        if _bits(orjson.loads(text)) != bits:
            text = orjson.dumps(vector.tolist())
        return super().line({**item, "vector": orjson.Fragment(text)})


def _bits(vector: Sequence[float]) -> bytes:
    """Return numbers as float32: a third of the time that an array of them takes."""
    return pack(f"<{len(vector)}f", *vector)
