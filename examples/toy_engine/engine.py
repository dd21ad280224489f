"""The engine: what the server's driver is, the tables of a backend, and the three stores over them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

import numpy as np
import orjson
from pydantic import Field
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES
from symphony_registry.backends.engine import Engine, pages
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph.base import Entity, Relation
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import EntityRow, KnowledgeGraphEngine, RelationRow
from symphony_registry.backends.options import BackendOptions, Seconds
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.remote.driver import Driver
from symphony_registry.backends.remote.resource import RemoteResource
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.backends.vector_store.base import Float32s, SearchResult, VectorItem, VectorOptions
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.backends.vector_store.ranking import Candidate, Ranking
from symphony_registry.backends.vector_store.scoring import Query
from symphony_registry.errors import DimensionError

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Row: TypeAlias = tuple[str, list[Any]]

_LONGEST_LINE = 2**30
_PAGE = 1_000


class ToyOptions(BackendOptions):
    """Where the server is, and which tables are the backend's."""

    host: str = Field(default="127.0.0.1", description="The host of the server.")
    port: int = Field(ge=1, le=65535, description="The port of the server.")
    prefix: str = Field(default="", description="What the names of the tables begin with.")
    timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")


class ToyVectorOptions(ToyOptions, VectorOptions):
    """The options of the vector store."""


class ToyDriver(Driver[None, Connection]):
    """The way to the server. Each operation has a connection of its own, so there is no pool."""

    errors: ClassVar = (OSError, EOFError)

    def __init__(self, options: ToyOptions) -> None:
        self.key = options.host, options.port
        self.server = f"the toy server at {options.host}:{options.port}"
        self.patience = options.timeout

    @override
    async def open(self) -> None:
        async with self.connection(None):
            pass

    @asynccontextmanager
    async def connection(self, pool: None) -> AsyncIterator[Connection]:
        """Connect, and hang up whatever happens: nobody else gets what is left to be answered."""
        reader, writer = await asyncio.open_connection(*self.key, limit=_LONGEST_LINE)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    @override
    def is_transient(self, error: BaseException) -> bool:
        return not isinstance(error, TimeoutError)


