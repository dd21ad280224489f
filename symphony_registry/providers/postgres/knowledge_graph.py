"""A knowledge graph in two PostgreSQL tables; walks go on in the server."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar, TypeAlias

import asyncpg
import orjson
from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.engine import pages
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, RelationKey, Subgraph, relation_key
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import KnowledgeGraphEngine
from symphony_registry.backends.knowledge_graph.hooks import EntityRow, RelationRow
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import Page, Range, Selection
from symphony_registry.backends.values import MAX_LIMIT, Direction, JSONObject
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.postgres.connections import Connection, Record
from symphony_registry.providers.postgres.database import GUARANTEES, Database, executing, send
from symphony_registry.providers.postgres.documents import texts
from symphony_registry.providers.postgres.graph_sql import (
    DELETE_ENTITIES,
    DELETE_RELATION,
    DELETE_RELATIONS,
    ENTITY,
    LAYOUT,
    MISSING,
    NEIGHBORS,
    OF_TYPES,
    OVER,
    PUT_ENTITIES,
    PUT_RELATIONS,
    QUERY,
    RELATION,
    SHORTEST_PATH,
    SIDES,
    STEPS,
    SUBGRAPH,
    WHERE_ABSENT,
)
from symphony_registry.providers.postgres.options import PostgresOptions
from symphony_registry.providers.postgres.selection import selected

Row: TypeAlias = "Record | tuple[Any, ...]"


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
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]], *, if_absent: bool) -> int:
        put = f"{PUT_ENTITIES} {WHERE_ABSENT if if_absent else OVER}"
        return await self._data.execute_parts("add_entities", put, parts.map(_entity_columns), conditional=if_absent)

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
    async def _get_entities(self, ids: list[str]) -> list[Entity | None]:
        records = await self._data.fetch(f"{ENTITY} WHERE id = ANY($1::text[])", ids)
        found = {entity["id"]: entity for entity in await _entities(records)}
        return [found.get(id) for id in ids]

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        select = self._data.tables.sql(f"{ENTITY} WHERE id = $1 FOR NO KEY UPDATE")
        put = self._data.tables.sql(f"{PUT_ENTITIES} {OVER}")

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
    async def _delete_entities(self, ids: list[str]) -> int:
        return await self._data.execute("delete_entities", DELETE_ENTITIES, ids, where="id = ANY($1::text[])")

    @override
    async def _delete_selected(self, selection: Selection) -> int:
        arguments: list[Any] = []
        where = _selected(selection, arguments)
        return await self._data.execute("delete_entities", DELETE_ENTITIES, *arguments, where=where)

    @override
    async def _get_relations(
        self,
        entity_id: str,
        relation_type: str | None,
        direction: Direction,
        after: RelationKey | None,
        limit: int | None,
    ) -> list[Relation]:
        arguments: list[Any] = [entity_id, limit]
        where = SIDES[direction]
        if relation_type is not None:
            arguments.append(relation_type)
            where += " AND type = $3"
        if after is not None:
            number = len(arguments) + 1
            arguments += after
            where += f" AND (from_id, to_id, type) > (${number}, ${number + 1}, ${number + 2})"
        records = await self._data.fetch(
            f"{RELATION} WHERE {{where}} ORDER BY from_id, to_id, type LIMIT $2", *arguments, where=where
        )
        return await _relations(records)

    @override
    async def _delete_relations(self, keys: list[RelationKey]) -> int:
        if len(keys) == 1:  # which takes half the time
            return await self._data.execute("delete_relations", DELETE_RELATION, *keys[0])
        columns = map(list, zip(*sorted(keys), strict=True))  # everybody locks in the same order
        return await self._data.execute("delete_relations", DELETE_RELATIONS, *columns)

    @override
    async def _delete_types(self, relation_types: list[str]) -> int:
        return await self._data.execute(
            "delete_relations", f"DELETE FROM {{relations}} WHERE {OF_TYPES}", relation_types
        )

    @override
    async def _query(self, start_id: str, path: list[str], limit: int) -> list[Entity]:
        return await _entities(await self._data.fetch(QUERY, start_id, path, limit))

    @override
    async def _neighbors(
        self, entity_id: str, relation_type: str | None, direction: Direction, depth: int, limit: int
    ) -> list[Entity]:
        of_type = "" if relation_type is None else " AND type = $4"
        arguments: list[Any] = [entity_id, depth, limit]
        if relation_type is not None:
            arguments.append(relation_type)
        steps = self._steps(direction, of_type)
        return await _entities(await self._data.fetch(NEIGHBORS, *arguments, steps=steps))

    def _steps(self, direction: Direction, of_type: str) -> str:
        """Return the SQL of a step, along relations that fulfil `of_type` too."""
        sides = STEPS.values() if direction == "both" else [STEPS[direction]]
        return self._data.tables.sql(" UNION ALL ".join(sides), of_type=of_type)

    @override
    async def _subgraph(
        self, ids: list[str], depth: int, relation_types: list[str] | None, direction: Direction, limit: int | None
    ) -> Subgraph:
        arguments: list[Any] = [ids, depth, MAX_LIMIT if limit is None else limit]
        of_types = ""
        if relation_types is not None:
            arguments.append(relation_types)
            of_types = " AND type = ANY($4::text[])"
        steps = self._steps(direction, of_types)
        records = await self._data.fetch(SUBGRAPH, *arguments, steps=steps, of_types=of_types)
        entities = [(each[1], each[3], each[4]) for each in records if each[0] is not None]
        relations = [each[1:] for each in records if each[0] is None]
        return {"entities": await _entities(entities), "relations": await _relations(relations)}

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
    async def _find(self, selection: Selection, page: Page) -> list[Entity]:
        arguments: list[Any] = [page.limit]
        where = _selected(selection, arguments)
        select = f"{ENTITY} WHERE {{where}} ORDER BY id {'DESC' if page.reverse else 'ASC'} LIMIT $1"
        return await _entities(await self._data.fetch(select, *arguments, where=where))

    @override
    async def _count_entities(self, selection: Selection) -> int:
        arguments: list[Any] = []
        where = _selected(selection, arguments)
        found: int = await self._data.value("SELECT count(*) FROM {entities} WHERE {where}", *arguments, where=where)
        return found

    @override
    async def _count_relations(self, relation_type: str | None) -> int:
        arguments = [] if relation_type is None else [relation_type]
        of_type = "" if relation_type is None else "WHERE type = $1"
        found: int = await self._data.value(f"SELECT count(*) FROM {{relations}} {of_type}", *arguments)
        return found

    @override
    async def _clear(self) -> None:
        await self._data.execute("clear", "TRUNCATE {entities}, {relations}")

    @override
    def _entity_batches(self, selection: Selection, size: int) -> AsyncGenerator[list[Entity], None]:
        async def read(after: str | None, size: int) -> list[Entity]:
            following = selection if after is None else selection._replace(ids=Range(selection.ids.prefix, after))
            return await self._find(following, Page(size))

        return pages(read, None, lambda entity: entity["id"], size)

    @override
    def _relation_batches(self, size: int, relation_types: list[str] | None) -> AsyncGenerator[list[Relation], None]:
        of_types, arguments = ("true", []) if relation_types is None else (OF_TYPES, [relation_types])
        number = len(arguments) + 1
        following = f"""
            {RELATION} WHERE {of_types} AND (from_id, to_id, type) > (${number}, ${number + 1}, ${number + 2})
            ORDER BY from_id, to_id, type LIMIT ${number + 3}
        """

        async def read(after: RelationKey, size: int) -> list[Relation]:
            return await _relations(await self._data.fetch(following, *arguments, *after, size))

        return pages(read, ("", "", ""), relation_key, size)


def _selected(selection: Selection, arguments: list[Any]) -> str:
    """Return the SQL of a selection; its values are appended to `arguments`."""
    where = selected(selection, "comparable", arguments)
    if selection.kind is not None:
        arguments.append(selection.kind)
        where += f" AND type = ${len(arguments)}"
    return where


def _entity_columns(rows: Sequence[EntityRow]) -> list[Any]:
    """Return what is sent of some entities, a list for each column."""
    return list(zip(*((id, kind, *texts(properties)) for id, kind, properties in rows), strict=True))


def _relation_columns(rows: Sequence[RelationRow]) -> list[Any]:
    """Return what is sent of some relations, a list for each column."""
    return list(zip(*((*key, texts(properties)[0]) for *key, properties in rows), strict=True))


async def _entities(records: Sequence[Row]) -> list[Entity]:
    def entities() -> list[Entity]:
        return [{"id": each[0], "type": each[1], "properties": orjson.loads(each[2])} for each in records]

    return await here_or_in_thread(entities, len(records) * ITEM)


async def _relations(records: Sequence[Row]) -> list[Relation]:
    def relations() -> list[Relation]:
        return [
            {"from_id": each[0], "to_id": each[1], "type": each[2], "properties": orjson.loads(each[3])}
            for each in records
        ]

    return await here_or_in_thread(relations, len(records) * ITEM)
