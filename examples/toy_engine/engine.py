"""The engine: the way to the server, and the three stores over its tables."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import itemgetter
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import orjson
from pydantic import Field
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import CheckpointInfo, described
from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.concurrency import delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import JSON_BYTES
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
from symphony_registry.backends.values import MAX_LIMIT, Direction, JSONObject
from symphony_registry.backends.vector_store.base import Float32s, SearchResult, VectorItem, VectorOptions
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.backends.vector_store.ranking import Candidate, Ranking
from symphony_registry.backends.vector_store.scoring import Query
from symphony_registry.errors import DimensionError

T = TypeVar("T")
Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Command: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = list[tuple[str, Any]]

LONGEST_LINE = 2**30
PAGE = 1_000


class ToyOptions(BackendOptions):
    """Where the server is, and which tables are the backend's."""

    host: str = Field(default="127.0.0.1", description="The host of the server.")
    port: int = Field(ge=1, le=65535, description="The port of the server.", examples=[7654])
    prefix: str = Field(default="", description="What the names of the tables begin with.")
    timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")


class ToyVectorOptions(ToyOptions, VectorOptions):
    """The options of the vector store."""


class ToyDriver(Driver[None, Connection]):
    """The way to the server. Each operation has a connection of its own, so there is no pool."""

    def __init__(self, options: ToyOptions) -> None:
        self.address = self.key = options.host, options.port
        self.server = f"the toy server at {options.host}:{options.port}"
        self.patience = options.timeout

    @override
    async def open(self) -> None:
        async with self.connection(None):
            pass

    @asynccontextmanager
    async def connection(self, pool: None) -> AsyncIterator[Connection]:
        async with asyncio.timeout(self.patience):
            reader, writer = await asyncio.open_connection(*self.address, limit=LONGEST_LINE)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


class RefusedError(Exception):
    """A condition does not hold on the server, and nothing was done; `args[0]` is why."""


class ToyTables(RemoteResource[None, Connection]):
    """The tables of a backend on the server."""

    def __init__(self, owner: Engine, options: ToyOptions) -> None:
        super().__init__(owner, ToyDriver(options))
        self._options = options

    @override
    async def probe(self, connection: Connection) -> bool:
        return await self._exchange(connection, b"[]\n") == b'{"results":[]}\n'

    @override
    async def version(self) -> str:
        return "toy server"

    async def ask(self, make: Callable[..., T], *commands: Command) -> T:
        """Return what `make` makes of the results of commands that change nothing."""
        line = self._line(commands)
        answer = await self.read(lambda connection: self._exchange(connection, line))
        return await here_or_in_thread(lambda: make(*orjson.loads(answer)["results"]), len(answer) / JSON_BYTES)

    async def order(self, operation: str, *commands: Command) -> Any:
        """Return the first result of an operation's commands."""
        return await self.order_parts(operation, Parts.of([commands]))

    async def order_parts(self, operation: str, parts: Parts[Sequence[Command]]) -> Any:
        """Return the first result of an operation's commands; raises `RefusedError`."""
        line = await parts.map(self._line).whole()
        # to its end: whoever cancels it can look what became of it
        sent = delaying_cancellation(self.write(operation, lambda connection: self._exchange(connection, line)))
        answer = orjson.loads(await sent)
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["results"][0]

    def _line(self, commands: Sequence[Command]) -> bytes:
        return orjson.dumps([(name, self._options.prefix + table, *rest) for name, table, *rest in commands]) + b"\n"

    async def _exchange(self, connection: Connection, line: bytes) -> bytes:
        reader, writer = connection
        async with asyncio.timeout(self._options.timeout):
            writer.write(line)
            return await reader.readuntil()


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

    def _pages(self, make: Callable[..., T], table: str, key: Callable[[T], str], size: int) -> AsyncGenerator[list[T]]:
        async def read(after: str, size: int) -> list[T]:
            return await self._tables.ask(lambda rows: [make(*row) for row in rows], ("page", table, after, size))

        return pages(read, "", key, size)


