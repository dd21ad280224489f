"""An agent calls every tool, over every engine."""

from pathlib import Path
from typing import Any

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.integrations.mcp import Limits
from tests.integrations.mcp.conftest import Agent, Connect, embed


async def test_an_agent_lists_and_calls_every_tool(registry: ServiceRegistry, connect: Connect) -> None:
    async with connect(registry, allow_writes=True, embed=embed) as agent:
        await _use_vectors(agent)
        await _use_graph(agent)
        await _use_checkpoints(agent, registry)
        listed = await agent.call("list_stores")
        assert [(each["type"], each["store"], each["items"]) for each in listed["stores"]] == [
            ("vector_store", "default", {"vectors": 1}),
            ("knowledge_graph", "default", {"entities": 2, "relations": 0}),
            ("checkpoint_store", "default", {"checkpoints": 1}),
        ]
        assert (listed["stores"][0]["dimension"], listed["stores"][0]["metric"]) == (2, "cosine")
        for each in listed["stores"]:
            assert (await agent.call("describe_store", type=each["type"]))["sampled"] == sum(each["items"].values())
        assert agent.called == await agent.names()


async def test_a_store_is_described_by_its_first_items(registry: ServiceRegistry, connect: Connect) -> None:
    documents: list[dict[str, Any]] = [{"lang": None, "n": 1}, {"lang": "en", "author": {"name": "Ada"}, "a.b": [True]}]
    keys = {"lang": "string", "n": "number", "author.name": "string", "a\\.b": "array"}
    graph = registry.knowledge_graph()
    await registry.vector_store().add_many((str(n), [1.0], each) for n, each in enumerate(documents))
    await registry.checkpoint_store().save_checkpoints((str(n), {}, each) for n, each in enumerate(documents))
    await graph.add_entities((str(n), f"type{n}", each) for n, each in enumerate(documents))
    await graph.add_relations(("0", "1", kind, None) for kind in ("likes", "knows"))
    async with connect(registry) as agent:
        assert await agent.call("describe_store", type="vector_store") == {"sampled": 2, "keys": keys}
        described = await agent.call("describe_store", type="checkpoint_store")
        assert described["keys"] == keys | {"checkpoint_id": "string", "timestamp": "number"}
        described = await agent.call("describe_store", type="knowledge_graph")
        assert described == {
            "sampled": 2,
            "keys": keys,
            "entity_types": ["type0", "type1"],
            "relation_types": ["knows", "likes"],
        }
        found = await agent.call("count_vectors", metadata_filter={"a\\.b": {"$contains": True}})
        assert found == {"count": 1}


async def test_a_large_store_is_described_by_a_sample_that_fits(registry: ServiceRegistry, connect: Connect) -> None:
    await registry.vector_store().add_many((f"{n:03}", [1.0], {f"key{n}": "x" * 90}) for n in range(101))
    async with connect(registry, limits=Limits(bytes=500)) as agent:
        described = await agent.call("describe_store", type="vector_store")
    assert described["sampled"] == 100
    assert described["keys"]["key0"] == "string"
    assert described["keys"]["…"].endswith(" more keys")


async def _use_vectors(agent: Agent) -> None:
    await agent.call("add_text", id="t1", text="aaaa", metadata={"lang": "en"})
    await agent.call("add_text", id="t2", text="aabb", metadata={"lang": "de"})
    await agent.call("add_vector", id="v", vector=[0.0, 1.0])
    assert await _ids(agent, "search_by_text", text="bbbbbb", limit=2) == ["v", "t2"]
    assert await _ids(agent, "search_by_id", id="t1") == ["t1", "t2", "v"]
    assert await _ids(agent, "search_by_vector", vector=[1, 0], metadata_filter={"lang": "de"}) == ["t2"]
    assert await _ids(agent, "find_vectors", prefix="t") == ["t1", "t2"]
    assert await agent.call("get_vectors", ids=["v", "x"]) == {"items": [{"id": "v", "metadata": {}}], "missing": ["x"]}
    with_vector = await agent.call("get_vectors", ids=["v"], include_vectors=True)
    assert with_vector["items"] == [{"id": "v", "metadata": {}, "vector": [0.0, 1.0]}]
    assert await agent.call("count_vectors", metadata_filter={"lang": "en"}) == {"count": 1}
    assert await agent.call("update_vector_metadata", id="t1", metadata={"lang": "fr"}) == {"written": 1}
    assert (await agent.call("get_vectors", ids=["t1"]))["items"][0]["metadata"] == {"lang": "fr", "text": "aaaa"}
    assert await agent.call("delete_vectors", prefix="t") == {"deleted": 2}


