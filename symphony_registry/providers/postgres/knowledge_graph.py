"""A knowledge graph in two PostgreSQL tables; walks go on in the server."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import asyncpg
import orjson

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    KnowledgeGraphBackend,
    Relation,
    RelationInput,
)
from symphony_registry.backends.knowledge_graph.checks import (
    check_entities,
    check_optional_id,
    check_path,
    check_relations,
    missing_end,
)
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.values import (
    Direction,
    JSONObject,
    check_direction,
    check_id,
    check_limit,
    checked_object,
    collected,
)
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.postgres.backend import PostgresBackend, bounded, execute_parts
from symphony_registry.providers.postgres.connections import Connection, Record
from symphony_registry.providers.postgres.documents import texts
from symphony_registry.providers.postgres.filters import where
from symphony_registry.providers.postgres.graph_sql import (
    DELETE_ENTITY,
    ENTITY,
    MISSING,
    NEIGHBORS,
    PLAN,
    PUT_ENTITIES,
    PUT_RELATIONS,
    QUERY,
    RELATION,
    SHORTEST_PATH,
    SIDES,
    STEPS,
)
from symphony_registry.providers.postgres.options import PostgresOptions

T = TypeVar("T")

# Things that are sent or read in one statement.
_BATCH = 2_000
_SCANNED = 1_000


class PostgresKnowledgeGraph(PostgresBackend[PostgresOptions], KnowledgeGraphBackend):
    """A knowledge graph in PostgreSQL tables."""

    _options_model = PostgresOptions
    _plan = PLAN

    class Provider:
        """Makes knowledge graphs in PostgreSQL."""

        Options: ClassVar[type[BackendOptions]] = PostgresOptions

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            """Return a graph that is not connected yet."""
            return PostgresKnowledgeGraph(config)

    async def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:  # noqa: D102
        await self.add_entities([(entity_id, entity_type, properties)])

    async def add_entities(self, items: Iterable[EntityInput]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)

        def checked() -> list[tuple[str, str, JSONObject]]:
            last = {item[0]: item for item in check_entities(given)}
            return [last[id] for id in sorted(last)]  # everybody locks rows in the same order

        rows = await here_or_in_thread(checked, len(given) * ITEM)
        await self._run(lambda connection: self._put(connection, PUT_ENTITIES, rows, _entity_columns), again=True)

    async def _put(
        self, connection: Connection, template: str, rows: Sequence[T], columns: Callable[[Sequence[T]], list[Any]]
    ) -> None:
        parts = [partial(columns, rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
        if parts:
            await execute_parts(connection, self._tables.sql(template), parts, len(rows) * ITEM)

    async def get_entity(self, entity_id: str) -> Entity | None:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        found = await _entities(await self._fetch(f"{ENTITY} WHERE id = $1", entity_id))
        return found[0] if found else None

    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        merged = checked_object(properties, "properties")
        select = self._tables.sql(f"{ENTITY} WHERE id = $1 FOR NO KEY UPDATE")

        async def work(connection: Connection) -> bool:
            async with connection.transaction():
                record = await connection.fetchrow(select, entity_id)
                if record is None:
                    return False
                document = {**orjson.loads(record[2]), **merged}
                await self._put(connection, PUT_ENTITIES, [(entity_id, record[1], document)], _entity_columns)
                return True

        return await self._run(work, again=True)

    async def delete_entity(self, entity_id: str) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        return bool(await self._execute(DELETE_ENTITY, entity_id, again=False))

    async def add_relation(  # noqa: D102
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        await self.add_relations([(from_entity_id, to_entity_id, relation_type, properties)])

    async def add_relations(self, items: Iterable[RelationInput]) -> None:  # noqa: D102
        self.ensure_open()
        given = collected(items)

        def checked() -> list[tuple[str, str, str, JSONObject]]:
            last = {item[:3]: item for item in check_relations(given)}
            return [last[key] for key in sorted(last)]

        rows = await here_or_in_thread(checked, len(given) * ITEM)

        async def work(connection: Connection) -> None:
            try:
                await self._put(connection, PUT_RELATIONS, rows, _relation_columns)
            except asyncpg.ForeignKeyViolationError as error:
                raise await self._missing_end(connection, rows) from error

        await self._run(work, again=True)

    async def _missing_end(
        self, connection: Connection, rows: list[tuple[str, str, str, JSONObject]]
    ) -> InvalidValueError:
        """Return the error that names the first entity that a relation needs and does not find."""
        ends = [end for row in rows for end in row[:2]]
        missing = await connection.fetchval(self._tables.sql(MISSING), ends)
        number = 0 if missing is None else missing - 1  # somebody may have added it since
        from_id, to_id, kind, _ = rows[number // 2]
        return missing_end(from_id, to_id, kind, ends[number])

    async def get_relations(  # noqa: D102
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        self.ensure_open()
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        arguments = [entity_id] if relation_type is None else [entity_id, relation_type]
        records = await self._fetch(
            f"{RELATION} WHERE {SIDES[check_direction(direction)]}{{of_type}} ORDER BY from_id, to_id, type",
            *arguments,
            of_type="" if relation_type is None else " AND type = $2",
        )
        return await _relations(records)

    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:  # noqa: D102
        self.ensure_open()
        key = (
            check_id(from_entity_id, "from_entity_id"),
            check_id(to_entity_id, "to_entity_id"),
            check_id(relation_type, "relation_type"),
        )
        delete = "DELETE FROM {relations} WHERE from_id = $1 AND to_id = $2 AND type = $3"
        return bool(await self._execute(delete, *key, again=False))

    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:  # noqa: D102
        self.ensure_open()
        check_id(start_entity_id, "start_entity_id")
        path = check_path(relation_path)
        check_limit(limit)
        return await _entities(await self._fetch(QUERY, start_entity_id, path, bounded(limit)))

    async def neighbors(  # noqa: D102
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        self.ensure_open()
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        check_limit(depth, "depth")
        check_limit(limit)
        sides = STEPS.values() if direction == "both" else [STEPS[direction]]
        of_type = "" if relation_type is None else " AND type = $4"
        arguments: list[Any] = [entity_id, bounded(depth), bounded(limit)]
        if relation_type is not None:
            arguments.append(relation_type)
        steps = self._tables.sql(" UNION ALL ".join(sides), of_type=of_type)
        return await _entities(await self._fetch(NEIGHBORS, *arguments, steps=steps))

    async def shortest_path(  # noqa: D102
        self,
        from_entity_id: str,
        to_entity_id: str,
        relation_types: Sequence[str] | None = None,
        max_depth: int = 6,
    ) -> list[Entity] | None:
        self.ensure_open()
        arguments: list[Any] = [check_id(from_entity_id, "from_entity_id"), check_id(to_entity_id, "to_entity_id")]
        kinds = None if relation_types is None else check_path(relation_types, "relation_types")
        arguments.append(bounded(check_limit(max_depth, "max_depth")))
        if kinds is not None:
            arguments.append(kinds)
        of_type = "" if kinds is None else " AND relation.type = ANY($4::text[])"
        found = await self._fetch(SHORTEST_PATH, *arguments, of_type=of_type)
        return await _entities(found) or None

    async def find_entities(  # noqa: D102
        self, entity_type: str | None = None, property_filter: JSONObject | None = None, limit: int = 100
    ) -> list[Entity]:
        self.ensure_open()
        check_optional_id(entity_type, "entity_type")
        check_limit(limit)
        arguments: list[Any] = [bounded(limit)]
        condition = where(parse_filter(property_filter, "property_filter"), "comparable", arguments)
        if entity_type is not None:
            arguments.append(entity_type)
            condition += f" AND type = ${len(arguments)}"
        select = f"{ENTITY} WHERE {{where}} ORDER BY id LIMIT $1"
        return await _entities(await self._fetch(select, *arguments, where=condition))

    async def count_entities(self, entity_type: str | None = None) -> int:  # noqa: D102
        return await self._count("entities", entity_type, "entity_type")

    async def count_relations(self, relation_type: str | None = None) -> int:  # noqa: D102
        return await self._count("relations", relation_type, "relation_type")

    async def _count(self, table: str, kind: str | None, what: str) -> int:
        self.ensure_open()
        check_optional_id(kind, what)
        arguments = [] if kind is None else [kind]
        of_type = "" if kind is None else "WHERE type = $1"
        found: int = await self._value(f"SELECT count(*) FROM {{{table}}} {of_type}", *arguments)
        return found

    async def clear(self) -> None:  # noqa: D102
        self.ensure_open()
        await self._execute("TRUNCATE {entities}, {relations}", again=True)

    async def scan_entities(self) -> AsyncIterator[Entity]:  # noqa: D102
        self.ensure_open()
        last = ""
        while True:
            records = await self._fetch(f"{ENTITY} WHERE id > $1 ORDER BY id LIMIT $2", last, _SCANNED)
            for entity in await _entities(records):
                yield entity
            if len(records) < _SCANNED:
                return
            last = records[-1][0]

    async def scan_relations(self) -> AsyncIterator[Relation]:  # noqa: D102
        self.ensure_open()
        last = ("", "", "")
        while True:
            records = await self._fetch(
                f"{RELATION} WHERE (from_id, to_id, type) > ($1, $2, $3) ORDER BY from_id, to_id, type LIMIT $4",
                *last,
                _SCANNED,
            )
            for relation in await _relations(records):
                yield relation
            if len(records) < _SCANNED:
                return
            last = records[-1][:3]


def _entity_columns(rows: Sequence[tuple[str, str, JSONObject]]) -> list[Any]:
    """Return what is sent of some entities, a list for each column."""
    return list(zip(*((id, kind, *texts(properties)) for id, kind, properties in rows), strict=True))


def _relation_columns(rows: Sequence[tuple[str, str, str, JSONObject]]) -> list[Any]:
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
