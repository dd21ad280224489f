"""The embedded knowledge graphs: `memory`, and `file` with a journal."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

from typing_extensions import override

from symphony_registry.backends.concurrency import discard, in_parts
from symphony_registry.backends.cost import ITEM, LONG, SMALL
from symphony_registry.backends.filters import ANYTHING, comparisons
from symphony_registry.backends.knowledge_graph.base import Entity, Relation, RelationKey, Subgraph
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import KnowledgeGraphEngine
from symphony_registry.backends.knowledge_graph.hooks import EntityRow, RelationRow
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.graph.graph import PropertyGraph
from symphony_registry.providers.embedded.graph.walks import Touch
from symphony_registry.providers.embedded.journal import Record
from symphony_registry.providers.embedded.log import ON_DISK, Codec, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Change, Decision, Log, Replica, deletion

T = TypeVar("T")


class GraphCodec(Codec):
    """Entities that are put together are a record each, and put together again."""

    def __init__(self) -> None:
        super().__init__(
            {
                "put_entity": {"id": str, "type": str, "properties": dict},
                "put_relation": {"from": str, "to": str, "type": str, "properties": dict},
                "delete_many": {"ids": list},
                "delete_entity": {"id": str},
                "delete_relation": {"from": str, "to": str, "type": str},
                "clear": {},
            }
        )

    @override
    def encode(self, change: Change) -> Iterable[Record]:
        return (_put_entity(*row) for row in change["rows"]) if change["op"] == "put_entities" else (change,)

    @override
    def _changes(self, records: list[Record]) -> Iterable[Change]:
        rows: list[EntityRow] = []
        for record in records:
            if record["op"] == "put_entity":
                rows.append((record["id"], record["type"], record["properties"]))
                continue
            if rows:
                yield {"op": "put_entities", "rows": rows}
                rows = []
            yield record
        if rows:
            yield {"op": "put_entities", "rows": rows}


class EmbeddedKnowledgeGraph(KnowledgeGraphEngine):
    """A knowledge graph over relations in this process."""

    def _configure(self) -> None:
        super()._configure()
        self._data = self._hold(Replica(self, PropertyGraph, self._log()))

    def _log(self) -> Log[PropertyGraph] | None:
        """Return where changes are kept."""
        return None

    @override
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]], *, if_absent: bool) -> int:
        rows = await parts.whole()

        def decide() -> "Decision[int]":
            chosen = rows
            if if_absent:
                there = self._data.state.entities
                chosen = list({row[0]: row for row in reversed(rows) if row[0] not in there}.values())
            return [{"op": "put_entities", "rows": chosen}] if chosen else [], len(chosen)

        stored = await self._data.write(decide, parts.cost, lambda: [row[0] for row in rows])
        discard(rows)
        return stored

    @override
    async def _put_relations(self, parts: Parts[Sequence[RelationRow]]) -> None:
        rows = await parts.whole()

        def decide() -> "Decision[None]":
            entities = self._data.state.entities
            for row in rows:
                for end in (row[0], row[1]):
                    if end not in entities:
                        raise missing_end(row, end)
            return [_put_relation(*row) for row in rows], None

        await self._data.write(decide, parts.cost, lambda: [end for row in rows for end in row[:2]])
        discard(rows)

    @override
    async def _get_entity(self, entity_id: str) -> Entity | None:
        return await self._data.read(lambda: self._data.state.entity(entity_id))

    @override
    async def _get_entities(self, ids: list[str]) -> list[Entity | None]:
        return await self._data.read(lambda: in_parts(self._data.state.entity, ids), len(ids) * SMALL)

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        def decide() -> "Decision[bool]":
            found = self._data.state.entity(entity_id)
            if found is None:
                return [], False
            return [_put_entity(entity_id, found["type"], found["properties"] | properties)], True

        return await self._data.write(decide, touches=lambda: [entity_id])

    @override
    async def _delete_entities(self, ids: list[str]) -> int:
        def decide() -> "Decision[int]":
            return deletion([id for id in dict.fromkeys(ids) if id in self._data.state.entities])

        cost = len(ids) * ITEM
        if cost <= LONG:
            cost += sum(map(self._data.state.degree, ids))
        return await self._data.write(decide, cost, lambda: ids)

    @override
    async def _delete_selected(self, selection: Selection) -> int:
        cost = self._cost(selection) + self._data.state.reach(selection.ids) * ITEM
        return await self._data.write(lambda: deletion(self._data.state.ids(selection)), cost)

    @override
    async def _get_relations(
        self,
        entity_id: str,
        relation_type: str | None,
        direction: Direction,
        after: RelationKey | None,
        limit: int | None,
    ) -> list[Relation]:
        cost = self._data.state.degree(entity_id) * SMALL
        return await self._data.read(
            lambda: self._data.state.relations(entity_id, relation_type, direction, after, limit), cost
        )

    @override
    async def _delete_relations(self, keys: list[RelationKey]) -> int:
        def decide() -> "Decision[int]":
            return _relation_deletion([key for key in keys if self._data.state.has_relation(*key)])

        return await self._data.write(decide, len(keys) * ITEM, lambda: [end for key in keys for end in key[:2]])

    @override
    async def _delete_types(self, relation_types: list[str]) -> int:
        state = self._data.state
        cost = len(state.entities) * SMALL + sum(map(state.count_relations, relation_types)) * ITEM
        return await self._data.write(lambda: _relation_deletion(self._data.state.keys(relation_types)), cost)

    @override
    async def _query(self, start_id: str, path: list[str], limit: int) -> list[Entity]:
        return await self._walk(lambda graph, touch: graph.follow(start_id, path, limit, touch))

    @override
    async def _neighbors(
        self, entity_id: str, relation_type: str | None, direction: Direction, depth: int, limit: int
    ) -> list[Entity]:
        return await self._walk(
            lambda graph, touch: graph.within(entity_id, relation_type, direction, depth, limit, touch)
        )

    @override
    async def _shortest_path(
        self, from_id: str, to_id: str, relation_types: list[str] | None, max_depth: int
    ) -> list[Entity] | None:
        kinds = None if relation_types is None else dict.fromkeys(relation_types)
        return await self._walk(lambda graph, touch: graph.shortest_path(from_id, to_id, kinds, max_depth, touch))

    @override
    async def _subgraph(
        self, ids: list[str], depth: int, relation_types: list[str] | None, direction: Direction, limit: int | None
    ) -> Subgraph:
        kinds = None if relation_types is None else dict.fromkeys(relation_types)
        return await self._walk(lambda graph, touch: graph.subgraph(ids, depth, kinds, direction, limit, touch))

    async def _walk(self, work: Callable[[PropertyGraph, Touch], T]) -> T:
        """Return `work(graph, touch)`: begun here, and on a thread once it has touched many relations."""
        touched = 0

        def count(relations: int) -> None:
            nonlocal touched
            touched += relations
            if touched > LONG:
                raise _LongWalkError

        try:
            return await self._data.read(lambda: work(self._data.state, count))
        except _LongWalkError:
            return await self._data.read_on_thread(lambda: work(self._data.state, lambda _: None))

    def _cost(self, selection: Selection, limit: int | None = None) -> float:
        """Return about what going through a selection costs, of which so many are wanted."""
        state = self._data.state
        reach = state.reach(selection.ids)
        if limit is not None and selection.is_range:
            reach = min(reach, limit)
        return state.unsorted + reach * SMALL * comparisons(selection.condition)

    @override
    async def _find(self, selection: Selection, page: Page) -> list[Entity]:
        return await self._data.read(lambda: self._data.state.find(selection, page), self._cost(selection, page.limit))

    @override
    async def _count_entities(self, selection: Selection) -> int:
        cost: float = 0
        if selection.condition is not ANYTHING:
            cost = self._cost(selection)
        elif not selection.ids.is_all:
            cost = self._data.state.unsorted + self._data.state.reach(selection.ids)
        elif selection.kind is not None:
            cost = len(self._data.state.entities)
        return await self._data.read(lambda: self._data.state.count(selection), cost)

    @override
    async def _count_relations(self, relation_type: str | None) -> int:
        return await self._data.read(lambda: self._data.state.count_relations(relation_type))

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))

    @override
    async def _entity_batches(self, selection: Selection, size: int) -> AsyncGenerator[list[Entity], None]:
        within = Selection(selection.ids)
        ids = await self._data.read(lambda: self._data.state.ids(within), self._cost(within))
        cost = SMALL * comparisons(selection.condition)
        for start in range(0, len(ids), size):
            batch = ids[start : start + size]
            yield await self._data.read(lambda: self._data.state.named(batch, selection), len(batch) * cost)  # noqa: B023


class InMemoryKnowledgeGraph(EmbeddedKnowledgeGraph):
    """A knowledge graph in memory; `disconnect` forgets everything."""

    guarantees = IN_MEMORY


class FileKnowledgeGraph(DirectoryBackend, EmbeddedKnowledgeGraph):
    """A knowledge graph that survives restarts: each change is in a journal before it is seen."""

    Options: ClassVar[type[BackendOptions]] = FileOptions
    guarantees = ON_DISK
    _options: FileOptions

    @override
    def _log(self) -> Log[PropertyGraph]:
        self.guarantees = promises(self._options)
        return file_log(self.backend_type, self._options, PropertyGraph, GraphCodec())


class _LongWalkError(Exception):
    """A walk has touched more relations than the event loop should wait for."""


def _relation_deletion(keys: list[RelationKey]) -> "Decision[int]":
    changes = [{"op": "delete_relation", "from": from_id, "to": to_id, "type": kind} for from_id, to_id, kind in keys]
    return changes, len(changes)


def _put_entity(id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_entity", "id": id, "type": kind, "properties": properties}


def _put_relation(from_id: str, to_id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_relation", "from": from_id, "to": to_id, "type": kind, "properties": properties}