class ToyTables(RemoteResource[None, Connection]):
    """The tables of a backend on the server."""

    def __init__(self, owner: Engine, options: ToyOptions) -> None:
        super().__init__(owner, ToyDriver(options))
        self._options = options

    @override
    async def prepare(self, connection: Connection) -> None:
        await self.probe(connection)  # the server makes a table when it is first used

    @override
    async def probe(self, connection: Connection) -> bool:
        return "results" in orjson.loads(await self._exchange(connection, b"[]\n"))

    @override
    async def version(self) -> str:
        return "toy server"

    async def run(self, operation: str, *commands: tuple[str, str, Any], cost: float = 0) -> list[Any]:
        """Return the results of an operation's commands; raises `Refused` where a condition does not hold."""

        def encoded() -> bytes:
            named = [(name, self._options.prefix + table, argument) for name, table, argument in commands]
            return orjson.dumps(named, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"

        line = await here_or_in_thread(encoded, cost)
        answer = await self.send(operation, lambda connection: self._exchange(connection, line))
        found = await here_or_in_thread(lambda: orjson.loads(answer), len(answer) / JSON_BYTES)
        if "refused" in found:
            raise RefusedError(found["refused"])
        return found["results"]

    async def _exchange(self, connection: Connection, line: bytes) -> bytes:
        reader, writer = connection
        async with asyncio.timeout(self._options.timeout):
            writer.write(line)
            return await reader.readuntil()


class RefusedError(Exception):
    """A condition does not hold, and nothing was done; `found` says why."""

    def __init__(self, found: int) -> None:
        self.found = found


class OnToy(Engine):
    """What the three stores have in common."""

    Options: ClassVar[type[BackendOptions]] = ToyOptions
    guarantees = Guarantees(
        survives="crash", atomic_bulk=True, lists_entities=True, restores_timestamps=True, shared=True
    )

    @override
    def _configure(self) -> None:
        super()._configure()
        self._tables = self._hold(ToyTables(self, self._options))


class ToyVectorStore(OnToy, VectorStoreEngine):
    """A vector store; a row is a vector and its metadata."""

    Options: ClassVar[type[BackendOptions]] = ToyVectorOptions

    async def _put(self, parts: Parts[Block]) -> None:
        ids, vectors, documents = await parts.whole()
        rows = list(zip(ids, zip(vectors, documents)))
        fix = ("fix", "dimension", vectors.shape[1])
        try:
            await self._tables.run("add_many", fix, ("put", "vectors", rows), cost=parts.cost)
        except RefusedError as refusal:
            raise DimensionError(refusal.found, vectors.shape[1]) from None

    async def _get(self, ids: list[str]) -> list[VectorItem | None]:
        (rows,) = await self._tables.run("get_many", ("read", "vectors", ids))
        return await here_or_in_thread(lambda: list(map(_item, ids, rows)), len(ids) * ITEM)

    async def _delete(self, ids: list[str]) -> int:
        (deleted,) = await self._tables.run("delete_many", ("delete", "vectors", ids))
        return deleted

    async def _search(
        self, queries: list[Float32s], limit: int, condition: Condition, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        (dimension,), rows = await self._tables.run(
            "search_many", ("read", "dimension", [""]), ("page", "vectors", ("", MAX_LIMIT))
        )
        if dimension is None:
            return [[] for _ in queries]
        for query in queries:
            if query.size != dimension[0]:
                raise DimensionError(dimension[0], query.size, "query vector")

        def found() -> list[list[SearchResult]]:
            matching = [(id, *row) for id, row in rows if condition.matches(row[1])]
            vectors = np.array([vector for _, vector, _ in matching], np.float32).reshape(-1, *dimension)
            candidates = [Candidate(id, orjson.dumps(metadata), None) for id, _, metadata in matching]
            rankings = [Ranking(Query(query, self._options.metric), candidates, vectors) for query in queries]
            return [ranking.results(limit, include_vectors=include_vectors) for ranking in rankings]

        return await here_or_in_thread(found, len(rows) * ITEM)

    async def _count(self, condition: Condition) -> int:
        (rows,) = await self._tables.run("count", ("page", "vectors", ("", MAX_LIMIT)))
        return await here_or_in_thread(lambda: sum(condition.matches(row[1]) for _, row in rows), len(rows) * ITEM)

    async def _clear(self) -> None:
        await self._tables.run("clear", ("keep", "vectors", 0), ("keep", "dimension", 0))

    async def _dimension(self) -> int | None:
        ((row,),) = await self._tables.run("dimension", ("read", "dimension", [""]))
        return row[0] if row else self._options.dimension

    def _batches(self, size: int) -> AsyncGenerator[list[VectorItem], None]:
        async def read(after: str, size: int) -> list[VectorItem]:
            (rows,) = await self._tables.run("scan", ("page", "vectors", (after, size)))
            return [_item(*row) for row in rows]

        return pages(read, "", lambda item: item["id"], min(size, _PAGE))


class ToyKnowledgeGraph(OnToy, KnowledgeGraphEngine):
    """A knowledge graph; a row is the type and properties of an entity, or the properties of a relation."""

    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        rows = [(id, row) for id, *row in await parts.whole()]
        await self._tables.run("add_entities", ("put", "entities", rows), cost=parts.cost)

    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        relations = await parts.whole()
        ends = [end for relation in relations for end in relation[:2]]
        rows = [("\0".join(key), [properties]) for *key, properties in relations]
        try:
            await self._tables.run(
                "add_relations", ("exist", "entities", ends), ("put", "relations", rows), cost=parts.cost
            )
        except RefusedError as refusal:
            from_id, to_id, kind, _ = relations[refusal.found // 2]
            raise missing_end(from_id, to_id, kind, ends[refusal.found]) from None

    async def _get_entity(self, entity_id: str) -> Entity | None:
        ((row,),) = await self._tables.run("get_entity", ("read", "entities", [entity_id]))
        return row and _entity(entity_id, row)

    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        (merged,) = await self._tables.run("update_entity", ("merge", "entities", (entity_id, properties)))
        return merged

    async def _delete_entity(self, entity_id: str) -> bool:
        commands = ("delete", "entities", [entity_id]), ("unlink", "relations", entity_id)
        return bool((await self._tables.run("delete_entity", *commands))[0])

    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        (rows,) = await self._tables.run("get_relations", ("touching", "relations", entity_id))
        ends = {"outgoing": ["from_id"], "incoming": ["to_id"], "both": ["from_id", "to_id"]}[direction]
        return [
            relation
            for relation in map(_relation, rows)
            if relation_type in (None, relation["type"]) and entity_id in [relation[end] for end in ends]
        ]

    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        key = "\0".join((from_id, to_id, relation_type))
        (deleted,) = await self._tables.run("delete_relation", ("delete", "relations", [key]))
        return bool(deleted)

    async def _clear(self) -> None:
        await self._tables.run("clear", ("keep", "entities", 0), ("keep", "relations", 0))

    def _entity_batches(self) -> AsyncGenerator[list[Entity], None]:
        async def read(after: str, size: int) -> list[Entity]:
            (rows,) = await self._tables.run("scan_entities", ("page", "entities", (after, size)))
            return [_entity(*row) for row in rows]

        return pages(read, "", lambda entity: entity["id"], _PAGE)

    def _relation_batches(self)...


class ToyCheckpointStore(OnToy, CheckpointStoreEngine):
    """A checkpoint store; a row is the time, the metadata and the text of the data."""

    async def _save(self, parts: Parts[Sequence[SavedCheckpoint]]) -> None:
        rows = [(saved.id, (saved.timestamp, saved.metadata, saved.data.decode())) for saved in await parts.whole()]
        await self._tables.run("save_checkpoint", ("put", "checkpoints", rows), cost=parts.cost)

    async def _get(self, checkpoint_id: str) -> SavedCheckpoint | None:
        ((row,),) = await self._tables.run("get_checkpoint", ("read", "checkpoints", [checkpoint_id]))
        return row and _saved(checkpoint_id, row)

    async def _latest(self) -> SavedCheckpoint | None:
        (rows,) = await self._tables.run("get_latest_checkpoint", ("newest", "checkpoints", 1))
        return _saved(*rows[0]) if rows else None

    async def _delete(self, checkpoint_id: str) -> bool:
        (deleted,) = await self._tables.run("delete_checkpoint", ("delete", "checkpoints", [checkpoint_id]))
        return bool(deleted)

    async def _list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        (rows,) = await self._tables.run("list_checkpoints", ("headings", "checkpoints", None))
        def listed():
            found = [_saved(id, [*row, ""]).info for id, row in (rows[::-1] if newest_first else rows)]
            return [info for info in found if condition.matches(info["metadata"])][:limit]
        return await here_or_in_thread(listed, len(rows) * ITEM)

    async def _prune(self, keep_last: int) -> int:
        (deleted,) = await self._tables.run("prune", ("keep", "checkpoints", keep_last))
        return deleted

    async def _count(self) -> int:
        (rows,) = await self._tables.run("count", ("headings", "checkpoints", None))
        return len(rows)

    async def _clear(self) -> None:
        await self._tables.run("clear", ("keep", "checkpoints", 0))

    async def _all(self) -> AsyncGenerator[SavedCheckpoint, None]:
        (rows,) = await self._tables.run("scan", ("headings", "checkpoints", None))
        for id, _ in rows:
            if (saved := await self._get(id)) is not None:
                yield saved