async def _use_graph(agent: Agent) -> None:
    for id, kind in (("ada", "person"), ("babbage", "person"), ("engine", "machine")):
        await agent.call("add_entity", id=id, entity_type=kind)
    await agent.call("add_relation", from_id="ada", to_id="babbage", relation_type="knows")
    year = {"year": 1837}
    await agent.call("add_relation", from_id="babbage", to_id="engine", relation_type="built", properties=year)
    assert await agent.call("update_entity", id="ada", properties={"born": 1815}) == {"written": 1}
    assert await _ids(agent, "find_entities", entity_type="person", property_filter={"born": {"$lt": 1900}}) == ["ada"]
    assert await agent.call("get_entities", ids=["engine", "x"]) == {
        "items": [{"id": "engine", "type": "machine", "properties": {}}],
        "missing": ["x"],
    }
    assert await agent.call("count_entities", entity_type="person") == {"count": 2}
    built = {"from_id": "babbage", "to_id": "engine", "type": "built", "properties": year}
    assert await agent.call("get_relations", id="engine") == {"items": [built]}
    assert await _ids(agent, "follow_relations", id="ada", relation_types=["knows", "built"]) == ["engine"]
    near = await agent.call("get_subgraph", ids=["engine"])
    assert ([each["id"] for each in near["entities"]], near["relations"]) == (["engine", "babbage"], [built])
    assert await _ids(agent, "find_shortest_path", from_id="ada", to_id="engine") == ["ada", "babbage", "engine"]
    assert await _ids(agent, "find_shortest_path", from_id="engine", to_id="ada") == []
    relation = {"from_id": "ada", "to_id": "babbage", "relation_type": "knows"}
    assert await agent.call("delete_relation", **relation) == {"deleted": 1}
    assert await agent.call("delete_entities", ids=["engine"]) == {"deleted": 1}


async def test_an_entity_that_is_not_there_is_told_from_one_without_relations(
    registry: ServiceRegistry, connect: Connect
) -> None:
    await registry.knowledge_graph().add_entities((id, "t", None) for id in "ab")
    async with connect(registry) as agent:
        for id, missing in (("x", {"missing": ["x"]}), ("a", {})):
            assert await agent.call("get_relations", id=id) == {"items": []} | missing
            assert await agent.call("follow_relations", id=id, relation_types=["r"]) == {"items": []} | missing
            assert await agent.call("find_shortest_path", from_id="b", to_id=id) == {"items": []} | missing
            assert await agent.call("find_shortest_path", from_id=id, to_id="b") == {"items": []} | missing
        near = await agent.call("get_subgraph", ids=["x", "b", "y", "x", "a"], limit=1)
    assert (near["missing"], len(near["entities"])) == (["x", "y"], 1)


async def _use_checkpoints(agent: Agent, registry: ServiceRegistry) -> None:
    first = await agent.call(
        "save_checkpoint", checkpoint_id="t/1", data={"step": 1}, metadata={"by": "me"}, if_version=0
    )
    await agent.call("save_checkpoint", checkpoint_id="t/2", data={"step": 2})
    await registry.checkpoint_store().save_checkpoint("a", {}, payload=b"12345")
    assert await _ids(agent, "find_checkpoints", prefix="t/", reverse=True) == ["t/2", "t/1"]
    (got,) = (await agent.call("get_checkpoints", ids=["t/1"]))["items"]
    assert (got["data"], got["metadata"]["by"], got["version"]) == ({"step": 1}, "me", first["version"])
    (latest,) = (await agent.call("get_latest_checkpoint"))["items"]
    assert (latest["checkpoint_id"], latest["payload_bytes"]) == ("a", 5)
    assert "payload" not in latest
    assert await _ids(agent, "get_latest_checkpoint", prefix="t/") == ["t/2"]
    assert await _ids(agent, "get_latest_checkpoint", prefix="none") == []
    assert await agent.call("count_checkpoints", metadata_filter={"by": "me"}) == {"count": 1}
    assert await agent.call("delete_checkpoints", prefix="t/") == {"deleted": 2}


