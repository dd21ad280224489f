"""An answer holds what fits, and says how to get the rest."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry import ServiceRegistry
from symphony_registry.integrations.mcp import Limits
from symphony_registry.integrations.mcp.answers import shortened, size_of
from tests.integrations.mcp.conftest import Agent, Connect

LIMITS = Limits(items=7, bytes=4000)
MANY = [f"i{number:02}" for number in range(40)]


async def _pages(agent: Agent, name: str, **arguments: Any) -> list[list[dict[str, Any]]]:
    """Return the items of each answer, asking for the next as the answers say."""
    pages = []
    rest: dict[str, Any] | None = {}
    while rest is not None:
        answer = await agent.call(name, **arguments | rest)
        assert len(answer["items"]) <= LIMITS.items
        assert sum(map(size_of, answer["items"])) <= LIMITS.bytes + 200 * ("note" in answer)
        pages.append(answer["items"])
        rest = answer.get("next")
    return pages


async def _ids(agent: Agent, name: str, **arguments: Any) -> list[str]:
    items = [item for page in await _pages(agent, name, **arguments) for item in page]
    return [item.get("id") or item.get("checkpoint_id") or item["to_id"] for item in items]


@pytest.mark.parametrize("text", ["", "x" * 1500], ids=["by-items", "by-bytes"])
async def test_every_list_can_be_read_to_its_end(text: str, registry: ServiceRegistry, connect: Connect) -> None:
    graph, properties = registry.knowledge_graph(), {"text": text}
    await registry.vector_store().add_many((id, [1.0, number], properties) for number, id in enumerate(MANY))
    await graph.add_entities((id, "t", properties) for id in [*MANY, "hub"])
    await graph.add_relations(("hub", id, "r", properties) for id in MANY)
    await registry.checkpoint_store().save_checkpoints((id, properties, properties) for id in MANY)
    async with connect(registry, limits=LIMITS) as agent:
        for name in ("find_vectors", "find_checkpoints"):
            assert await _ids(agent, name, limit=1000) == MANY
        assert await _ids(agent, "find_entities", prefix="i") == MANY
        assert await _ids(agent, "find_checkpoints", reverse=True) == MANY[::-1]
        assert await _ids(agent, "search_by_vector", vector=[1, 0]) == MANY
        assert await _ids(agent, "follow_relations", id="hub", relation_types=["r"]) == MANY
        assert await _ids(agent, "get_relations", id="hub", limit=1000) == MANY
        for name in ("get_vectors", "get_entities", "get_checkpoints"):
            assert await _ids(agent, name, ids=[*MANY[:7], MANY[0]]) == MANY[:7]


@pytest.mark.parametrize("huge", [0, 3, 39])
async def test_a_path_can_be_read_to_its_end(huge: int, registry: ServiceRegistry, connect: Connect) -> None:
    graph = registry.knowledge_graph()
    await graph.add_entities((id, "t", {"text": "x" * 9000 * (id == MANY[huge])}) for id in MANY)
    await graph.add_relations((one, other, "r", None) for one, other in pairwise(MANY))
    async with connect(registry, limits=LIMITS) as agent:
        assert await _ids(agent, "find_shortest_path", from_id=MANY[0], to_id=MANY[-1], max_depth=40) == MANY


async def test_lists_go_on_after_ids_that_are_shortened(registry: ServiceRegistry, connect: Connect) -> None:
    ids = [f"{number:02}" + "\x01" * 500 for number in range(6)]  # each has six bytes in JSON
    graph, properties = registry.knowledge_graph(), {"text": "x" * 9000}
    await registry.vector_store().add_many((id, [1.0], properties) for id in ids)
    await graph.add_entities((id, "t", properties) for id in ids)
    await graph.add_relations((ids[0], id, "r", properties) for id in ids)
    await registry.checkpoint_store().save_checkpoints((id, properties, properties) for id in ids)
    async with connect(registry, limits=LIMITS) as agent:
        for name in ("find_vectors", "find_entities", "find_checkpoints"):
            assert [each[:2] for each in await _ids(agent, name)] == [id[:2] for id in ids]
        assert [each[:2] for each in await _ids(agent, "get_relations", id=ids[0])] == [id[:2] for id in ids]
        found = await agent.call("get_subgraph", ids=[ids[0]], depth=0)
        assert "1 relations are left out" in found["note"]


async def test_as_many_ids_as_an_answer_holds_are_taken(registry: ServiceRegistry, connect: Connect) -> None:
    async with connect(registry, limits=LIMITS) as agent:
        for name in ("get_vectors", "get_entities", "get_checkpoints", "get_subgraph"):
            assert (await agent.call(name, ids=MANY[:7]))["missing"] == MANY[:7]
            told = await agent.failed(name, ids=MANY[:8])
            assert "These are 8 ids of 49 bytes; one call takes at most 7 and 4,000 bytes" in told
            assert "These are 2 ids of 4," in await agent.failed(name, ids=["\x01" * 400, "\x02" * 400])


async def test_a_page_is_as_long_as_was_asked_for(registry: ServiceRegistry, connect: Connect) -> None:
    await registry.vector_store().add_many((id, [1.0], None) for id in MANY[:6])
    async with connect(registry, limits=LIMITS) as agent:
        assert [len(page) for page in await _pages(agent, "find_vectors", limit=3)] == [3, 3]
        assert [len(page) for page in await _pages(agent, "find_vectors", limit=6)] == [6]


async def test_pages_hold_each_item_once_while_others_are_deleted(registry: ServiceRegistry, connect: Connect) -> None:
    await registry.vector_store().add_many((id, [1.0], None) for id in MANY[:6])
    async with connect(registry, limits=LIMITS) as agent:
        first = await agent.call("find_vectors", limit=3)
        await registry.vector_store().delete_many(MANY[:3])
        second = await agent.call("find_vectors", limit=3, **first["next"])
    assert [item["id"] for item in first["items"] + second["items"]] == MANY[:6]


async def test_a_subgraph_that_does_not_fit_says_so(registry: ServiceRegistry, connect: Connect) -> None:
    graph = registry.knowledge_graph()
    await graph.add_entities((id, "t", None) for id in MANY)
    await graph.add_relations((MANY[0], id, "r", None) for id in MANY)
    async with connect(registry, limits=LIMITS) as agent:
        found = await agent.call("get_subgraph", ids=[MANY[0]])
        assert [each["id"] for each in found["entities"]] == MANY[:7]
        assert {each["to_id"] for each in found["relations"]} == set(MANY[:7])
        assert "more entities" in found["note"]
        assert "note" not in await agent.call("get_subgraph", ids=[MANY[1]], depth=0)


async def test_a_huge_item_is_shortened_and_its_size_told(registry: ServiceRegistry, connect: Connect) -> None:
    data = {"short": 1, "text": "x" * 1_000_000, "list": list(range(100_000)), "last": True}
    await registry.checkpoint_store().save_checkpoint("a", data)
    async with connect(registry, limits=LIMITS) as agent:
        for answer in (await agent.call("get_checkpoints", ids=["a"]), await agent.call("get_latest_checkpoint")):
            (item,) = answer["items"]
            assert size_of(item) < LIMITS.bytes + 200
            assert (item["checkpoint_id"], item["data"]["short"], item["data"]["last"]) == ("a", 1, True)
            assert item["data"]["text"].endswith("… (1,000,000 characters)")
            assert item["data"]["list"][-1].endswith(" more)")
            assert "1,589," in answer["note"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=20), inner, max_size=30),
    max_leaves=60,
)


@given(JSON)
def test_a_shortened_value_is_about_as_long_as_the_room_for_it(value: Any) -> None:
    short = shortened(value, 200)
    assert size_of(short) <= 400
    assert orjson.loads(orjson.dumps(short)) == short
    if size_of(value) <= 200:
        assert short is value