class ToyVectorStore(OnToy, VectorStoreEngine):
    """A vector store; a row is a vector and its metadata."""

    Options: ClassVar[type[BackendOptions]] = ToyVectorOptions

    @override
    async def _put(self, parts: Parts[Block]) -> None:
        size = 0

        def commands(block: Block) -> list[Command]:
            nonlocal size
            ids, vectors, documents = block
            size = vectors.shape[1]
            rows = list(zip(ids, zip(vectors.tolist(), documents, strict=True), strict=True))
            return [("agree", "dimension", "", size), ("put", "vectors", rows)]

        try:
            await self._tables.order_parts("add_many", parts.map(commands))
        except RefusedError as refusal:
            raise DimensionError(refusal.args[0], size) from None

    @override
    async def _get(self, ids: list[str]) -> list[VectorItem | None]:
        return await self._tables.ask(
            lambda rows: [None if row is None else item(id, row) for id, row in rows], ("get", "vectors", ids)
        )

    @override
    async def _delete(self, ids: list[str]) -> int:
        return await self._tables.order("delete_many", ("delete", "vectors", ids))

    @override
    async def _search(
        self, queries: list[Float32s], limit: int, condition: Condition, *, include_vectors: bool
    ) -> list[list[SearchResult]]:
        def ranked(dimension: Rows, rows: Rows) -> list[list[SearchResult]]:
            for query in queries:
                if dimension[0][1] not in (None, query.size):
                    raise DimensionError(dimension[0][1], query.size, "query vector")
            matching = [(id, vector, metadata) for id, (vector, metadata) in rows if condition.matches(metadata)]
            if not matching:
                return [[] for _ in queries]
            vectors = np.array([vector for _, vector, _ in matching], np.float32)
            candidates = [Candidate(id, orjson.dumps(metadata), None) for id, _, metadata in matching]
            rankings = [Ranking(Query(query, self._options.metric), candidates, vectors) for query in queries]
            return [ranking.results(limit, include_vectors=include_vectors) for ranking in rankings]

        return await self._tables.ask(ranked, ("get", "dimension", [""]), ("newest", "vectors", MAX_LIMIT))

    @override
    async def _count(self, condition: Condition) -> int:
        return await self._tables.ask(
            lambda rows: sum(condition.matches(metadata) for _, (_, metadata) in rows),
            ("newest", "vectors", MAX_LIMIT),
        )

    @override
    async def _clear(self) -> None:
        await self._tables.order("clear", ("keep", "vectors", 0), ("keep", "dimension", 0))

    @override
    async def _dimension(self) -> int | None:
        return await self._tables.ask(lambda rows: rows[0][1] or self._options.dimension, ("get", "dimension", [""]))

    @override
    def _batches(self, size: int) -> AsyncGenerator[list[VectorItem], None]:
        return self._pages(item, "vectors", itemgetter("id"), size)


def item(id: str, row: Any) -> VectorItem:
    """Return a row of the vector store as it is returned."""
    return {"id": id, "vector": row[0], "metadata": row[1]}


class ToyKnowledgeGraph(OnToy, KnowledgeGraphEngine):
    """A knowledge graph; a row is type and properties of an entity, or the properties of a relation."""

    @override
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        await self._tables.order_parts(
            "add_entities", parts.map(lambda rows: [("put", "entities", [(id, row) for id, *row in rows])])
        )

    @override
    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        relations = await parts.whole()
        needed = "need", "entities", [end for relation in relations for end in relation[:2]]
        rows = [("\0".join(key), properties) for *key, properties in relations]
        try:
            await self._tables.order_parts("add_relations", Parts.of([(needed, ("put", "relations", rows))], parts.cost))
        except RefusedError as refusal:
            (end,) = refusal.args
            raise missing_end(*next(row[:3] for row in relations if end in row[:2]), end) from None

    @override
    async def _get_entity(self, entity_id: str) -> Entity | None:
        return await self._tables.ask(
            lambda rows: entity(*rows[0]) if rows[0][1] else None, ("get", "entities", [entity_id])
        )

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        return await self._tables.order("update_entity", ("merge", "entities", entity_id, properties))

    @override
    async def _delete_entity(self, entity_id: str) -> bool:
        commands = ("delete", "entities", [entity_id]), ("unlink", "relations", entity_id)
        return bool(await self._tables.order("delete_entity", *commands))

    @override
    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        ends = {"outgoing": ["from_id"], "incoming": ["to_id"], "both": ["from_id", "to_id"]}[direction]
        return await self._tables.ask(
            lambda rows: [
                found
                for found in [relation(*row) for row in rows]
                if relation_type in (None, found["type"]) and entity_id in itemgetter(*ends, *ends)(found)
            ],
            ("touching", "relations", entity_id),
        )

    @override
    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        key = "\0".join((from_id, to_id, relation_type))
        return bool(await self._tables.order("delete_relation", ("delete", "relations", [key])))

    @override
    async def _clear(self) -> None:
        await self._tables.order("clear", ("keep", "entities", 0), ("keep", "relations", 0))

    @override
    def _entity_batches(self) -> AsyncGenerator[list[Entity], None]:
        return self._pages(entity, "entities", itemgetter("id"), PAGE)


