"""The state of an embedded graph holds what plain dictionaries would, whatever happened to it before."""

import asyncio
import os
import random
from collections.abc import Iterator
from itertools import count, product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.selection import EVERYTHING, Page, Range, Selection
from symphony_registry.backends.values import Direction
from symphony_registry.providers.embedded import ordering
from symphony_registry.providers.embedded.graph import adjacency, relations, walks
from symphony_registry.providers.embedded.graph.graph import PropertyGraph

EXAMPLES = int(os.environ.get("MODEL_TEST_EXAMPLES", "150")) // 6  # each is looked at from all sides
DIRECTIONS: list[Direction] = ["outgoing", "incoming", "both"]
IDS = [*"abcd", "\uffff", "\U00010000"]
KINDS = ["P", "Q", "R"]

ids = st.sampled_from(IDS)
kinds = st.sampled_from(KINDS)
properties = st.sampled_from([{}, {}, {"n": 1}, {"n": [2, {"k": None}]}])
ends = {"from": ids, "to": ids, "type": kinds}
changes = st.one_of(
    st.fixed_dictionaries({"op": st.just("put_entity"), "id": ids, "type": kinds, "properties": properties}),
    *[st.fixed_dictionaries({"op": st.just("put_relation"), **ends, "properties": properties})] * 3,
    st.fixed_dictionaries({"op": st.just("put_entities"), "rows": st.lists(st.tuples(ids, kinds, properties))}),
    st.fixed_dictionaries({"op": st.just("delete_entity"), "id": ids}),
    st.fixed_dictionaries({"op": st.just("delete_many"), "ids": st.lists(ids, max_size=3, unique=True)}),
    st.fixed_dictionaries({"op": st.just("delete_relation"), **ends}),
)


