"""The embedded knowledge graphs: `memory`, and `file` with a journal."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import ClassVar, TypeVar

from typing_extensions import override

from symphony_registry.backends.cost import LONG, SMALL
from symphony_registry.backends.filters import Condition, comparisons
from symphony_registry.backends.knowledge_graph.base import Entity, Relation
from symphony_registry.backends.knowledge_graph.checks import missing_end
from symphony_registry.backends.knowledge_graph.engine import EntityRow, KnowledgeGraphEngine, RelationRow
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.values import Direction, JSONObject
from symphony_registry.providers.embedded.committed import file_log
from symphony_registry.providers.embedded.graph.graph import PropertyGraph
from symphony_registry.providers.embedded.graph.walks import Touch
from symphony_registry.providers.embedded.log import ON_DISK, Codec, DirectoryBackend, FileOptions, promises
from symphony_registry.providers.embedded.replica import CLEAR, IN_MEMORY, Change, Decision, Log, Replica

T = TypeVar("T")


CODEC = Codec(
    {
        "put_entity": {"id": str, "type": str, "properties": dict},
        "put_relation": {"from": str, "to": str, "type": str, "properties": dict},
        "delete_entity": {"id": str},
        "delete_relation": {"from": str, "to": str, "type": str},
        "clear": {},
    }
)


class EmbeddedKnowledgeGraph(KnowledgeGraphEngine):
    """A knowledge graph over relations in this process."""

    def _configure(self) -> None:
        super()._configure()
        self._data = self._hold(Replica(self, PropertyGraph, self._log()))

    def _log(self) -> Log[PropertyGraph] | None:
        """Return where changes are kept."""
        return None

    @override
    async def _put_entities(self, parts: Parts[Sequence[EntityRow]]) -> None:
        rows = await parts.whole()
        await self._data.write(
            lambda: ([_put_entity(*row) for row in rows], None), parts.cost, lambda: [row[0] for row in rows]
        )

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

    @override
    async def _get_entity(self, entity_id: str) -> Entity | None:
        return await self._data.read(lambda: self._data.state.entity(entity_id))

    @override
    async def _merge(self, entity_id: str, properties: JSONObject) -> bool:
        def decide() -> "Decision[bool]":
            found = self._data.state.entity(entity_id)
            if found is None:
                return [], False
            return [_put_entity(entity_id, found["type"], found["properties"] | properties)], True

        return await self._data.write(decide, touches=lambda: [entity_id])

    @override
    async def _delete_entity(self, entity_id: str) -> bool:
        def decide() -> "Decision[bool]":
            if entity_id not in self._data.state.entities:
                return [], False
            return [{"op": "delete_entity", "id": entity_id}], True

        return await self._data.write(decide, self._data.state.degree(entity_id), lambda: [entity_id])

    @override
    async def _get_relations(self, entity_id: str, relation_type: str | None, direction: Direction) -> list[Relation]:
        cost = self._data.state.degree(entity_id) * SMALL
        return await self._data.read(lambda: self._data.state.relations(entity_id, relation_type, direction), cost)

    @override
    async def _delete_relation(self, from_id: str, to_id: str, relation_type: str) -> bool:
        def decide() -> "Decision[bool]":
            if not self._data.state.has_relation(from_id, to_id, relation_type):
                return [], False
            return [{"op": "delete_relation", "from": from_id, "to": to_id, "type": relation_type}], True

        return await self._data.write(decide, touches=lambda: (from_id, to_id))

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

    @override
    async def _find(self, entity_type: str | None, condition: Condition, limit: int) -> list[Entity]:
        cost = len(self._data.state.entities) * SMALL * comparisons(condition)
        return await self._data.read(lambda: self._data.state.find(entity_type, condition, limit), cost)

    @override
    async def _count_entities(self, entity_type: str | None) -> int:
        cost = 0 if entity_type is None else len(self._data.state.entities)
        return await self._data.read(lambda: self._data.state.count(entity_type), cost)

    @override
    async def _count_relations(self, relation_type: str | None) -> int:
        return await self._data.read(lambda: self._data.state.count_relations(relation_type))

    @override
    async def _clear(self) -> None:
        await self._data.write(lambda: ([CLEAR], None))

    @override
    async def _entity_batches(self, size: int) -> AsyncGenerator[list[Entity], None]:
        ids = await self._data.read(self._data.state.ids, len(self._data.state.entities))
        for start in range(0, len(ids), size):
            batch = ids[start : start + size]
            yield await self._data.read(lambda: self._data.state.named(batch))  # noqa: B023


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
        return file_log(self.backend_type, self._options, PropertyGraph, CODEC)


class _LongWalkError(Exception):
    """A walk has touched more relations than the event loop should wait for."""


def _put_entity(id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_entity", "id": id, "type": kind, "properties": properties}


def _put_relation(from_id: str, to_id: str, kind: str, properties: JSONObject) -> Change:
    return {"op": "put_relation", "from": from_id, "to": to_id, "type": kind, "properties": properties}
