"""What a model is told of a failure, and what it is not."""

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.vector_store import InMemoryVectorStore
from tests.integrations.conftest import Engine
from tests.integrations.mcp.conftest import Connect, embed

SECRET = "hunter2"


class LeakyStore(InMemoryVectorStore):
    """A store whose driver's errors hold a password."""

    async def count(self, *_: Any, **__: Any) -> int:
        raise RuntimeError(f"no route to postgresql://user:{SECRET}@host")


async def test_an_error_names_what_there_is_and_what_to_do(registry: ServiceRegistry, connect: Connect) -> None:
    await registry.vector_store().add("a", [1.0, 2.0])
    async with connect(registry, allow_writes=True) as agent:
        assert "'defualt'. Did you mean \"default\"?" in await agent.failed("find_vectors", store="defualt")
        assert "nothing under the id 'x'. find_vectors lists" in await agent.failed("search_by_id", id="x")
        assert "dimension 1, but the store takes only dimension 2" in await agent.failed("search_by_vector", vector=[1])
        assert "$gte" in await agent.failed("find_vectors", metadata_filter={"year": {"gte": 2020}})
        assert "does not exist" in await agent.failed("add_relation", from_id="a", to_id="b", relation_type="r")
        assert "Read it again" in await agent.failed("save_checkpoint", checkpoint_id="a", data={}, if_version=3)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "find_checkpoints",
        {"revers": True},
        'There is no argument `revers`. Did you mean "reverse"? '
        "Known: after, limit, metadata_filter, prefix, reverse, store.",
    ),
    ("search_by_id", {"store": 7, "limit": 0}, "id is missing. store must be a valid string. limit must be greater"),
    ("get_relations", {"id": "a", "direction": "up"}, "direction must be 'outgoing', 'incoming' or 'both'."),
    ("add_relation", {"from_id": "", "to_id": "a", "relation_type": "r"}, "from_id: The id is empty."),
    ("find_vectors", {"after": "x" * 600}, "after: The id 'xxxxxxxxxxxxxxxxxxxx'... has 600 bytes"),
    ("follow_relations", {"id": "a", "relation_types": ["r"] * 101}, "must have at most 100 items, not 101."),
    ("get_vectors", {"ids": []}, "ids must have at least 1 item, not 0."),
    ("find_vectors", {"limit": True}, "limit: it must be an integer, not a boolean."),
    ("save_checkpoint", {"checkpoint_id": "a", "data": {}, "if_version": False}, "it must be an integer"),
    ("find_vectors", {"store": "x" * 10_000}, "xx… (10,000 characters)'. Known: default."),
    ("find_vectors", {"x" * 10_000: 1}, "xx… (10,000 characters)`. Known: after"),
    ("follow_relations", {"id": "a", "relation_types": ["r", ""]}, "relation_types.1: The id is empty."),
    ("search_by_vector", {"vector": ["x"] * 9}, "There are 4 more problems."),
    ("find_vectors", {"metadata_filter": {"a": {"$x": 1}}}, "metadata_filter.a: there is no operator $x."),
    ("find_entities", {"property_filter": {"a": {"$x": 1}}}, "property_filter.a: there is no operator $x."),
    ("delete_vectors", {}, "pass ids, or some of prefix, metadata_filter. No tool deletes everything."),
    ("delete_checkpoints", {}, "pass ids, or some of prefix, metadata_filter. No tool deletes everything."),
    ("delete_entities", {}, "pass ids, or some of entity_type, prefix, property_filter. No tool deletes everything."),
    ("delete_vectors", {"ids": ["a"], "prefix": "a"}, "Pass either ids, or some of prefix, metadata_filter, not both."),
]


@pytest.mark.parametrize(
    ("name", "arguments", "told"), WRONG, ids=[f"{name}-{number}" for number, (name, *_) in enumerate(WRONG)]
)
async def test_what_is_wrong_with_a_call_is_told_with_the_names_of_the_tool(
    name: str, arguments: dict[str, Any], told: str, connect: Connect
) -> None:
    async with connect(ServiceRegistry(), allow_writes=True) as agent:
        error = await agent.failed(name, **arguments)
        (tool,) = [each for each in (await agent.client.list_tools()).tools if each.name == name]
    assert told in error
    assert len(error) < 1000
    assert "pydantic" not in error
    named = {"ids", "prefix", "after", "before", "metadata_filter", "property_filter", "entity_id", "entity_type"}
    assert {each for each in named if re.search(rf"\b{each}\b", error)} <= set(tool.input_schema["properties"])


async def test_a_thing_has_the_same_name_in_every_tool(connect: Connect) -> None:
    async with connect(ServiceRegistry(), allow_writes=True, embed=embed) as agent:
        tools = (await agent.client.list_tools()).tools
    arguments = {tool.name: set(tool.input_schema["properties"]) for tool in tools}
    assert {name for name, each in arguments.items() if "checkpoint_id" in each} == {"save_checkpoint"}
    assert {each for name in arguments for each in arguments[name] if each.endswith("id")} == {
        *("id", "from_id", "to_id", "checkpoint_id")
    }
    assert {each for name in arguments for each in arguments[name] if each.endswith("filter")} == {
        *("metadata_filter", "property_filter")
    }


async def test_a_deletion_needs_ids_or_a_selection(registry: ServiceRegistry, connect: Connect) -> None:
    await registry.vector_store().add("a", [1.0])
    async with connect(registry, allow_writes=True) as agent:
        for name in ("delete_vectors", "delete_entities", "delete_checkpoints"):
            assert "is_error" not in await agent.failed(name)
            await agent.failed(name, ids=["a"], prefix="a")
        await agent.failed("delete_vectors", prefix="a", filter={"b": 1})  # misspelt
        assert await registry.vector_store().count() == 1