async def _ids(agent: Agent, name: str, **arguments: Any) -> list[str]:
    found = (await agent.call(name, **arguments))["items"]
    assert not any("vector" in each or ("data" in each and "find" in name) for each in found)
    return [each.get("id") or each["checkpoint_id"] for each in found]


async def test_without_allow_writes_no_tool_writes(connect: Connect) -> None:
    async with connect(ServiceRegistry(), embed=embed) as agent:
        reading = (await agent.client.list_tools()).tools
        assert all(each.annotations and each.annotations.read_only_hint for each in reading)
        assert "Unknown tool" in await agent.failed("add_vector", id="a", vector=[1])
    async with connect(ServiceRegistry(), embed=embed, allow_writes=True) as agent:
        writing = {each.name: each for each in (await agent.client.list_tools()).tools if each not in reading}
    assert {name.partition("_")[0] for name in writing} == {"add", "update", "delete", "save"}
    assert all(each.annotations and each.annotations.destructive_hint for each in writing.values())


async def test_a_tool_tells_all_that_a_model_needs(connect: Connect) -> None:
    async with connect(ServiceRegistry(), embed=embed, allow_writes=True) as agent:
        for tool in (await agent.client.list_tools()).tools:
            assert tool.description
            assert "\n " not in tool.description
            assert tool.output_schema
            assert tool.input_schema["additionalProperties"] is False
            assert tool.annotations
            assert tool.annotations.open_world_hint is False


async def test_the_unit_of_a_timestamp_is_told(connect: Connect) -> None:
    async with connect(ServiceRegistry()) as agent:
        described = {tool.name: tool.description or "" for tool in (await agent.client.list_tools()).tools}
    for name in ("find_checkpoints", "get_checkpoints", "get_latest_checkpoint"):
        assert "seconds since 1970 (UTC)" in described[name]


async def test_texts_are_searched_only_with_a_function_that_embeds(connect: Connect) -> None:
    async with connect(ServiceRegistry(), allow_writes=True) as agent:
        assert not {"search_by_text", "add_text"} & await agent.names()


async def test_an_async_function_embeds_too(connect: Connect) -> None:
    async def embed(text: str) -> list[float]:
        return [float(len(text)), 1.0]

    registry = ServiceRegistry()
    async with connect(registry, allow_writes=True, embed=embed) as agent:
        await agent.call("add_text", id="a", text="abc")
        assert await _ids(agent, "search_by_text", text="x") == ["a"]
    await registry.shutdown()


async def test_a_registry_without_a_type_has_no_tools_for_it(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "base.yaml").write_text("knowledge_graphs: {default: {provider: memory}}")
    async with connect(ServiceRegistry.from_config(config_dir=tmp_path)) as agent:
        names = await agent.names()
    assert "get_subgraph" in names
    assert not any("vector" in name or "checkpoint" in name for name in names)


@pytest.mark.parametrize("id", ["null", "true", '["a"]', '{"a": 1}', "1"])
async def test_an_id_that_looks_like_json_stays_a_text(id: str, connect: Connect) -> None:
    registry = ServiceRegistry()
    async with connect(registry, allow_writes=True) as agent:
        await agent.call("add_vector", id=id, vector=[1])
        await agent.call("add_vector", id=f"{id}+", vector=[1])
        assert await _ids(agent, "find_vectors", prefix=id, after=id) == [f"{id}+"]
        assert await _ids(agent, "search_by_id", id=id, limit=1) == [id]
    await registry.shutdown()
