"""The keys of a vector store, and the index that the query engine keeps of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store.scoring import Query
from symphony_registry.errors import BackendSetupError, DimensionError, InvalidValueError
from symphony_registry.providers.redis.connections import Argument, Connection
from symphony_registry.providers.redis.keyspace import Keyspace, Layout
from symphony_registry.providers.redis.terms import OUTLIER, TermQuery, any_of
from symphony_registry.providers.redis.vector_options import RedisVectorOptions

_LAYOUT = Layout("vector_store", {"ids": "zset"})
_METRICS = {"cosine": "COSINE", "dot": "IP", "euclidean": "L2"}
# The server subtracts a dot product from 1, in float32: by so much it is wrong, however small the product is.
_UNIT_ERROR = 2e-7


class Found(NamedTuple):
    """What a search found: id, metadata as JSON text, vector, and distance, if it has one."""

    id: str
    metadata: bytes
    vector: bytes
    distance: float | None


class VectorKeyspace(Keyspace):
    """The way to a store's vectors."""

    options: RedisVectorOptions

    def __init__(self, owner: StorageBackend, options: RedisVectorOptions) -> None:
        super().__init__(owner, options, _LAYOUT)
        self._index = f"{options.metric}:{options.index}"

    @override
    async def prepare(self, connection: Connection) -> None:
        await super().prepare(connection)
        options = self.options
        recipe = _recipe(options) if options.create else ""
        arguments: list[Argument] = ["index", self._index, recipe, options.dimension or ""]
        other = await connection.run(self._script, self.keys, arguments, writes=True)
        if other:
            raise InvalidValueError(
                f"The option dimension is {options.dimension}, but what is stored has dimension {other.decode()}. "
                "Set it to that, or choose another prefix.",
                options=("dimension",),
            )
        if other is not None:
            raise BackendSetupError(
                f"{options.server}: there is no index for the metric {options.metric} with index: {options.index}, and "
                "create is false. Open the store once with create: true.",
                options=("create", "index", "metric"),
            )

    async def nearest(
        self, query: Query, wanted: int, terms: TermQuery | None, candidates: int | None = None
    ) -> tuple[list[Found], int]:
        """Return what is found, and how many of these are the nearest: the others have no distance.

        `candidates` are those of an approximate search.
        """
        limits = "" if candidates is None else f" EF_RUNTIME {candidates}"
        near, far = f"*=>[KNN $k @v $q{limits} AS d]", any_of([OUTLIER])
        if terms is not None:
            near, far = f"({terms.text})=>[KNN $k @v $q HYBRID_POLICY ADHOC_BF AS d]", f"({far} {terms.text})"
        as_given = query.is_safe or query.metric == "euclidean"
        sent = (query.vector if as_given else query.direction()).astype("<f4").tobytes()
        dimension, *told = await self.ask("search", self._index, wanted, sent, near, far)
        if not told:
            if dimension is not None:
                raise DimensionError(int(dimension), query.vector.size, "query vector")
            return [], 0
        longest, nearest, others = told
        slack = 0.0
        if query.metric == "dot":
            reach = (query.length if query.is_safe else 1.0) * float(longest)
            slack = query.tolerance * reach + _UNIT_ERROR
        pairs = [*_pairs(nearest[1:]), *_pairs(others[1:])]
        start = len(self.key("item:").encode())
        found = await here_or_in_thread(
            lambda: [_found(query, key[start:].decode(), fields, slack) for key, fields in pairs], len(pairs) * ITEM
        )
        return found, len(nearest) // 2


def _found(query: Query, id: str, fields: list[bytes], slack: float) -> Found:
    values = dict(_pairs(fields))
    distance = float(values[b"d"]) if b"d" in values else None
    if distance is not None and query.metric == "euclidean":
        distance = max(distance, 0.0) ** 0.5
    if distance is not None and query.metric == "dot":
        distance -= 1.0 + slack
    vector = values[b"r"] if distance is None else values[b"v"]
    return Found(id, values[b"m"], vector, distance)


def _recipe(options: RedisVectorOptions) -> str:
    """Return what FT.CREATE says of the vectors, up to the dimension."""
    words = f"TYPE FLOAT32 DISTANCE_METRIC {_METRICS[options.metric]}"
    if options.index == "hnsw":
        return f"HNSW 10 {words} M {options.m} EF_CONSTRUCTION {options.ef_construction} DIM"
    return f"FLAT 6 {words} DIM"


def _pairs(flat: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)
