"""The engine: the driver of the toy server, the table of a backend, and the three stores over it."""

import asyncio
from binascii import a2b_base64, b2a_base64
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
import orjson
from pydantic import Field
from typing_extensions import override

from symphony_registry.backends.checkpoint_store.checks import SavedCheckpoint
from symphony_registry.backends.checkpoint_store.engine import CheckpointStoreEngine
from symphony_registry.backends.concurrency import delaying_cancellation, here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES
from symphony_registry.backends.engine import Engine, pages
from symphony_registry.backends.filters import ANYTHING
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, RelationKey, relation_key
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import KnowledgeGraphEngine
from symphony_registry.backends.knowledge_graph.hooks import EntityRow, RelationRow, chosen, of_types
from symphony_registry.backends.options import BackendOptions, Seconds
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.remote.driver import Driver
from symphony_registry.backends.remote.resource import RemoteResource
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.backends.vector_store.base import FoundVector, VectorOptions
from symphony_registry.backends.vector_store.block import Block
from symphony_registry.backends.vector_store.engine import VectorStoreEngine
from symphony_registry.errors import DimensionError, VersionConflictError

T = TypeVar("T")
Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_LONGEST_LINE = 2**30
_WHOLE, _WITHOUT_DATA = 6, 4  # values of a checkpoint's row
_JSON_LINE = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class ToyOptions(BackendOptions):
    """Where the server is, and which tables are ours."""

    host: str = Field(default="127.0.0.1", description="The server's host.")
    port: int = Field(ge=1, le=65535, description="The server's port.", examples=[7000])
    prefix: str = Field(default="", description="What the names of the tables begin with.")
    timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")


class ToyVectorOptions(ToyOptions, VectorOptions):
    """The options of the vector store."""


class ToyDriver(Driver[None, Connection]):
    """asyncio's streams. Each operation has a connection of its own, so there is no pool."""

    options: ClassVar = ("port", "host")

    def __init__(self, options: ToyOptions) -> None:
        self.key = self._address = options.host, options.port
        self.server = f"the toy server at {options.host}:{options.port}"
        self.patience = options.timeout

    @override
    async def open(self) -> None:
        async with self.connection(None):
            pass

    @override
    @asynccontextmanager
    async def connection(self, pool: None) -> AsyncIterator[Connection]:
        async with asyncio.timeout(self.patience):
            reader, writer = await asyncio.open_connection(*self._address, limit=_LONGEST_LINE)
            try:
                yield reader, writer
            finally:
                writer.transport.abort()  # an answer that comes late is nobody else's


async def exchange(line: bytes, connection: Connection) -> bytes:
    """Send a line, and return the line that answers it."""
    reader, writer = connection
    writer.write(line)
    return await reader.readuntil()


class ToyServer(RemoteResource[None, Connection]):
    """The way to the server, where nothing has to be prepared: it makes a table when it is used."""

    @override
    async def probe(self, connection: Connection) -> bool:
        return b"result" in await exchange(b'["", "kind"]\n', connection)

    @override
    async def version(self) -> str:
        return "toy server 1"


class RefusedError(Exception):
    """What the server found wrong with a write, and did not do."""


class OnToy(Engine):
    """What the three stores have in common: where their rows are, and how to ask for them."""

    Options: ClassVar[type[BackendOptions]] = ToyOptions
    guarantees = Guarantees(
        survives="crash",
        atomic_bulk=True,
        lists_entities=True,
        restores_timestamps=True,
        saves_several=True,
        shared=True,
    )

    @override
    def _configure(self) -> None:
        super()._configure()
        self._server = self._hold(ToyServer(self, ToyDriver(self._options)))

    async def _ask(self, operation: str, command: str, *arguments: Any, cost: float = 0, once: bool = False) -> Any:
        """Return what the server answers to the command of an operation; raises `RefusedError`."""
        request = [f"{self._options.prefix}{self.name}.{self.backend_type}", command, *arguments]
        line = await here_or_in_thread(lambda: orjson.dumps(request, option=_JSON_LINE), cost)
        # to its end: who cancels a write may ask at once what became of it
        text = await delaying_cancellation(self._server.run(operation, partial(exchange, line), conditional=once))
        answer = await here_or_in_thread(lambda: orjson.loads(text), len(text) / JSON_BYTES)
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["result"]

    async def _clear(self) -> None:
        await self._ask("clear", "keep", 0)


