"""A knowledge graph in two PostgreSQL tables; walks go on in the server."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import asyncpg
import orjson

from symphony_registry.backends.concurrency import ITEM_STEPS, computed
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
from symphony_registry.engines.postgres.backend import PostgresBackend, bounded, execute_parts
from symphony_registry.engines.postgres.connections import Connection, Record
from symphony_registry.engines.postgres.documents import texts
from symphony_registry.engines.postgres.filters import where
from symphony_registry.engines.postgres.options import PostgresOptions
from symphony_registry.engines.postgres.tables import Plan
from symphony_registry.errors import InvalidValueError

T = TypeVar("T")

# Things that are sent or read in one statement.
_BATCH = 2_000
_SCANNED = 1_000

_PLAN = Plan(
    "knowledge_graph",
    tables=("entities", "relations"),
    create=(
        """
        CREATE TABLE {entities} (
            id text COLLATE "C" PRIMARY KEY,
            type text COLLATE "C" NOT NULL,
            properties json NOT NULL,
            comparable jsonb NOT NULL
        )
        """,
        "CREATE INDEX ON {entities} (type, id)",
        "CREATE INDEX ON {entities} USING gin (comparable jsonb_path_ops)",
        """
        CREATE TABLE {relations} (
            from_id text COLLATE "C" NOT NULL REFERENCES {entities} ON DELETE CASCADE,
            to_id text COLLATE "C" NOT NULL REFERENCES {entities} ON DELETE CASCADE,
            type text COLLATE "C" NOT NULL,
            properties json NOT NULL,
            PRIMARY KEY (from_id, type, to_id)
        )
        """,
        "CREATE INDEX ON {relations} (to_id, type, from_id)",
    ),
)
_PUT_ENTITIES = """
    INSERT INTO {entities} (id, type, properties, comparable)
    SELECT id, type, properties::json, coalesce(comparable, properties)::jsonb
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS item(id, type, properties, comparable)
    ON CONFLICT (id) DO UPDATE SET type = excluded.type, properties = excluded.properties,
        comparable = excluded.comparable
"""
# Relations are locked in one order, whoever of their ends is deleted first.
_DELETE_ENTITY = """
    WITH locked AS MATERIALIZED (
        SELECT 1 FROM {relations} WHERE from_id = $1 OR to_id = $1 ORDER BY from_id, type, to_id FOR UPDATE
    )
    DELETE FROM {entities} WHERE id = $1 AND (SELECT count(*) FROM locked) >= 0
"""
_PUT_RELATIONS = """
    INSERT INTO {relations} (from_id, to_id, type, properties)
    SELECT from_id, to_id, type, properties::json
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS item(from_id, to_id, type, properties)
    ON CONFLICT (from_id, type, to_id) DO UPDATE SET properties = excluded.properties
"""
_MISSING = """
    SELECT number FROM unnest($1::text[]) WITH ORDINALITY AS item(id, number)
    WHERE NOT EXISTS (SELECT FROM {entities} AS entity WHERE entity.id = item.id) ORDER BY number LIMIT 1
"""
_ENTITY = "SELECT id, type, properties FROM {entities} WHERE id = $1"
_RELATION = "SELECT from_id, to_id, type, properties FROM {relations}"
_SIDES = {"outgoing": "from_id = $1", "incoming": "to_id = $1", "both": "(from_id = $1 OR to_id = $1)"}

# The working table of a recursive query is one level; UNION keeps each level distinct.
_QUERY = """
    WITH RECURSIVE walk(id, step) AS (
        SELECT id, 0 FROM {entities} WHERE id = $1
        UNION
        SELECT relation.to_id, walk.step + 1 FROM walk JOIN {relations} AS relation
        ON relation.from_id = walk.id AND relation.type = ($2::text[])[walk.step + 1]
    )
    SELECT id, type, properties FROM {entities}
    WHERE id IN (SELECT id FROM walk WHERE step = cardinality($2::text[])) ORDER BY id LIMIT $3
"""
_STEPS = {
    "outgoing": "SELECT to_id AS id FROM {relations} WHERE from_id = walk.id{of_type}",
    "incoming": "SELECT from_id AS id FROM {relations} WHERE to_id = walk.id{of_type}",
}
_NEIGHBORS = """
    WITH RECURSIVE walk(id, step) AS (
        SELECT $1::text COLLATE "C", 0
        UNION
        SELECT near.id, walk.step + 1 FROM walk, LATERAL ({steps}) AS near WHERE walk.step < $2
    )
    SELECT id, type, properties FROM {entities}
    WHERE id IN (SELECT id FROM walk) AND id <> $1 ORDER BY id LIMIT $3
