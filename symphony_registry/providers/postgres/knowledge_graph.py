"""A knowledge graph in two PostgreSQL tables; walks go on in the server."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar

import asyncpg
import orjson
from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.engine import pages
from symphony_registry.backends.filters import Condition
from symphony_registry.backends.knowledge_graph.base import Entity, Relation
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import EntityRow, KnowledgeGraphEngine, RelationRow
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.postgres.connections import Connection, Record
from symphony_registry.providers.postgres.database import GUARANTEES, Database, executing, send
from symphony_registry.providers.postgres.documents import texts
from symphony_registry.providers.postgres.filters import where
from symphony_registry.providers.postgres.graph_sql import (
    DELETE_ENTITY,
    ENTITY,
    LAYOUT,
    MISSING,
    NEIGHBORS,
    PUT_ENTITIES,
    PUT_RELATIONS,
    QUERY,
    RELATION,
    SHORTEST_PATH,
    SIDES,
    STEPS,
)
from symphony_registry.providers.postgres.options import PostgresOptions


class PostgresKnowledgeGraph(KnowledgeGraphEngine):
    """A knowledge graph in PostgreSQL tables."""

    Options: ClassVar[type[BackendOptions]] = PostgresOptions
    guarantees = GUARANTEES
    _options: PostgresOptions
    _part = PartLimit(2_000)

    @override
    def _configure(self) -> None:
        super()._configure()
        self._data = self._hold(Database(self, self._options, LAYOUT))

    @override
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        await self._data.execute_parts("add_entities", PUT_ENTITIES, parts.map(_entity_columns))

    @override
    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        sql = self._data.tables.sql(PUT_RELATIONS)

        async def work(connection: Connection) -> None:
            try:
                await send(connection, parts.map(_relation_columns), executing(connection, sql))
            except asyncpg.ForeignKeyViolationError as error:
                raise await self._missing_end(connection, parts) from error

        await self._data.run("add_relations", work)

    async def _missing_end(self, connection: Connection, parts: Parts[Sequence[RelationRow]]) -> InvalidValueError:
        """Return the error that names the first entity that a relation needs and does not find."""
        rows: list[RelationRow] = []

        async def keep(part: Sequence[RelationRow]) -> int:
            rows.extend(part)
            return len(part)

        await parts.send(keep)
        ends = [end for row in rows for end in row[:2]]
        missing = await connection.fetchval(self._data.tables.sql(MISSING), ends)
        number = 0 if missing is None else missing - 1  # somebody may have added it since
        return missing_end(rows[number // 2], ends[number])

    @override
    async def _get_entity(self, entity_id: str) -> Entity | None:
        found = await _entities(await self._data.fetch(f"{ENTITY} WHERE id = $1", entity_id))
        return found[0] if found else None

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        select = self._data.tables.sql(f"{ENTITY} WHERE id = $1 FOR NO KEY UPDATE")
        put = self._data.tables.sql(PUT_ENTITIES)

        async def work(connection: Connection) -> bool:
            async with connection.transaction():
                record = await connection.fetchrow(select, entity_id)
                if record is None:
                    return False
                document = {**orjson.loads(record[2]), **properties}
                await connection.execute(put, *_entity_columns([(entity_id, record[1], document)]))
                return True

        return await self._data.run("update_entity", work)

    @override
    async def _delete_entity(self, entity_id: str) -> bool:
        return bool(await self._data.execute("delete_entity", DELETE_ENTITY, entity_id))

    @override
    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        arguments = [entity_id] if relation_type is None else [entity_id, relation_type]
        records = await self._data.fetch(
            f"{RELATION} WHERE {SIDES[direction]}{{of_type}} ORDER BY from_id, to_id, type",
            *arguments,
            of_type="" if relation_type is None else " AND type = $2",
        )
        return await _relations(records)

    @override
    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        delete = "DELETE FROM {relations} WHERE from_id = $1 AND to_id = $2 AND type = $3"
        return bool(await self._data.execute("delete_relation", delete, from_id, to_id, relation_type))

    @override
    async def _query(self, start_id: str, path: list[str], limit: int) -> list[Entity]:
        return await _entities(await self._data.fetch(QUERY, start_id, path, limit))

    @override
    async def _neighbors(
        self, entity_id: str, relation_type: str | None, direction: Direction, depth: int, limit: int
    ) -> list[Entity]:
        sides = STEPS.values() if direction == "both" else [STEPS[direction]]
        of_type = "" if relation_type is None else " AND type = $4"
        arguments: list[Any] = [entity_id, depth, limit]
        if relation_type is not None:
            arguments.append(relation_type)
        steps = self._data.tables.sql(" UNION ALL ".join(sides), of_type=of_type)
        return await _entities(await self._data.fetch(NEIGHBORS, *arguments, steps=steps))

    @override
    async def _shortest_path(
        self, from_id: str, to_id: str, relation_types: list[str] | None, max_depth: int
    ) -> list[Entity] | None:
        arguments: list[Any] = [from_id, to_id, max_depth]
        if relation_types is not None:
            arguments.append(relation_types)
        of_type = "" if relation_types is None else " AND relation.type = ANY($4::text[])"
        found = await self._data.fetch(SHORTEST_PATH, *arguments, of_type=of_type)
        return await _entities(found) or None

    @override
    async def _find(self, entity_type: str | None, condition: Condition, limit: int) -> list[Entity]:
        arguments: list[Any] = [limit]
        matches = where(condition, "comparable", arguments)
        if entity_type is not None:
            arguments.append(entity_type)
            matches += f" AND type = ${len(arguments)}"
        select = f"{ENTITY} WHERE {{where}} ORDER BY id LIMIT $1"
        return await _entities(await self._data.fetch(select, *arguments, where=matches))

    @override
    async def _count_entities(self, entity_type: str | None) -> int:
        return await self._count("entities", entity_type)

    @override
    async def _count_relations(self, relation_type: str | None) -> int:
        return await self._count("relations", relation_type)

    async def _count(self, table: str, kind: str | None) -> int:
        arguments = [] if kind is None else [kind]
        of_type = "" if kind is None else "WHERE type = $1"
        found: int = await self._data.value(f"SELECT count(*) FROM {{{table}}} {of_type}", *arguments)
        return found

    @override
    async def _clear(self) -> None:
        await self._data.execute("clear", "TRUNCATE {entities}, {relations}")

    @override
    def _entity_batches(self, size: int) -> AsyncGenerator[list[Entity], None]:
        async def read(after: str, size: int) -> list[Entity]:
            return await _entities(await self._data.fetch(f"{ENTITY} WHERE id > $1 ORDER BY id LIMIT $2", after, size))

        return pages(read, "", lambda entity: entity["id"], size)

    @override
    def _relation_batches(self, size: int) -> AsyncGenerator[list[Relation], None]:
        following = f"{RELATION} WHERE (from_id, to_id, type) > ($1, $2, $3) ORDER BY from_id, to_id, type LIMIT $4"

        async def read(after: tuple[str, str, str], size: int) -> list[Relation]:
            return await _relations(await self._data.fetch(following, *after, size))

        return pages(read, ("", "", ""), lambda each: (each["from_id"], each["to_id"], each["type"]), size)


def _entity_columns(rows: Sequence[EntityRow]) -> list[Any]:
    """Return what is sent of some entities, a list for each column."""
    return list(zip(*((id, kind, *texts(properties)) for id, kind, properties in rows), strict=True))


def _relation_columns(rows: Sequence[RelationRow]) -> list[Any]:
    """Return what is sent of some relations, a list for each column."""
    return list(zip(*((*key, texts(properties)[0]) for *key, properties in rows), strict=True))


async def _entities(records: list[Record]) -> list[Entity]:
    def entities() -> list[Entity]:
        return [{"id": each[0], "type": each[1], "properties": orjson.loads(each[2])} for each in records]

    return await here_or_in_thread(entities, len(records) * ITEM)


async def _relations(records: list[Record]) -> list[Relation]:
    def relations() -> list[Relation]:
        return [
            {"from_id": each[0], "to_id": each[1], "type": each[2], "properties": orjson.loads(each[3])}
            for each in records
        ]

    return await here_or_in_thread(relations, len(records) * ITEM)
