"""What stores hold: collections of items, in the order in which they have to be written.

What moving, counting and describing stores has to know of a backend type is here,
and nowhere else.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import orjson
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo, CheckpointStoreBackend, check_timestamp
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject, check_id, checked_object
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.backends.vector_store.checks import check_vector
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.transfer.digest import canonical_json

StoreT = TypeVar("StoreT", bound=StorageBackend)
StoredItem: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, ...]
ItemCheck: TypeAlias = Callable[[StoredItem], None]

# Vectors that a store is asked for at a time: as Python's numbers they are large.
_VECTORS = 200
# What a checkpoint store adds to the metadata.
_ADDED = ("timestamp", "checkpoint_id")


class Collection(ABC, Generic[StoreT]):
    """One kind of items: as a store's scan gives them, so they are written, compared and exported."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    by_key: ClassVar[bool] = True
    """Whether the items come in the order of their keys; else the order is part of what is stored."""

    @abstractmethod
    def read(self, store: StoreT) -> AsyncIterator[StoredItem]:
        """Yield all items in their order."""

    @abstractmethod
    async def write(self, store: StoreT, items: Sequence[StoredItem]) -> None:
        """Write items over those with the same keys, all or none.

        Without any, it raises where the store cannot take them at all.
        """

    @abstractmethod
    async def count(self, store: StoreT) -> int:
        """Return how many items there are."""

    async def summary(self, store: StoreT) -> JSONObject:
        """Return the number of items, under the collection's name, and what else can be said in numbers."""
        return {self.name: await self.count(store)}

    async def limits(self, store: StoreT, *, emptied: bool) -> ItemCheck | None:  # noqa: ARG002
        """Return what raises `InvalidValueError` for an item that the store cannot take, `None` where it takes any.

        `emptied` says that the store will be emptied before.
        """
        return None

    def rounded(self, item: StoredItem, precision: str) -> StoredItem:  # noqa: ARG002
        """Return an item as a store of that precision keeps it."""
        return item

    def promises(self, given: Guarantees) -> list[str]:  # noqa: ARG002
        """Return what is guaranteed of these items in particular, in a few words each."""
        return []

    @abstractmethod
    def key(self, item: StoredItem) -> Key:
        """Return what identifies an item."""

    @abstractmethod
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        """Raise where an item, which has all fields, cannot be in a store, or not together with the one before it."""

    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        """Raise where an item does not go with those before it, whose ids are in `ids`, in a file without a digest."""

    def canonical(self, item: StoredItem) -> bytes:
        """Return the same bytes for equal items, and others for others."""
        return canonical_json(item)

    def line(self, item: StoredItem) -> bytes:
        """Return an item as a line of JSON."""
        return orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)


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
        _check_object(item, "metadata")
        if before is not None and len(item["vector"]) != len(before["vector"]):
            raise InvalidValueError(
                f"the vector has dimension {len(item['vector'])}, those before it {len(before['vector'])}"
            )

    @override
    def canonical(self, item: StoredItem) -> bytes:
        """Return the parts but for the vector as JSON, and the vector's bits."""
        vector = np.array(item["vector"], "<f4")
        return canonical_json([item["id"], vector.size, item["metadata"]]) + vector.tobytes()

    @override
    def line(self, item: StoredItem) -> bytes:
        """Return the item with the fewest digits that give its float32 back."""
        vector = np.array(item["vector"], np.float32)
        text = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
        # rounding them twice, to float64 where they are read and then to float32, is off by a bit for a few numbers
        if np.array(orjson.loads(text), np.float32).tobytes() != vector.tobytes():
            text = orjson.dumps(vector.tolist())
        return super().line({**item, "vector": orjson.Fragment(text)})


class Entities(Collection[KnowledgeGraphBackend]):
    """The nodes of a graph, by id; they go before the relations between them."""

    name = "entities"
    fields = ("id", "type", "properties")

    @override
    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[StoredItem]:
        return store.scan_entities()

    @override
    async def write(self, store: KnowledgeGraphBackend, items: Sequence[StoredItem]) -> None:
        await store.add_entities([(each["id"], each["type"], each["properties"]) for each in items])

    @override
    async def count(self, store: KnowledgeGraphBackend) -> int:
        return await store.count_entities()

    @override
    async def summary(self, store: KnowledgeGraphBackend) -> JSONObject:
        return await _summary_by_type(self, store, "entity_types")

    @override
    def promises(self, given: Guarantees) -> list[str]:
        return ["lists entities"] if given.lists_entities else []

    @override
    def key(self, item: StoredItem) -> Key:
        return (item["id"],)

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        check_id(item["id"])
        check_id(item["type"], "type")
        _check_object(item, "properties")

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        ids.add(item["id"])