"""
# How far the goal is; the entities at each distance on the way; those of them that lead to it, from the goal back;
# and from the start on, the smallest each time.
_SHORTEST_PATH = """
    WITH RECURSIVE search(id, step) AS (
        SELECT id, 0 FROM {entities} WHERE id = $1
        UNION
        SELECT relation.to_id, search.step + 1 FROM search JOIN {relations} AS relation
        ON relation.from_id = search.id{of_type} WHERE search.step < $3
    ), goal AS MATERIALIZED (
        SELECT step FROM search WHERE id = $2 LIMIT 1
    ), walk(id, step) AS (
        SELECT $1::text COLLATE "C", 0
        UNION
        SELECT relation.to_id, walk.step + 1 FROM walk JOIN {relations} AS relation
        ON relation.from_id = walk.id{of_type} WHERE walk.step < (SELECT step FROM goal) - 1
    ), back(id, step) AS (
        SELECT $2::text COLLATE "C", step FROM goal
        UNION
        SELECT walk.id, walk.step FROM back JOIN {relations} AS relation ON relation.to_id = back.id{of_type}
        JOIN walk ON walk.id = relation.from_id AND walk.step = back.step - 1
    ), path(id, step) AS (
        SELECT id, step FROM back WHERE step = 0
        UNION
        SELECT next.id, path.step + 1 FROM path, LATERAL (
            SELECT relation.to_id AS id FROM {relations} AS relation
            JOIN back ON back.id = relation.to_id AND back.step = path.step + 1
            WHERE relation.from_id = path.id{of_type} ORDER BY relation.to_id LIMIT 1
        ) AS next
    )
    SELECT entity.id, entity.type, entity.properties FROM path JOIN {entities} AS entity ON entity.id = path.id
    ORDER BY path.step
"""


class PostgresKnowledgeGraph(PostgresBackend[PostgresOptions], KnowledgeGraphBackend):
    """A knowledge graph in PostgreSQL tables."""

    _options_model = PostgresOptions
    _plan = _PLAN

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

        rows = await computed(checked, len(given) * ITEM_STEPS)
        await self._run(lambda connection: self._put(connection, _PUT_ENTITIES, rows, _entity_columns), again=True)

    async def _put(
        self, connection: Connection, template: str, rows: Sequence[T], columns: Callable[[Sequence[T]], list[Any]]
    ) -> None:
        parts = [partial(columns, rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
        if parts:
            await execute_parts(connection, self._tables.sql(template), parts, len(rows) * ITEM_STEPS)

    async def get_entity(self, entity_id: str) -> Entity | None:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        found = await _entities(await self._fetch(_ENTITY, entity_id))
        return found[0] if found else None

    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        merged = checked_object(properties, "properties")
        select = self._tables.sql(f"{_ENTITY} FOR NO KEY UPDATE")

        async def work(connection: Connection) -> bool:
            async with connection.transaction():
                record = await connection.fetchrow(select, entity_id)
                if record is None:
                    return False
                document = {**orjson.loads(record[2]), **merged}
                await self._put(connection, _PUT_ENTITIES, [(entity_id, record[1], document)], _entity_columns)
                return True

        return await self._run(work, again=True)

    async def delete_entity(self, entity_id: str) -> bool:  # noqa: D102
        self.ensure_open()
        check_id(entity_id, "entity_id")
        return bool(await self._execute(_DELETE_ENTITY, entity_id, again=False))

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

        rows = await computed(checked, len(given) * ITEM_STEPS)

        async def work(connection: Connection) -> None:
            try:
                await self._put(connection, _PUT_RELATIONS, rows, _relation_columns)
            except asyncpg.ForeignKeyViolationError as error:
                raise await self._missing_end(connection, rows) from error

        await self._run(work, again=True)

    async def _missing_end(
        self, connection: Connection, rows: list[tuple[str, str, str, JSONObject]]
    ) -> InvalidValueError:
        """Return the error that names the first entity that a relation needs and does not find."""
        ends = [end for row in rows for end in row[:2]]
        missing = await connection.fetchval(self._tables.sql(_MISSING), ends)
        number = 0 if missing is None else missing - 1  # somebody may have added it since
        from_id, to_id, kind, _ = rows[number // 2]
        return InvalidValueError(
            f"The relation {from_id!r} -{kind}-> {to_id!r} needs the entity {ends[number]!r}, which does not exist. "
            "Add it first."
        )

    async def get_relations(  # noqa: D102
        self, entity_id: str, relation_type: str | None = None, direction: Direction = "outgoing"
    ) -> list[Relation]:
        self.ensure_open()
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        arguments = [entity_id] if relation_type is None else [entity_id, relation_type]
        records = await self._fetch(
            f"{_RELATION} WHERE {_SIDES[check_direction(direction)]}{{of_type}} ORDER BY from_id, to_id, type",
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
        return await _entities(await self._fetch(_QUERY, start_entity_id, path, bounded(limit)))

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
        sides = _STEPS.values() if direction == "both" else [_STEPS[direction]]
        of_type = "" if relation_type is None else " AND type = $4"
        arguments: list[Any] = [entity_id, bounded(depth), bounded(limit)]
        if relation_type is not None:
            arguments.append(relation_type)
        steps = self._tables.sql(" UNION ALL ".join(sides), of_type=of_type)
        return await _entities(await self._fetch(_NEIGHBORS, *arguments, steps=steps))

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
        found = await self._fetch(_SHORTEST_PATH, *arguments, of_type=of_type)
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
        select = "SELECT id, type, properties FROM {entities} WHERE {where} ORDER BY id LIMIT $1"
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
            records = await self._fetch(
                "SELECT id, type, properties FROM {entities} WHERE id > $1 ORDER BY id LIMIT $2", last, _SCANNED
            )
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
                f"{_RELATION} WHERE (from_id, to_id, type) > ($1, $2, $3) ORDER BY from_id, to_id, type LIMIT $4",
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

    return await computed(entities, len(records) * ITEM_STEPS)


async def _relations(records: list[Record]) -> list[Relation]:
    def relations() -> list[Relation]:
        return [
            {"from_id": each[0], "to_id": each[1], "type": each[2], "properties": orjson.loads(each[3])}
            for each in records
        ]

    return await computed(relations, len(records) * ITEM_STEPS)