class Model:
    """The same graph as two dictionaries."""

    def __init__(self) -> None:
        self.entities: dict[str, Any] = {}
        self.relations: dict[tuple[str, str, str], Any] = {}

    def allows(self, change: dict[str, Any]) -> bool:
        match change["op"]:
            case "put_relation":
                return change["from"] in self.entities and change["to"] in self.entities
            case "delete_entity":
                return change["id"] in self.entities
            case "delete_many":
                return self.entities.keys() >= set(change["ids"])
            case "delete_relation":
                return (change["from"], change["to"], change["type"]) in self.relations
        return True

    def apply(self, change: dict[str, Any]) -> None:
        match change["op"]:
            case "put_entity":
                self.entities[change["id"]] = change["type"], change["properties"]
            case "put_entities":
                self.entities |= {id: (kind, properties) for id, kind, properties in change["rows"]}
            case "put_relation":
                self.relations[change["from"], change["to"], change["type"]] = change["properties"]
            case "delete_relation":
                del self.relations[change["from"], change["to"], change["type"]]
            case "delete_entity":
                del self.entities[change["id"]]
                self.relations = {key: held for key, held in self.relations.items() if change["id"] not in key[:2]}
            case "delete_many":
                for id in change["ids"]:
                    self.apply(delete(id))

    def beside(self, near: set[str], chosen: list[str], direction: Direction) -> set[str]:
        pairs = [(from_id, to_id) for from_id, to_id, kind in self.relations if kind in chosen]
        outgoing = {to_id for from_id, to_id in pairs if from_id in near and direction != "incoming"}
        return outgoing | {from_id for from_id, to_id in pairs if to_id in near and direction != "outgoing"}

    def shortest_path(self, start: str, goal: str, chosen: list[str], max_depth: int) -> list[str] | None:
        paths = [[start]] if start in self.entities else []
        for _ in range(max_depth + 1):
            if arrived := [path for path in paths if path[-1] == goal]:
                return min(arrived)
            best = {path[-1]: path for path in sorted(paths, reverse=True)}
            paths = [[*path, end] for path in best.values() for end in self.beside({path[-1]}, chosen, "outgoing")]
        return None


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few entities do what takes thousands."""
    monkeypatch.setattr(adjacency, "_BLOCK", 16)
    monkeypatch.setattr(adjacency, "_PIECE", 2)
    monkeypatch.setattr(ordering, "_RUN", 2)
    monkeypatch.setattr(relations, "_UNLINKED_AT_ONCE", 1)


def ignore(_: int) -> None:
    """Take the place of a count of what a walk touches."""


def made(*changes: dict[str, Any]) -> PropertyGraph:
    graph = PropertyGraph()
    for change in changes:
        graph.apply(change)
    return graph


def put(id: str) -> dict[str, Any]:
    return {"op": "put_entity", "id": id, "type": "T", "properties": {}}


def relate(from_id: str, to_id: str, kind: str = "P", properties: Any = None) -> dict[str, Any]:
    return {"op": "put_relation", "from": from_id, "to": to_id, "type": kind, "properties": properties or {}}


def delete(id: str) -> dict[str, Any]:
    return {"op": "delete_entity", "id": id}


def names(entities: Any) -> list[str] | None:
    return None if entities is None else [entity["id"] for entity in entities]


def hold_against_each_other(graph: PropertyGraph, model: Model) -> None:
    assert graph.ids(EVERYTHING) == sorted(model.entities)
    for chosen_ids in (Range(), Range("b"), Range(after="b"), Range(before="\uffff")):
        within = sorted(filter(chosen_ids.holds, model.entities))
        assert names(graph.find(Selection(chosen_ids), Page(2, reverse=True))) == within[:-3:-1]
        assert graph.count(Selection(chosen_ids)) == len(within)
        of_kind = [id for id in within if model.entities[id][0] == "P"]
        assert names(graph.find(Selection(chosen_ids, kind="P"), Page())) == of_kind
    assert len(graph) == len(model.entities) + len(model.relations)
    assert graph.count_relations() == len(model.relations)
    for kind in KINDS:
        assert graph.count_relations(kind) == sum(key[2] == kind for key in model.relations)
        assert graph.count(Selection(kind=kind)) == sum(each == kind for each, _ in model.entities.values())
    some_kinds: list[str | None] = [None, *KINDS]
    for id, direction, chosen in product(IDS, DIRECTIONS, some_kinds):
        expected = [
            {"from_id": key[0], "to_id": key[1], "type": key[2], "properties": model.relations[key]}
            for key in sorted(model.relations)
            if (key[0] == id and direction != "incoming") or (key[1] == id and direction != "outgoing")
            if chosen in (None, key[2])
        ]
        assert graph.relations(id, chosen, direction) == expected
        seen, near = {id}, {id}
        for depth in (1, 2, 3):
            near = model.beside(near, KINDS if chosen is None else [chosen], direction)
            seen |= near
            assert names(graph.within(id, chosen, direction, depth, 99, ignore)) == sorted(seen - {id})
    for id, path in product(IDS, product(KINDS, KINDS)):
        near = {id} & model.entities.keys()
        for step in path:
            near = model.beside(near, [step], "outgoing")
        assert names(graph.follow(id, path, 99, ignore)) == sorted(near)
        assert names(graph.follow(id, path, 2, ignore)) == sorted(near)[:2]
    for start, goal, max_depth in product(IDS, IDS, (1, 2, 9)):
        for types in (None, ["P", "Q"], ["R"], []):
            found = graph.shortest_path(start, goal, types, max_depth, ignore)
            assert names(found) == model.shortest_path(start, goal, KINDS if types is None else types, max_depth)


@pytest.mark.parametrize("dense", [0, 1_000])
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(changes, min_size=20, max_size=120), st.booleans())
def test_any_history_leaves_what_dictionaries_would_hold(
    dense: int, history: list[dict[str, Any]], sorted_before: bool
) -> None:
    graph, model = made(*map(put, IDS)), Model()
    model.entities = {id: ("T", {}) for id in IDS}
    if sorted_before:
        assert graph.ids(EVERYTHING) == sorted(IDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walks, "_MARKED_PER_SORTED", dense)
        for change in filter(model.allows, history):
            graph.apply(change)
            model.apply(change)
        hold_against_each_other(graph, model)
        hold_against_each_other(made(*graph.changes()), model)


def test_an_id_that_is_deleted_and_added_again_has_no_relations() -> None:
    hub = made(*map(put, IDS), *(relate("a", id, properties={"n": 1}) for id in IDS), delete("a"), put("a"))
    assert hub.relations("a", None, "both") == []
    assert [hub.relations(id, None, "both") for id in IDS] == [[]] * len(IDS)
    hub.apply(relate("a", "b"))
    assert [relation["properties"] for relation in hub.relations("b", None, "incoming")] == [{}]


def test_properties_of_a_deleted_relation_are_not_those_of_the_next() -> None:
    for hub, other in (("a", "b"), ("b", "a")):
        graph = made(put("a"), put("b"), relate("a", "b", properties={"n": 1}), relate("b", "a", properties={"n": 1}))
        number = graph.entities[hub]
        graph.apply(delete(hub))
        while number not in graph.entities.values():
            graph.apply(put(f"{len(graph)}"))
        again = next(id for id, each in graph.entities.items() if each == number)
        graph.apply(relate(again, other))
        graph.apply(relate(other, again))
        assert [relation["properties"] for relation in graph.relations(other, None, "both")] == [{}, {}]


def test_a_relation_that_is_put_without_properties_has_none_left() -> None:
    graph = made(put("a"), relate("a", "a", properties={"n": 1}), relate("a", "a"))
    assert [relation["properties"] for relation in graph.relations("a", None, "both")] == [{}]


def test_a_shortest_path_takes_the_smallest_id_that_leads_on() -> None:
    ways = [("start", "a"), ("start", "c"), ("start", "b"), ("a", "z"), ("b", "near"), ("c", "near"), ("near", "goal")]
    many = [(id, "goal") for id in IDS[-2:]] + [(f"{number}", "goal") for number in range(9)]
    ids = {end for way in ways + many for end in way}
    graph = made(*map(put, ids), *(relate(*way) for way in ways + many))
    assert names(graph.shortest_path("start", "goal", None, 3, ignore)) == ["start", "b", "near", "goal"]
    assert graph.shortest_path("start", "goal", None, 2, ignore) is None


def test_a_path_does_not_lead_through_a_deleted_entity() -> None:
    graph = made(*map(put, "abc"), relate("a", "b"), relate("b", "c"), delete("b"))
    assert graph.shortest_path("a", "c", None, 9, ignore) is None
    assert graph.within("a", None, "both", 9, 9, ignore) == []


def test_numbers_of_the_deleted_are_given_again() -> None:
    graph = made(*map(put, IDS))
    for turn in range(1_000):
        id = IDS[turn % len(IDS)]
        for change in (relate(id, IDS[0], f"type {turn}"), relate(IDS[1], id), delete(id), put(id), put(id), put(id)):
            graph.apply(change)
    assert max(graph.entities.values()) < 3 * len(IDS)
    assert len(graph._relations.kinds.names) < 3 * len(IDS)


def test_a_hub_gives_its_relations_of_each_type_in_order() -> None:
    ids = [f"{number:04}" for number in range(500)]
    keys = list(product(ids, KINDS))
    random.Random(1).shuffle(keys)
    hub = made(put("hub"), *map(put, ids), *(relate("hub", id, kind) for id, kind in keys))
    for id, kind in keys[::3]:
        hub.apply({"op": "delete_relation", "from": "hub", "to": id, "type": kind})
    left = sorted(set(keys) - set(keys[::3]))
    found = [(relation["to_id"], relation["type"]) for relation in hub.relations("hub", None, "outgoing")]
    assert found == left
    for each in KINDS:
        assert names(hub.follow("hub", [each], 9_999, ignore)) == [id for id, kind in left if kind == each]
    assert hub.degree("hub") == len(left)


def test_what_does_not_fit_is_refused() -> None:
    graph = made(put("a"), relate("a", "a"))
    wrong = {"op": "delete_relation", "from": "a", "to": "a", "type": "Q"}
    for change in (relate("a", "b"), delete("b"), wrong, {**wrong, "to": "b"}):
        with pytest.raises(KeyError):
            graph.apply(change)
    graph.apply(relate("a", "a", "Q"))
    graph.apply({**wrong, "type": "P"})
    with pytest.raises(KeyError):
        graph.apply({**wrong, "type": "P"})


def test_a_walk_says_what_it_will_cost_before_it_costs_it() -> None:
    hub = made(put("hub"), *(change for n in range(1_000) for change in (put(f"{n}"), relate("hub", f"{n}"))))
    touched: list[int] = []
    hub.follow("hub", ["P", "P"], 1_000, touched.append)
    assert sum(touched) > 1_000
    touched.clear()
    hub.follow("1", ["P"], 1_000, touched.append)
    assert sum(touched) < 10


def test_an_entity_that_a_thread_is_about_to_add_has_no_relations_yet() -> None:
    graph = made(put("a"))
    graph._ids.add("b")
    assert graph.degree("b") == 0


async def test_long_walks_see_whole_writes_only() -> None:
    def numbered(prefix: str) -> Iterator[str]:
        return (f"{prefix}{number}" for number in count())

    async with InMemoryKnowledgeGraph() as graph:
        near = [id for _, id in zip(range(3_000), numbered("near"), strict=False)]
        await graph.add_entities([("hub", "T", None), *((id, "T", None) for id in near)])
        await graph.add_relations([("hub", id, "P", None) for id in near])

        async def rename() -> None:
            for turn in range(20):
                added = [id for _, id in zip(range(10), numbered(f"{turn}-"), strict=False)]
                await graph.add_entities([(id, "T", None) for id in added])
                await graph.add_relations([("hub", id, "P", None) for id in added])

        async def look() -> None:
            for _ in range(20):
                found = await graph.query("hub", ["P"], 9_999)
                assert (len(found) - len(near)) % 10 == 0

        await asyncio.gather(rename(), look(), look())
        assert len(await graph.query("hub", ["P"], 9_999)) == len(near) + 200
        await graph.delete_entity("hub")
        assert await graph.neighbors(near[0]) == []