class Relations(Collection[KnowledgeGraphBackend]):
    """The edges of a graph, by (from, to, type)."""

    name = "relations"
    fields = ("from_id", "to_id", "type", "properties")

    @override
    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[StoredItem]:
        return store.scan_relations()

    @override
    async def write(self, store: KnowledgeGraphBackend, items: Sequence[StoredItem]) -> None:
        await store.add_relations([(*self.key(each), each["properties"]) for each in items])

    @override
    async def count(self, store: KnowledgeGraphBackend) -> int:
        return await store.count_relations()

    @override
    async def summary(self, store: KnowledgeGraphBackend) -> JSONObject:
        return await _summary_by_type(self, store, "relation_types")

    @override
    def key(self, item: StoredItem) -> tuple[str, str, str]:
        return (item["from_id"], item["to_id"], item["type"])

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        for field in ("from_id", "to_id", "type"):
            check_id(item[field], field)
        _check_object(item, "properties")

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        for end in (item["from_id"], item["to_id"]):
            if end not in ids:
                raise InvalidValueError(f"no entity {end!r} comes before the relation")


class Checkpoints(Collection[CheckpointStoreBackend]):
    """What a checkpoint store holds, in the order saved."""

    name = "checkpoints"
    fields = ("checkpoint_id", "data", "metadata")
    by_key = False

    @override
    def read(self, store: CheckpointStoreBackend) -> AsyncIterator[StoredItem]:
        return store.scan()

    @override
    async def write(self, store: CheckpointStoreBackend, items: Sequence[StoredItem]) -> None:
        await store.restore_checkpoints(
            [
                (each["checkpoint_id"], each["data"], _own(each["metadata"]), each["metadata"]["timestamp"])
                for each in items
            ]
        )

    @override
    async def count(self, store: CheckpointStoreBackend) -> int:
        return await store.count()

    @override
    async def summary(self, store: CheckpointStoreBackend) -> JSONObject:
        oldest = _described(await store.list_checkpoints(limit=1))
        newest = _described(await store.list_checkpoints(limit=1, newest_first=True))
        return {**await super().summary(store), "oldest": oldest, "newest": newest}

    @override
    def promises(self, given: Guarantees) -> list[str]:
        return ["restores timestamps"] if given.restores_timestamps else []

    @override
    def key(self, item: StoredItem) -> Key:
        return (item["checkpoint_id"],)

    @override
    def check(self, item: StoredItem, before: StoredItem | None) -> None:
        check_id(item["checkpoint_id"], "checkpoint_id")
        _check_object(item, "data")
        _check_object(item, "metadata")
        check_timestamp(item["metadata"].get("timestamp"))
        if item["metadata"].get("checkpoint_id") != item["checkpoint_id"]:
            raise InvalidTypeError("metadata.checkpoint_id must be the checkpoint_id.")

    @override
    def check_unverified(self, item: StoredItem, ids: set[str]) -> None:
        if item["checkpoint_id"] in ids:
            raise InvalidValueError(f"the checkpoint {item['checkpoint_id']!r} is there twice")
        ids.add(item["checkpoint_id"])


COLLECTIONS: Mapping[BackendType, tuple[Collection[Any], ...]] = {
    BackendType.VECTOR_STORE: (Vectors(),),
    BackendType.KNOWLEDGE_GRAPH: (Entities(), Relations()),
    BackendType.CHECKPOINT_STORE: (Checkpoints(),),
}


def shown(key: Key) -> str:
    """Return a key as a message has it."""
    return " ".join(map(repr, key))


async def _summary_by_type(
    collection: Collection[KnowledgeGraphBackend], store: KnowledgeGraphBackend, name: str
) -> JSONObject:
    """Return the number of items, and of each type: all are read once."""
    counts: Counter[str] = Counter()
    async for item in collection.read(store):
        counts[item["type"]] += 1
    return {collection.name: counts.total(), name: dict(sorted(counts.items()))}


def _described(found: list[CheckpointInfo]) -> JSONObject | None:
    if not found:
        return None
    return {"checkpoint_id": found[0]["checkpoint_id"], "timestamp": found[0]["metadata"]["timestamp"]}


def _check_object(item: StoredItem, field: str) -> None:
    if item[field] is None:  # which the operations take for an empty one
        raise InvalidTypeError(f"{field} must be a dict, not NoneType.")
    checked_object(item[field], field)


def _own(metadata: JSONObject) -> JSONObject:
    return {key: value for key, value in metadata.items() if key not in _ADDED}