async def test_an_unexpected_error_is_hidden_and_logged_without_its_text(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    registry = ServiceRegistry()
    registry.container.vector_store.override(LeakyStore())
    with caplog.at_level(logging.INFO):
        async with connect(registry) as agent:
            told = await agent.failed("count_vectors")
            listed = str(await agent.call("list_stores"))
    assert "the server's log" in told
    assert "in count_vectors" in caplog.text
    assert "RuntimeError" in caplog.text
    assert SECRET not in told + listed + caplog.text
    await registry.shutdown()


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_text_that_cannot_be_embedded_is_told_with_what_works_without_that(
    is_async: bool, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: str) -> list[float]:
        raise RuntimeError(f"no model at https://key:{SECRET}@host")

    async def broken_later(text: str) -> list[float]:
        return broken(text)

    async with connect(ServiceRegistry(), allow_writes=True, embed=broken_later if is_async else broken) as agent:
        for told in (
            await agent.failed("search_by_text", text="a"),
            await agent.failed("add_text", id="a", text="a"),
        ):
            assert "could not be embedded" in told
            assert "find_vectors, and search_by_id" in told
            assert SECRET not in told
    assert "in broken" in caplog.text
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_store_that_cannot_be_opened_leaves_the_others_usable(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "occupied").write_text("a file where a directory should be")
    (tmp_path / "base.yaml").write_text(
        f"vector_stores: {{good: {{provider: memory}}, "
        f"bad: {{provider: file, options: {{path: '{tmp_path}/occupied'}}}}}}"
    )
    registry = ServiceRegistry.from_config(config_dir=tmp_path)
    async with connect(registry, allow_writes=True) as agent:
        bad, good = (await agent.call("list_stores"))["stores"]
        assert "occupied" in bad["problem"]
        assert good["items"] == {"vectors": 0}
        assert "occupied" in await agent.failed("count_vectors", store="bad")
        assert await agent.call("count_vectors", store="good") == {"count": 0}
    await registry.shutdown()


async def test_beside_an_application_a_reading_server_reads_and_a_writing_one_is_refused(
    tmp_path: Path, connect: Connect
) -> None:
    options = {"path": str(tmp_path / "data")}
    (tmp_path / "base.yaml").write_text(f"vector_stores: {{default: {{provider: file, options: {options}}}}}")
    application = ServiceRegistry()
    store = await application.register_backend(BackendType.VECTOR_STORE, "file", config=options)
    await store.add("a", [1.0])
    for allow_writes in (False, True):
        registry = ServiceRegistry.from_config(config_dir=tmp_path)
        async with connect(registry, allow_writes=allow_writes) as agent:
            if allow_writes:
                assert "in use" in await agent.failed("add_vector", id="b", vector=[1])
            else:
                both = await asyncio.gather(agent.call("count_vectors"), agent.call("list_stores"))
                assert both[0] == {"count": 1}
                assert "read as it was when this server opened it" in both[1]["stores"][0]["note"]
        await registry.shutdown()
    await application.shutdown()


async def test_a_reading_server_makes_nothing(engine: Engine, tmp_path: Path, connect: Connect) -> None:
    provider, options = engine
    sections: dict[str, Any] = {
        kind.section: {"default": {"provider": provider, "options": options()}} for kind in BackendType
    }
    (tmp_path / "base.yaml").write_text(json.dumps(sections))
    for _ in range(2):  # the second finds what the first has made
        registry = ServiceRegistry.from_config(config_dir=tmp_path)
        async with connect(registry) as agent:
            stores = (await agent.call("list_stores"))["stores"]
            if provider in ("postgres", "redis"):
                assert all("with create: true" in each["problem"] for each in stores)  # which is needed still
            else:
                assert [sum(each["items"].values()) for each in stores] == [0, 0, 0]
            if provider == "file":
                assert all("Nothing is stored yet in" in each["note"] for each in stores)
        await registry.shutdown()
    assert not any(Path(each["default"]["options"].get("path", "none")).exists() for each in sections.values())


async def test_a_reading_server_leaves_a_file_store_to_an_application_that_comes_later(
    tmp_path: Path, connect: Connect
) -> None:
    options = {"path": str(tmp_path / "data")}
    (tmp_path / "base.yaml").write_text(f"vector_stores: {{default: {{provider: file, options: {options}}}}}")
    served, application = ServiceRegistry.from_config(config_dir=tmp_path), ServiceRegistry()
    async with connect(served) as agent:
        assert "Nothing is stored yet in" in await agent.failed("count_vectors")
        store = await application.register_backend(BackendType.VECTOR_STORE, "file", config=options)
        await store.add("a", [1.0])
        await application.shutdown()
        assert await agent.call("count_vectors") == {"count": 1}
        store = await application.register_backend(BackendType.VECTOR_STORE, "file", config=options)
        await store.add("b", [1.0])
        assert await agent.call("count_vectors") == {"count": 1}
    await served.shutdown()
    await application.shutdown()


async def test_a_call_that_is_cancelled_leaves_the_server_usable(connect: Connect) -> None:
    started, registry = asyncio.Event(), ServiceRegistry()

    async def embed(_: str) -> list[float]:
        started.set()
        await asyncio.Event().wait()
        return [1.0]

    async with connect(registry, embed=embed) as agent:
        call = asyncio.create_task(agent.call("search_by_text", text="a"))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await agent.call("count_vectors") == {"count": 0}
    await registry.shutdown()