class ToyVectorStore(OnToy, VectorStoreEngine):
    """A vector store. A row is (id, vector, metadata); the kind of the rows is their dimension."""

    Options: ClassVar[type[BackendOptions]] = ToyVectorOptions

    async def _put(self, parts: Parts[Block]) -> None:
        ids, vectors, documents = await parts.whole()
        rows, dimension = list(zip(ids, vectors, documents, strict=True)), vectors.shape[1]
        try:
            await self._ask("add_many", "put", rows, dimension, cost=parts.cost)
        except RefusedError as refusal:
            raise DimensionError(refusal.args[0], dimension) from None

    async def _get(self, ids: list[str], *, include_vectors: bool) -> list[FoundVector | None]:
        return await _made(partial(_item, include_vectors), await self._ask("get_many", "read", ids))

    async def _find(self, selection: Selection, page: Page, *, include_vectors: bool) -> list[FoundVector]:
        low, includes_low = selection.ids.low()
        start = low if includes_low else f"{low}\0"  # which comes next
        limit = page.limit if selection.condition is ANYTHING else None  # the server knows no conditions
        rows = await self._ask("find", "within", start, selection.ids.high(), limit, page.reverse)

        def found() -> list[FoundVector]:
            matching = [row for row in rows if selection.condition.matches(row[2])][: page.limit]
            return [_item(include_vectors, *row) for row in matching]

        return await here_or_in_thread(found, len(rows) * ITEM)

    async def _update(self, id: str, changes: JSONObject) -> bool:
        return bool(await self._ask("update", "merge", id, changes))

    async def _delete(self, chosen: list[str] | Selection) -> int:
        if isinstance(chosen, Selection):
            chosen = [item["id"] for item in await self._find(chosen, Page(), include_vectors=False)]
        return int(await self._ask("delete_many", "delete", chosen))

    async def _dimension(self) -> int | None:
        kind: int | None = await self._ask("dimension", "kind")
        return kind or self._options.dimension


class ToyKnowledgeGraph(OnToy, KnowledgeGraphEngine):
    """A knowledge graph. A row is (id, type, properties), or (from, to and type in one key, properties)."""

    guarantees = replace(OnToy.guarantees, atomic_bulk=False)  # walks read an entity after the other

    async def _put_entities(self, parts: Parts[Sequence[EntityRow]], *, if_absent: bool) -> int:
        return int(await self._ask("add_entities", "put", await parts.whole(), None, if_absent, cost=parts.cost))

    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        relations = await parts.whole()
        rows = [("\0".join(key), properties) for *key, properties in relations]
        try:
            await self._ask("add_relations", "put", rows, cost=parts.cost)
        except RefusedError as refusal:
            number, end = refusal.args[0]
            raise missing_end(relations[number], end) from None

    async def _get_entity(self, entity_id: str) -> Entity | None:
        (row,) = await self._ask("get_entity", "read", [entity_id])
        return row and _entity(*row)

    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        return bool(await self._ask("update_entity", "merge", entity_id, properties))

    async def _delete_entities(self, ids: list[str]) -> int:
        return int(await self._ask("delete_entities", "delete", ids))

    async def _get_relations(
        self,
        entity_id: str,
        relation_type: str | None,
        direction: Direction,
        after: RelationKey | None,
        limit: int | None,
    ) -> list[Relation]:
        rows = await self._ask("get_relations", "links", entity_id, direction, relation_type)
        following = rows if after is None else [row for row in rows if row[0] > "\0".join(after)]
        return await _made(_relation, following[:limit])

    async def _delete_relations(self, keys: list[RelationKey]) -> int:
        return int(await self._ask("delete_relations", "delete", ["\0".join(key) for key in keys]))

    def _entity_batches(self, selection: Selection, size: int) -> AsyncGenerator[list[Entity], None]:
        async def read(after: str, size: int) -> list[Entity]:
            return await _made(_entity, await self._ask("scan_entities", "page", after, size, 1))

        return chosen(pages(read, "", lambda entity: entity["id"], size), selection)

    def _relation_batches(self, size: int, relation_types: list[str] | None) -> AsyncGenerator[list[Relation], None]:
        async def read(after: str, size: int) -> list[Relation]:
            return await _made(_relation, await self._ask("scan_relations", "page", after, size, 3))

        return of_types(pages(read, "", lambda each: "\0".join(relation_key(each)), size), relation_types)


