"""A knowledge graph in Redis; walks go on in the server."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from operator import itemgetter
from typing import ClassVar

import orjson
from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM, JSON_BYTES, SMALL
from symphony_registry.backends.engine import pages
from symphony_registry.backends.filters import ANYTHING, Condition, comparisons
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, RelationKey, Subgraph
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import KnowledgeGraphEngine
from symphony_registry.backends.knowledge_graph.hooks import EntityRow, RelationRow, chosen, of_types
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import Page, Range, Selection
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.providers.redis.connections import Argument
from symphony_registry.providers.redis.keyspace import (
    GUARANTEES,
    Keyspace,
    Layout,
    bounds,
    check_size,
    promised,
    sieved,
)
from symphony_registry.providers.redis.options import RedisOptions

_LAYOUT = Layout(
    "knowledge_graph",
    {
        "ids": "zset",
        "types": "zset",
        "entities": "hash",
        "relations": "hash",
        "out": "zset",
        "in": "zset",
        "counts": "hash",
    },
)
_PART = PartLimit(1_000)


class RedisKnowledgeGraph(KnowledgeGraphEngine):
    """A knowledge graph in Redis."""

    Options: ClassVar[type[BackendOptions]] = RedisOptions
    guarantees = GUARANTEES
    _options: RedisOptions
    _part = _PART

    @override
    def _configure(self) -> None:
        super()._configure()
        self.guarantees = promised(self._options)
        self._data = self._hold(Keyspace(self, self._options, _LAYOUT))

    @override
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]], *, if_absent: bool) -> int:
        name = "put_absent_entities" if if_absent else "put_entities"
        values = parts.map(_entity_values)
        return int(await self._data.change_parts("add_entities", name, values, conditional=if_absent))

    @override
    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        lacking = await self._data.change_parts("add_relations", "put_relations", parts.map(_relation_values))
        if lacking is not None:
            from_id, to_id, kind, end = (each.decode() for each in lacking)
            raise missing_end((from_id, to_id, kind, {}), end)

    @override
    async def _get_entity(self, entity_id: str) -> Entity | None:
        (entity,) = await self._get_entities([entity_id])
        return entity

    @override
    async def _get_entities(self, ids: list[str]) -> list[Entity | None]:
        stored: list[bytes | None] = await self._data.ask("get", *ids)
        return await here_or_in_thread(
            lambda: [None if each is None else _entity(id, each) for id, each in zip(ids, stored, strict=True)],
            _cost([each for each in stored if each is not None]),
        )

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        while True:
            (stored,) = await self._data.ask("get", entity_id)
            if stored is None:
                return False
            merged = await here_or_in_thread(partial(_merged, stored, properties), _cost([stored]))
            if await self._data.change("update_entity", "replace", entity_id, stored, merged):
                return True

    @override
    async def _delete_entities(self, ids: list[str]) -> int:
        return await self._data.delete("delete_entities", "delete_entities", list(zip(ids)))

    @override
    async def _delete_selected(self, selection: Selection) -> int:
        if selection.condition is ANYTHING:
            return int(await self._data.change("delete_entities", "delete_range", *_place(selection)))

        async def read() -> list[tuple[Argument, Argument]]:
            return [(entity["id"], stored) for entity, stored in await self._matching(selection, Page())]

        return await self._data.delete_seen("delete_entities", read)

    @override
    async def _get_relations(
        self,
        entity_id: str,
        relation_type: str | None,
        direction: Direction,
        after: RelationKey | None,
        limit: int | None,
    ) -> list[Relation]:
        types = _types(None if relation_type is None else [relation_type])
        place = (limit or 0, *(after or ("", "", "")))
        return await _relations(*await self._data.ask("relations", entity_id, direction, *place, *types))

    @override
    async def _delete_relations(self, keys: list[RelationKey]) -> int:
        named = [(from_id, kind, to_id) for from_id, to_id, kind in keys]
        return await self._data.delete("delete_relations", "delete_relations", named)

    @override
    async def _delete_types(self, relation_types: list[str]) -> int:
        return int(await self._data.change("delete_relations", "delete_types", *relation_types))

    @override
    async def _query(self, start_id: str, path: list[str], limit: int) -> list[Entity]:
        return await _entities(*await self._data.ask("query", start_id, limit, *path))

    @override
    async def _neighbors(
        self, entity_id: str, relation_type: str | None, direction: Direction, depth: int, limit: int
    ) -> list[Entity]:
        types = _types(None if relation_type is None else [relation_type])
        return await _entities(*await self._data.ask("neighbors", entity_id, direction, depth, limit, *types))

    @override
    async def _shortest_path(
        self, from_id: str, to_id: str, relation_types: list[str] | None, max_depth: int
    ) -> list[Entity] | None:
        types = _types(relation_types)
        path = await _entities(*await self._data.ask("shortest_path", from_id, to_id, max_depth, *types))
        return path[::-1] or None

    @override
    async def _subgraph(
        self, ids: list[str], depth: int, relation_types: list[str] | None, direction: Direction, limit: int | None
    ) -> Subgraph:
        arguments = direction, depth, limit or 0, len(ids), *ids, *_types(relation_types)
        entities, relations = await self._data.ask("subgraph", *arguments)
        return {"entities": await _entities(*entities), "relations": await _relations(*relations)}

    @override
    async def _find(self, selection: Selection, page: Page) -> list[Entity]:
        return [entity for entity, _ in await self._matching(selection, page)]

    async def _matching(self, selection: Selection, page: Page) -> list[tuple[Entity, bytes]]:
        """Return the entities that are selected, and what is stored of each: what was read at once."""
        condition = selection.condition

        async def read(limit: int | None) -> list[tuple[Entity, bytes]]:
            ids, stored = await self._data.ask("find", *_place(selection), limit or 0, int(page.reverse))
            return list(zip(await _entities(ids, stored), stored, strict=True))

        async def keep(read: list[tuple[Entity, bytes]]) -> list[tuple[Entity, bytes]]:
            cost = len(read) * SMALL * comparisons(condition)
            return await here_or_in_thread(partial(_those_matching, read, condition), cost)

        return await read(page.limit) if condition is ANYTHING else await sieved(read, keep, page.limit)

    @override
    async def _count_entities(self, selection: Selection) -> int:
        if selection.condition is ANYTHING:
            return int(await self._data.ask("count", *_place(selection)))
        return len(await self._matching(selection, Page()))

    @override
    async def _count_relations(self, relation_type: str | None) -> int:
        return int(await self._data.ask("count_relations", relation_type or ""))

    @override
    async def _clear(self) -> None:
        await self._data.change("clear", "clear")

    @override
    def _entity_batches(self, selection: Selection, size: int) -> AsyncGenerator[list[Entity], None]:
        async def read(after: str | None, size: int) -> list[Entity]:
            ids = selection.ids if after is None else Range(selection.ids.prefix, after)
            return await self._find(Selection(ids, kind=selection.kind), Page(size))

        return chosen(pages(read, None, lambda entity: entity["id"], size), selection)

    @override
    def _relation_batches(self, size: int, relation_types: list[str] | None) -> AsyncGenerator[list[Relation], None]:
        async def read(after: str, size: int) -> list[Relation]:
            return await _relations(*await self._data.ask("relations_after", after, size))

        return of_types(pages(read, "", lambda relation: relation["from_id"], size), relation_types)


def _place(selection: Selection) -> tuple[str, str, str]:
    """Return the bounds of a selection's ids, and what comes before each of them: a type, where one is selected."""
    if selection.kind is None:
        return *bounds(selection.ids), ""
    start = f"{selection.kind}\0"
    prefix, after, before = selection.ids
    behind = (None if bound is None else start + bound for bound in (after, before))
    return *bounds(Range(start + prefix, *behind)), start


