"""The engine: the way to the server, and the three stores over its tables."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, TypeAlias, TypeVar

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
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.backends.vector_store.base import VectorItem, VectorOptions
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.errors import DimensionError

T = TypeVar("T")
Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Command: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = list[tuple[str, Any]]

LONGEST_LINE = 2**30
PAGE = 1_000


class ToyOptions(BackendOptions):
    """Where the server is on this machine, and which tables are the backend's."""

    port: int = Field(ge=1, le=65535, description="The port of the server.", examples=[7654])
    prefix: str = Field(default="", description="What the names of the tables begin with.")
    timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")


class ToyVectorOptions(ToyOptions, VectorOptions):
    """The options of the vector store."""


class ToyDriver(Driver[None, Connection]):
    """The way to the server. Each operation has a connection of its own, so there is no pool."""

    def __init__(self, options: ToyOptions) -> None:
        self.address = self.key = "127.0.0.1", options.port
        self.server = f"the toy server at port {options.port}"
        self.patience = options.timeout

    @override
    async def open(self) -> None:
        async with self.connection(None):
            pass

    @override
    @asynccontextmanager
    async def connection(self, pool: None) -> AsyncIterator[Connection]:
        async with asyncio.timeout(self.patience):
            reader, writer = await asyncio.open_connection(*self.address, limit=LONGEST_LINE)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


class ToyTables(RemoteResource[None, Connection]):
    """The tables of a backend on the server."""

    def __init__(self, owner: Engine, options: ToyOptions) -> None:
        super().__init__(owner, ToyDriver(options))
        self._options = options

    @override
    async def probe(self, connection: Connection) -> bool:
        return await self._exchange(connection, b"[]\n") == b'{"results":[]}\n'

    async def ask(self, make: Callable[..., T], *commands: Command) -> T:
        """Return what `make` makes of the results of commands that change nothing."""
        line = self._line(commands)
        answer = await self.read(lambda connection: self._exchange(connection, line))
        return await here_or_in_thread(lambda: make(*orjson.loads(answer)["results"]), len(answer) / JSON_BYTES)

    async def rows(self, make: Callable[[str, Any], Any], *command: Any) -> list[Any]:
        """Return what `make` makes of each row of a command that changes nothing."""
        return await self.ask(lambda rows: [make(key, row) for key, row in rows], command)

    async def order(self, operation: str, *commands: Command) -> int:
        """Return what the first of an operation's commands gives."""
        return await self.order_parts(operation, Parts.of([commands]))

    async def order_parts(
        self, operation: str, parts: Parts[Sequence[Command]], refusal: Callable[..., Exception] = RuntimeError
    ) -> int:
        """Do the same with what has to be made ready first; raises `refusal` where a condition does not hold."""
        line = await parts.map(self._line).whole()
        # to the end: whoever cancels it may look at once what became of it
        exchange = delaying_cancellation(self.write(operation, lambda connection: self._exchange(connection, line)))
        answer = orjson.loads(await exchange)
        if "refused" in answer:
            raise refusal(*answer["refused"])
        return int(answer["results"][0] or 0)

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
    guarantees = Guarantees(survives="crash", shared=True, lists_entities=True, restores_timestamps=True)

    def _configure(self) -> None:
        super()._configure()
        self._tables = self._hold(ToyTables(self, self._options))


class ToyVectorStore(OnToy, VectorStoreEngine):
    """A vector store; a row is a vector and its metadata."""

    Options: ClassVar[type[BackendOptions]] = ToyVectorOptions

    async def _put(self, parts: Parts[Block]) -> None:
        def commands(block: Block) -> list[Command]:
            ids, vectors, documents = block
            rows = list(zip(ids, zip(vectors.tolist(), documents, strict=True), strict=True))
            return [("agree", "dimension", "", vectors.shape[1]), ("put", "vectors", rows)]

        await self._tables.order_parts("add_many", parts.map(commands), refusal=DimensionError)

    async def _get(self, ids: list[str]) -> list[VectorItem | None]:
        return await self._tables.rows(item, "get", "vectors", ids)

    async def _delete(self, ids: list[str]) -> int:
        return await self._tables.order("delete_many", ("delete", "vectors", ids))

    async def _clear(self) -> None:
        await self._tables.order("clear", ("keep", "vectors", 0), ("keep", "dimension", 0))

    async def _dimension(self) -> int | None:
        found: list[int | None] = await self._tables.rows(lambda _, row: row, "get", "dimension", [""])
        return found[0] or self._known_dimension

    def _batches(self, size: int) -> AsyncGenerator[list[VectorItem], None]:
        return pages(partial(self._tables.rows, item, "page", "vectors"), "", itemgetter("id"), size)


