"""What the abstract class of knowledge graphs makes of the operations that every provider has."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from symphony_registry.backends.concurrency import Turns
from symphony_registry.backends.values import Direction, JSONObject

if TYPE_CHECKING:
    from symphony_registry.backends.knowledge_graph.base import Entity, KnowledgeGraphBackend, Relation


async def add_entities(
    graph: "KnowledgeGraphBackend", items: list[tuple[str, str, JSONObject]], *, if_absent: bool
) -> int:
    """Add checked entities one after the other; where one fails, put back what was there. Return how many."""
    before: list[tuple[str, Entity | None]] = []
    turns = Turns()
    try:
        for item in items:
            await turns.give()
            there = await graph.get_entity(item[0])
            if there is None or not if_absent:
                before.append((item[0], there))
                await graph.add_entity(*item)
    except Exception:
        for entity_id, entity in reversed(before):
            if entity is None:
                await graph.delete_entity(entity_id)
            else:
                await graph.add_entity(entity_id, entity["type"], entity["properties"])
        raise
    return len(before)


async def add_relations(graph: "KnowledgeGraphBackend", items: list[tuple[str, str, str, JSONObject]]) -> None:
    """Add checked relations one after the other; where one fails, put back what was there."""
    turns = Turns()
    before: dict[tuple[str, str, str], JSONObject] = {}
    for from_id, kind in dict.fromkeys((from_id, kind) for from_id, _, kind, _ in items):
        await turns.give()
        for relation in await graph.get_relations(from_id, kind):
            before[from_id, relation["to_id"], kind] = relation["properties"]
    added: list[tuple[str, str, str]] = []
    try:
        for from_id, to_id, kind, properties in items:
            await turns.give()
            added.append((from_id, to_id, kind))
            await graph.add_relation(from_id, to_id, kind, properties)
    except Exception:
        for key in added:
            if key in before:
                await graph.add_relation(*key, before[key])
            else:
                await graph.delete_relation(*key)
        raise


async def deleted(delete: Callable[..., Awaitable[bool]], keys: Iterable[tuple[str, ...]]) -> int:
    """Delete one after the other; return how many were there."""
    turns = Turns()
    count = 0
    for key in keys:
        await turns.give()
        count += await delete(*key)
    return count


async def query(graph: "KnowledgeGraphBackend", start: str, path: list[str]) -> list[str]:
    """Return the ids at the end of a path of outgoing relation types, in order."""
    frontier = [start]
    turns = Turns()
    for relation_type in path:
        reached: set[str] = set()
        for near in frontier:
            await turns.give()
            reached.update(relation["to_id"] for relation in await graph.get_relations(near, relation_type))
        frontier = sorted(reached)
    return frontier


async def neighbors(
    graph: "KnowledgeGraphBackend", start: str, relation_type: str | None, direction: Direction, depth: int
) -> list[str]:
    """Return the ids within `depth` steps, without the start, in order."""
    seen = {start}
    frontier = [start]
    turns = Turns()
    for _ in range(depth):
        reached: set[str] = set()
        for near in frontier:
            await turns.give()
            for relation in await graph.get_relations(near, relation_type, direction):
                reached.update((relation["from_id"], relation["to_id"]))
        frontier = sorted(reached - seen)
        if not frontier:
            break
        seen.update(frontier)
    return sorted(seen - {start})


async def shortest_path(
    graph: "KnowledgeGraphBackend", start: str, goal: str, relation_types: set[str] | None, max_depth: int
) -> list[str] | None:
    """Return the ids of the shortest path, of equals the smallest.

    Breadth-first, each level in the order of its paths.
    """
    came_from: dict[str, str | None] = {start: None}
    frontier = [start]
    turns = Turns()
    for _ in range(max_depth):
        if goal in came_from or not frontier:
            break
        following: list[str] = []
        for near in frontier:
            await turns.give()
            for relation in await graph.get_relations(near):
                if relation["to_id"] not in came_from and (
                    relation_types is None or relation["type"] in relation_types
                ):
                    came_from[relation["to_id"]] = near
                    following.append(relation["to_id"])
        frontier = following
    return _trace(came_from, goal)


def _trace(came_from: Mapping[str, str | None], goal: str) -> list[str] | None:
    """Return the ids from the start to `goal`, or `None` where it was not reached."""
    if goal not in came_from:
        return None
    path: list[str] = []
    step: str | None = goal
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]


async def nearest(
    graph: "KnowledgeGraphBackend",
    starts: list[str],
    depth: int,
    kinds: set[str] | None,
    direction: Direction,
    limit: int | None,
) -> list[str]:
    """Return the first `limit` ids within `depth` steps of some that are there: the nearest first, then by id."""
    frontier = [entity["id"] for entity in await entities(graph, sorted(set(starts)))]
    found = dict.fromkeys(frontier)
    turns = Turns()
    for _ in range(depth):
        if not frontier or (limit is not None and len(found) >= limit):
            break
        reached: set[str] = set()
        for near in frontier:
            await turns.give()
            for relation in await graph.get_relations(near, direction=direction):
                if kinds is None or relation["type"] in kinds:
                    reached.update((relation["from_id"], relation["to_id"]))
        frontier = sorted(reached - found.keys())
        found.update(dict.fromkeys(frontier))
    return list(found)[:limit]


async def relations_among(
    graph: "KnowledgeGraphBackend", ids: Iterable[str], kinds: set[str] | None
) -> "list[Relation]":
    """Return the relations between some entities, by (from, to, type)."""
    inside = set(ids)
    turns = Turns()
    found: list[Relation] = []
    for entity_id in sorted(inside):
        await turns.give()
        leaving = await graph.get_relations(entity_id)
        within = (relation for relation in leaving if relation["to_id"] in inside)
        found += [relation for relation in within if kinds is None or relation["type"] in kinds]
    return found


async def entities(graph: "KnowledgeGraphBackend", ids: Iterable[str]) -> "list[Entity]":
    """Return those of the entities that are there."""
    turns = Turns()
    found: list[Entity] = []
    for entity_id in ids:
        await turns.give()
        entity = await graph.get_entity(entity_id)
        if entity is not None:
            found.append(entity)
    return found


async def counted(found: "AsyncIterator[Entity] | AsyncIterator[Relation]", kind: str | None) -> int:
    """Return how many of what is found have a type."""
    turns = Turns()
    count = 0
    each: Any
    async for each in found:
        await turns.give()
        count += kind in (None, each["type"])
    return count