def entity(id: str, row: Any) -> Entity:
    """Return a row of an entity as it is returned."""
    return {"id": id, "type": row[0], "properties": row[1]}


def relation(key: str, properties: JSONObject) -> Relation:
    """Return a row of a relation as it is returned."""
    from_id, to_id, kind = key.split("\0")
    return {"from_id": from_id, "to_id": to_id, "type": kind, "properties": properties}


class ToyCheckpointStore(OnToy, CheckpointStoreEngine):
    """A checkpoint store; a row is metadata and time, and the text of the data is in a table of its own."""

    @override
    async def _save(self, parts: Parts[Sequence[SavedCheckpoint]]) -> None:
        await self._tables.order_parts(
            "save_checkpoint",
            parts.map(
                lambda saved: [
                    ("put", "checkpoints", [(each.id, (each.metadata, each.timestamp)) for each in saved]),
                    ("put", "data", [(each.id, each.data.decode()) for each in saved]),
                ]
            ),
        )

    @override
    async def _get(self, checkpoint_id: str) -> SavedCheckpoint | None:
        return await self._tables.ask(saved, ("get", "checkpoints", [checkpoint_id]), ("get", "data", [checkpoint_id]))

    @override
    async def _latest(self) -> SavedCheckpoint | None:
        return await self._tables.ask(saved, ("newest", "checkpoints", 1), ("newest", "data", 1))

    @override
    async def _delete(self, checkpoint_id: str) -> bool:
        commands = ("delete", "checkpoints", [checkpoint_id]), ("delete", "data", [checkpoint_id])
        return bool(await self._tables.order("delete_checkpoint", *commands))

    @override
    async def _list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        def listed(rows: Rows) -> list[CheckpointInfo]:
            ordered = reversed(rows) if newest_first else rows
            infos = [CheckpointInfo(checkpoint_id=id, metadata=described(*row, id)) for id, row in ordered]
            return [info for info in infos if condition.matches(info["metadata"])][:limit]

        return await self._tables.ask(listed, ("newest", "checkpoints", MAX_LIMIT))

    @override
    async def _prune(self, keep_last: int) -> int:
        return await self._tables.order("prune", ("keep", "checkpoints", keep_last), ("keep", "data", keep_last))

    @override
    async def _count(self) -> int:
        return await self._tables.ask(len, ("newest", "checkpoints", MAX_LIMIT))

    @override
    async def _clear(self) -> None:
        await self._prune(0)

    @override
    async def _all(self) -> AsyncGenerator[SavedCheckpoint, None]:
        for id, _ in await self._tables.ask(list, ("newest", "checkpoints", MAX_LIMIT)):
            if (found := await self._get(id)) is not None:
                yield found


def saved(rows: Rows, texts: Rows) -> SavedCheckpoint | None:
    """Return the checkpoint in the first row, if there is one."""
    for (id, row), (_, text) in zip(rows, texts, strict=True):
        return SavedCheckpoint(id, text.encode(), *row) if row else None
    return None