class ToyCheckpointStore(OnToy, CheckpointStoreEngine):
    """A checkpoint store. A row is (id, version, time, metadata, text of the data, payload in base64)."""

    async def _save(self, checkpoint: SavedCheckpoint, if_version: int | None, cost: float) -> int:
        rows = [_row(checkpoint)]
        try:
            _, version = await self._ask(
                "save_checkpoint", "save", rows, if_version, cost=cost, once=if_version is not None
            )
        except RefusedError as refusal:
            raise VersionConflictError(checkpoint.id, if_version or 0, refusal.args[0]) from None
        return int(version)

    async def _save_many(self, parts: Parts[Sequence[SavedCheckpoint]], *, if_absent: bool) -> int:
        rows = list(map(_row, await parts.whole()))
        count, _ = await self._ask("save_checkpoints", "save", rows, None, if_absent, cost=parts.cost, once=if_absent)
        return int(count)

    async def _get(self, ids: list[str]) -> list[SavedCheckpoint | None]:
        return await _made(_saved, await self._ask("get_checkpoints", "read", ids))

    async def _delete(self, checkpoint_id: str, if_version: int | None) -> bool:
        try:
            return bool(await self._ask("delete_checkpoint", "delete", [checkpoint_id], if_version))
        except RefusedError as refusal:
            raise VersionConflictError(checkpoint_id, if_version or 0, refusal.args[0]) from None

    async def _delete_many(self, chosen: list[str] | Selection) -> int:
        if isinstance(chosen, Selection):
            chosen = [saved.id for saved in await self._find(chosen, Page(), by="id", include_data=False)]
        return int(await self._ask("delete_checkpoints", "delete", chosen))

    async def _find(
        self, selection: Selection, page: Page, *, by: Literal["id", "saved"], include_data: bool
    ) -> list[SavedCheckpoint]:
        rows = await self._ask("list_checkpoints", "all", _WHOLE if include_data else _WITHOUT_DATA)

        def find() -> list[SavedCheckpoint]:
            found = [_saved(*row) for row in rows if selection.ids.holds(row[0])]
            found.sort(key=attrgetter("id" if by == "id" else "version"), reverse=page.reverse)
            return list(islice((each for each in found if selection.condition.matches(each.described())), page.limit))

        return await here_or_in_thread(find, len(rows) * ITEM)

    async def _prune(self, keep_last: int, selection: Selection) -> int:
        newest = await self._find(selection, Page(reverse=True), by="saved", include_data=False)
        return await self._delete_many([saved.id for saved in newest[keep_last:]])


async def _made(make: Callable[..., T], rows: list[Any]) -> list[T]:
    return await here_or_in_thread(lambda: [row and make(*row) for row in rows], len(rows) * ITEM)


def _item(include_vectors: bool, id: str, vector: list[float], metadata: JSONObject) -> FoundVector:
    if include_vectors:
        return {"id": id, "vector": np.array(vector, np.float32).tolist(), "metadata": metadata}
    return {"id": id, "metadata": metadata}


def _entity(id: str, kind: str, properties: JSONObject) -> Entity:
    return {"id": id, "type": kind, "properties": properties}


def _relation(key: str, properties: JSONObject) -> Relation:
    from_id, to_id, kind = key.split("\0")
    return {"from_id": from_id, "to_id": to_id, "type": kind, "properties": properties}


def _row(saved: SavedCheckpoint) -> list[Any]:
    payload = None if saved.payload is None else b2a_base64(saved.payload, newline=False).decode()
    return [saved.id, 0, saved.timestamp, saved.metadata, saved.data.decode(), payload]


def _saved(
    id: str, version: int, time: float, metadata: JSONObject, text: str = "", payload: str | None = None
) -> SavedCheckpoint:
    whole = None if payload is None else a2b_base64(payload)
    return SavedCheckpoint(id, text.encode(), metadata, time, whole, version)
