"""What stores hold: sections of records, in the order in which they have to be written."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import orjson

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend, check_timestamp
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject, check_id, checked_object
from symphony_registry.backends.vector_store.base import VectorStoreBackend, check_vector
from symphony_registry.errors import InvalidTypeError
from symphony_registry.transfer.digest import canonical_json

StoreT = TypeVar("StoreT", bound=StorageBackend)
Record: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, ...]

# Vectors that a store is asked for at a time: as Python's numbers they are large.
_VECTORS = 200
# What a checkpoint store adds to the metadata.
_ADDED = ("timestamp", "checkpoint_id")


class Section(ABC, Generic[StoreT]):
    """One kind of records: as a store's scan gives them, so they are written, compared and exported."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    by_key: ClassVar[bool] = True
    """Whether the records come in the order of their keys; else the order is part of what is stored."""

    @abstractmethod
    def read(self, store: StoreT) -> AsyncIterator[Record]:
        """Yield all records in their order."""

    @abstractmethod
    async def write(self, store: StoreT, records: Sequence[Record]) -> None:
        """Write records over those with the same keys, all or none.

        Without any, it raises where the store cannot take them at all.
        """

    @abstractmethod
    async def count(self, store: StoreT) -> int:
        """Return how many records there are."""

    @abstractmethod
    def key(self, record: Record) -> Key:
        """Return what identifies a record."""

    @abstractmethod
    def check(self, record: Record) -> None:
        """Raise where a record, which has all fields, is not one that a store may hold."""

    def canonical(self, record: Record) -> bytes:
        """Return the same bytes for equal records, and others for others."""
        return canonical_json(record)

    def line(self, record: Record) -> bytes:
        """Return a record as a line of JSON."""
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


class Vectors(Section[VectorStoreBackend]):
    """What a vector store holds, by id."""

    name = "vectors"
    fields = ("id", "vector", "metadata")

    def read(self, store: VectorStoreBackend) -> AsyncIterator[Record]:  # noqa: D102
        return store.scan(_VECTORS)

    async def write(self, store: VectorStoreBackend, records: Sequence[Record]) -> None:  # noqa: D102
        await store.add_many([(each["id"], each["vector"], each["metadata"]) for each in records])

    async def count(self, store: VectorStoreBackend) -> int:  # noqa: D102
        return await store.count()

    def key(self, record: Record) -> Key:  # noqa: D102
        return (record["id"],)

    def check(self, record: Record) -> None:  # noqa: D102
        check_id(record["id"])
        check_vector(record["vector"], None, "dot")
        _check_object(record, "metadata")

    def canonical(self, record: Record) -> bytes:
        """Return the parts but for the vector as JSON, and the vector's bits."""
        vector = np.array(record["vector"], "<f4")
        return canonical_json([record["id"], vector.size, record["metadata"]]) + vector.tobytes()

    def line(self, record: Record) -> bytes:
        """Return the record with the fewest digits that give its float32 back."""
        vector = np.array(record["vector"], np.float32)
        text = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
        # rounding them twice, to float64 where they are read and then to float32, is off by a bit for a few numbers
        if np.array(orjson.loads(text), np.float32).tobytes() != vector.tobytes():
            text = orjson.dumps(vector.tolist())
        return super().line({**record, "vector": orjson.Fragment(text)})


class Entities(Section[KnowledgeGraphBackend]):
    """The nodes of a graph, by id; they go before the relations between them."""

    name = "entities"
    fields = ("id", "type", "properties")

    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[Record]:  # noqa: D102
        return store.scan_entities()

    async def write(self, store: KnowledgeGraphBackend, records: Sequence[Record]) -> None:  # noqa: D102
        await store.add_entities([(each["id"], each["type"], each["properties"]) for each in records])

    async def count(self, store: KnowledgeGraphBackend) -> int:  # noqa: D102
        return await store.count_entities()

    def key(self, record: Record) -> Key:  # noqa: D102
        return (record["id"],)

    def check(self, record: Record) -> None:  # noqa: D102
        check_id(record["id"])
        check_id(record["type"], "type")
        _check_object(record, "properties")


class Relations(Section[KnowledgeGraphBackend]):
    """The edges of a graph, by (from, to, type)."""

    name = "relations"
    fields = ("from_id", "to_id", "type", "properties")

    def read(self, store: KnowledgeGraphBackend) -> AsyncIterator[Record]:  # noqa: D102
        return store.scan_relations()

    async def write(self, store: KnowledgeGraphBackend, records: Sequence[Record]) -> None:  # noqa: D102
        await store.add_relations([(*self.key(each), each["properties"]) for each in records])

    async def count(self, store: KnowledgeGraphBackend) -> int:  # noqa: D102
        return await store.count_relations()

    def key(self, record: Record) -> tuple[str, str, str]:  # noqa: D102
        return (record["from_id"], record["to_id"], record["type"])

    def check(self, record: Record) -> None:  # noqa: D102
        for field in ("from_id", "to_id", "type"):
            check_id(record[field], field)
        _check_object(record, "properties")


class Checkpoints(Section[CheckpointStoreBackend]):
    """What a checkpoint store holds, in the order saved."""

    name = "checkpoints"
    fields = ("checkpoint_id", "data", "metadata")
    by_key = False

    def read(self, store: CheckpointStoreBackend) -> AsyncIterator[Record]:  # noqa: D102
        return store.scan()

    async def write(self, store: CheckpointStoreBackend, records: Sequence[Record]) -> None:  # noqa: D102
        await store.restore_checkpoints(
            [
                (each["checkpoint_id"], each["data"], _own(each["metadata"]), each["metadata"]["timestamp"])
                for each in records
            ]
        )

    async def count(self, store: CheckpointStoreBackend) -> int:  # noqa: D102
        return await store.count()

    def key(self, record: Record) -> Key:  # noqa: D102
        return (record["checkpoint_id"],)

    def check(self, record: Record) -> None:  # noqa: D102
        check_id(record["checkpoint_id"], "checkpoint_id")
        _check_object(record, "data")
        _check_object(record, "metadata")
        check_timestamp(record["metadata"].get("timestamp"))
        if record["metadata"].get("checkpoint_id") != record["checkpoint_id"]:
            raise InvalidTypeError("metadata.checkpoint_id must be the checkpoint_id.")


SECTIONS: Mapping[BackendType, tuple[Section[Any], ...]] = {
    BackendType.VECTOR_STORE: (Vectors(),),
    BackendType.KNOWLEDGE_GRAPH: (Entities(), Relations()),
    BackendType.CHECKPOINT_STORE: (Checkpoints(),),
}


def shown(key: Key) -> str:
    """Return a key as it stands in a message."""
    return " ".join(map(repr, key))


def _check_object(record: Record, field: str) -> None:
    if record[field] is None:  # which the operations take for an empty one
        raise InvalidTypeError(f"{field} must be a dict, not NoneType.")
    checked_object(record[field], field)


def _own(metadata: JSONObject) -> JSONObject:
    return {key: value for key, value in metadata.items() if key not in _ADDED}