def _types(types: list[str] | None) -> list[Argument]:
    """Return the types of relations that a script follows, as it takes them."""
    return ["all"] if types is None else ["these", *dict.fromkeys(types)]


def _entity_values(rows: Sequence[EntityRow]) -> list[Argument]:
    """Return what is sent of some entities."""
    return [value for id, kind, properties in rows for value in (id, kind, _text(properties))]


def _relation_values(rows: Sequence[RelationRow]) -> list[Argument]:
    """Return what is sent of some relations."""
    return [value for start, end, kind, properties in rows for value in (start, kind, end, _text(properties))]


def _text(properties: JSONObject) -> bytes:
    return check_size(orjson.dumps(properties), "The JSON text of the properties")


def _merged(stored: bytes, properties: JSONObject) -> bytes:
    """Return what is stored of an entity with more properties."""
    kind, _, text = stored.partition(b"\0")
    return kind + b"\0" + _text({**orjson.loads(text), **properties})


def _entity(id: str, stored: bytes) -> Entity:
    kind, _, text = stored.partition(b"\0")
    return {"id": id, "type": kind.decode(), "properties": orjson.loads(text)}


def _relation(key: bytes, stored: bytes) -> Relation:
    from_id, kind, to_id = key.decode().split("\0")
    return {"from_id": from_id, "to_id": to_id, "type": kind, "properties": orjson.loads(stored)}


def _those_matching(read: list[tuple[Entity, bytes]], condition: Condition) -> list[tuple[Entity, bytes]]:
    return [pair for pair in read if condition.matches(pair[0]["properties"])]


def _cost(stored: Sequence[bytes]) -> float:
    """Return what making items of what is stored costs."""
    return len(stored) * ITEM + sum(map(len, stored)) / JSON_BYTES


async def _entities(ids: Sequence[bytes], stored: Sequence[bytes]) -> list[Entity]:
    return await here_or_in_thread(lambda: list(map(_entity, map(bytes.decode, ids), stored)), _cost(stored))


async def _relations(keys: Sequence[bytes], stored: Sequence[bytes]) -> list[Relation]:
    """Return relations by (from, to, type); their keys are (from, type, to)."""
    return await here_or_in_thread(
        lambda: sorted(map(_relation, keys, stored), key=itemgetter("from_id", "to_id", "type")), _cost(stored)
    )
