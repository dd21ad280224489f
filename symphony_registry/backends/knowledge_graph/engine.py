"""The checked spine of knowledge graphs: what every engine does the same before and after its own work."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from typing_extensions import override

from symphony_registry.backends.concurrency import Turns, discard, here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.knowledge_graph.base import (
    Entity,
    EntityInput,
    Relation,
    RelationInput,
    RelationKey,
    Subgraph,
)
from symphony_registry.backends.knowledge_graph.checks import (
    check_after,
    check_entities,
    check_entity,
    check_optional_id,
    check_path,
    check_relation,
    check_relation_deletion,
    check_relation_key,
    check_relations,
    check_types,
)
from symphony_registry.backends.knowledge_graph.hooks import KnowledgeGraphHooks
from symphony_registry.backends.naming import naming
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.selection import Selection, check_page, check_selection, checked_deletion, checked_ids
from symphony_registry.backends.values import (
    Direction,
    JSONObject,
    check_bool,
    check_dict,
    check_direction,
    check_id,
    check_limit,
    checked_object,
    collected,
)

RowT = TypeVar("RowT", bound=tuple[Any, ...])

# Entities or relations that a scan reads at a time.
_SCANNED = 1_000


class KnowledgeGraphEngine(KnowledgeGraphHooks):
    """A knowledge graph that checks what it is asked, and leaves the rest to hooks."""

    @override
    async def add_entity(self, entity_id: str, entity_type: str, properties: JSONObject | None = None) -> None:
        row = check_entity(entity_id, entity_type, properties)
        await self._put_entities(Parts.of([[row]]), if_absent=False)

    @override
    async def add_entities(self, items: Iterable[EntityInput], *, if_absent: bool = False) -> int:
        check_bool(if_absent, "if_absent")
        if not (given := collected(items)):
            return 0
        parts = await self._parts(given, check_entities, 1, keep_first=if_absent)
        stored, count = await self._put_entities(parts, if_absent=if_absent), len(given)
        discard(given)
        return stored if if_absent else count

    @override
    async def add_relation(
        self, from_entity_id: str, to_entity_id: str, relation_type: str, properties: JSONObject | None = None
    ) -> None:
        row = check_relation(from_entity_id, to_entity_id, relation_type, properties)
        await self._put_relations(Parts.of([[row]]))

    @override
    async def add_relations(self, items: Iterable[RelationInput]) -> None:
        if given := collected(items):
            await self._put_relations(await self._parts(given, check_relations, 3))
            discard(given)

    async def _parts(
        self, given: list[Any], check: Callable[[list[Any]], list[RowT]], key: int, *, keep_first: bool = False
    ) -> Parts[Sequence[RowT]]:
        """Return checked rows in parts; the first `key` values identify a row."""
        cost = len(given) * ITEM
        if self._part is None:
            return Parts.of([await here_or_in_thread(lambda: check(given), cost)], cost)

        def split(limit: PartLimit) -> list[Sequence[RowT]]:
            checked = check(given)
            once = {row[:key]: row for row in (reversed(checked) if keep_first else checked)}
            ordered = [once[each] for each in sorted(once)]  # everybody locks in the same order
            return list(limit.split(ordered, lambda _: 0))

        return Parts.of(await here_or_in_thread(partial(split, self._part), cost), cost)

    @override
    async def get_entity(self, entity_id: str) -> Entity | None:
        return await self._get_entity(check_id(entity_id, "entity_id"))

    @override
    async def get_entities(self, ids: Iterable[str]) -> list[Entity | None]:
        return await self._get_entities(await checked_ids(ids, "entity_id"))

    @override
    async def update_entity(self, entity_id: str, properties: JSONObject) -> bool:
        check_id(entity_id, "entity_id")
        return await self._merge(entity_id, checked_object(check_dict(properties, "properties"), "properties"))

    @override
    async def delete_entity(self, entity_id: str) -> bool:
        return bool(await self._delete_entities([check_id(entity_id, "entity_id")]))

    @override
    async def delete_entities(
        self,
        ids: Iterable[str] | None = None,
        *,
        entity_type: str | None = None,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        chosen = await checked_deletion(ids, prefix, after, before, property_filter, "property_filter", entity_type)
        if isinstance(chosen, Selection):
            return await self._delete_selected(chosen)
        return await self._delete_entities(chosen)

    @override
    async def get_relations(
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "outgoing",
        *,
        after: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[Relation]:
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        page = check_page(limit, reverse=False)
        return await self._get_relations(entity_id, relation_type, direction, check_after(after), page.limit)

    @override
    async def delete_relation(self, from_entity_id: str, to_entity_id: str, relation_type: str) -> bool:
        return bool(await self._delete_relations([check_relation_key(from_entity_id, to_entity_id, relation_type)]))

    @override
    async def delete_relations(
        self, keys: Iterable[RelationKey] | None = None, *, relation_types: Sequence[str] | None = None
    ) -> int:
        given = None if keys is None else collected(keys)
        chosen, types = await here_or_in_thread(
            lambda: check_relation_deletion(given, relation_types), len(given or ()) * ITEM
        )
        if types is not None:
            return await self._delete_types(types)
        return await self._delete_relations(chosen) if chosen else 0

    @override
    async def query(self, start_entity_id: str, relation_path: Sequence[str], limit: int = 100) -> list[Entity]:
        check_id(start_entity_id, "start_entity_id")
        path = check_path(relation_path)
        return await self._query(start_entity_id, path, check_limit(limit))

    @override
    async def neighbors(
        self,
        entity_id: str,
        relation_type: str | None = None,
        direction: Direction = "both",
        depth: int = 1,
        limit: int = 100,
    ) -> list[Entity]:
        check_id(entity_id, "entity_id")
        check_optional_id(relation_type, "relation_type")
        check_direction(direction)
        depth = check_limit(depth, "depth")
        return await self._neighbors(entity_id, relation_type, direction, depth, check_limit(limit))

    @override
    async def shortest_path(
        self,
        from_entity_id: str,
        to_entity_id: str,
        relation_types: Sequence[str] | None = None,
        max_depth: int = 6,
    ) -> list[Entity] | None:
        ends = check_id(from_entity_id, "from_entity_id"), check_id(to_entity_id, "to_entity_id")
        return await self._shortest_path(*ends, check_types(relation_types), check_limit(max_depth, "max_depth"))

    @override
    async def subgraph(
        self,
        entity_ids: Iterable[str],
        depth: int = 1,
        *,
        relation_types: Sequence[str] | None = None,
        direction: Direction = "both",
        limit: int | None = 1000,
    ) -> Subgraph:
        ids = await checked_ids(entity_ids, "entity_id")
        depth = check_limit(depth, "depth", least=0)
        page = check_page(limit, reverse=False)
        return await self._subgraph(ids, depth, check_types(relation_types), check_direction(direction), page.limit)

    @override
    async def find_entities(
        self,
        entity_type: str | None = None,
        property_filter: JSONObject | None = None,
        limit: int | None = 100,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        reverse: bool = False,
    ) -> list[Entity]:
        selection = check_selection(prefix, after, before, property_filter, "property_filter", entity_type)
        return await self._find(selection, check_page(limit, reverse))

    @override
    async def count_entities(
        self,
        entity_type: str | None = None,
        *,
        property_filter: JSONObject | None = None,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
    ) -> int:
        selection = check_selection(prefix, after, before, property_filter, "property_filter", entity_type)
        return await self._count_entities(selection)

    @override
    async def count_relations(self, relation_type: str | None = None) -> int:
        return await self._count_relations(check_optional_id(relation_type, "relation_type"))

    @override
    async def clear(self) -> None:
        await self._clear()

    @override
    async def scan_entities(
        self, *, entity_type: str | None = None, prefix: str = "", property_filter: JSONObject | None = None
    ) -> AsyncIterator[Entity]:
        self.ensure_open()
        with naming(self):
            selection = check_selection(prefix, None, None, property_filter, "property_filter", entity_type)
        turns = Turns()
        async with aclosing(self._entity_batches(selection, _SCANNED)) as batches:
            async for entities in batches:
                for entity in entities:
                    yield entity
                entities.clear()  # whose memory the next batch takes
                await turns.give()
                self.ensure_open()

    @override
    async def scan_relations(self, *, relation_types: Sequence[str] | None = None) -> AsyncIterator[Relation]:
        self.ensure_open()
        with naming(self):
            types = check_types(relation_types)
        turns = Turns()
        async with aclosing(self._relation_batches(_SCANNED, types)) as batches:
            async for relations in batches:
                relations.reverse()
                while True:  # a hub's are many: each is freed in its turn
                    for _ in range(min(_SCANNED, len(relations))):
                        yield relations.pop()
                    await turns.give()
                    self.ensure_open()
                    if not relations:
                        break