def item(id: str, row: Any) -> Any:
    """Return a row of the vector store as the contract has it, `None` for none."""
    return row and VectorItem(id=id, vector=row[0], metadata=row[1])


class ToyKnowledgeGraph(OnToy, KnowledgeGraphEngine):
    """A knowledge graph; a row is type and properties of an entity, or the properties of a relation."""

    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        def commands(entities: Sequence[EntityRow]) -> list[Command]:
            return [("put", "entities", [(id, row) for id, *row in entities])]

        await self._tables.order_parts("add_entities", parts.map(commands))

    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        def commands(relations: Sequence[RelationRow]) -> list[Command]:
            ends = [(end, (*row[:3], end)) for row in relations for end in row[:2]]
            rows = [("\0".join(row[:3]), row[3]) for row in relations]
            return [("need", "entities", ends), ("put", "relations", rows)]

        await self._tables.order_parts("add_relations", parts.map(commands), refusal=missing_end)

    async def _get_entity(self, entity_id: str) -> Entity | None:
        found: list[Entity | None] = await self._tables.rows(entity, "get", "entities", [entity_id])
        return found[0]

    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        return bool(await self._tables.order("update_entity", ("merge", "entities", entity_id, properties)))

    async def _delete_entity(self, entity_id: str) -> bool:
        delete = ("delete", "entities", [entity_id]), ("unlink", "relations", entity_id)
        return bool(await self._tables.order("delete_entity", *delete))

    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        ends = {"outgoing": (0, 1), "incoming": (1, 2), "both": (0, 2)}[direction]
        found = await self._tables.rows(relation, "links", "relations", entity_id, *ends)
        return [each for each in found if relation_type in (None, each["type"])]

    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        delete = "delete", "relations", [f"{from_id}\0{to_id}\0{relation_type}"]
        return bool(await self._tables.order("delete_relation", delete))

    async def _clear(self) -> None:
        await self._tables.order("clear", ("keep", "entities", 0), ("keep", "relations", 0))

    def _entity_batches(self) -> AsyncGenerator[list[Entity], None]:
        return pages(partial(self._tables.rows, entity, "page", "entities"), "", itemgetter("id"), PAGE)

    def _relation_batches(self) -> AsyncGenerator[list[Relation], None]:
        def key(relation: Relation) -> str:
            return "\0".join((relation["from_id"], relation["to_id"], relation["type"]))

        return pages(partial(self._tables.rows, relation, "page", "relations"), "", key, PAGE)


def entity(id: str, row: Any) -> Any:
    """Return a row of an entity as the contract has it, `None` for none."""
    return row and Entity(id=id, type=row[0], properties=row[1])


def relation(key: str, properties: JSONObject) -> Relation:
    """Return a row of a relation as the contract has it."""
    from_id, to_id, kind = key.split("\0")
    return {"from_id": from_id, "to_id": to_id, "type": kind, "properties": properties}


class ToyCheckpointStore(OnToy, CheckpointStoreEngine):
    """A checkpoint store; a row is metadata, time, and the text of the data."""

    async def _save(self, parts: Parts[Sequence[SavedCheckpoint]]) -> None:
        def commands(given: Sequence[SavedCheckpoint]) -> list[Command]:
            rows = [(each.id, (each.metadata, each.timestamp, each.data.decode())) for each in given]
            return [("put", "checkpoints", rows)]

        await self._tables.order_parts("save_checkpoint", parts.map(commands))

    async def _get(self, checkpoint_id: str) -> SavedCheckpoint | None:
        found: list[SavedCheckpoint | None] = await self._tables.rows(saved, "get", "checkpoints", [checkpoint_id])
        return found[0]

    async def _latest(self) -> SavedCheckpoint | None:
        return next(iter(await self._tables.rows(saved, "newest", "checkpoints", 1)), None)

    async def _delete(self, checkpoint_id: str) -> bool:
        return bool(await self._tables.order("delete_checkpoint", ("delete", "checkpoints", [checkpoint_id])))

    async def _list(self, condition: Condition, limit: int | None, *, newest_first: bool) -> list[CheckpointInfo]:
        def listed(rows: Rows) -> list[CheckpointInfo]:
            infos = [CheckpointInfo(checkpoint_id=id, metadata=described(row[0], row[1], id)) for id, row in rows]
            matching = [info for info in infos if condition.matches(info["metadata"])]
            return (matching[::-1] if newest_first else matching)[:limit]

        return await self._tables.ask(listed, ("heads", "checkpoints"))

    async def _prune(self, keep_last: int) -> int:
        return await self._tables.order("prune", ("keep", "checkpoints", keep_last))


def saved(id: str, row: Any) -> Any:
    """Return a row of the checkpoint store as the spine has it, `None` for none."""
    return row and SavedCheckpoint(id, row[2].encode(), row[0], row[1])
