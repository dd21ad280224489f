"""Sessions of the OpenAI Agents SDK over every engine, and beside the SDK's own over SQLite."""

import asyncio
import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from agents import Agent, ModelResponse, Runner, SessionSettings, SQLiteSession, TResponseInputItem, Usage
from agents.memory import OpenAIResponsesCompactionSession, Session
from agents.models.interface import Model
from openai import AsyncOpenAI
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend, InMemoryCheckpointStore
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import InvalidTypeError
from symphony_registry.integrations.openai_agents import RegistrySession


@pytest.fixture
def session(checkpoint_store: CheckpointStoreBackend) -> RegistrySession:
    return RegistrySession(checkpoint_store, "session")


def said(*texts: str) -> list[TResponseInputItem]:
    return [{"role": "user", "content": text} for text in texts]


def texts(items: list[TResponseInputItem]) -> list[str]:
    return [cast("dict[str, str]", item)["content"] for item in items]


class Echo(Model):
    """Answers with how many items it was given, and the last of them."""

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        items = said(input) if isinstance(input, str) else input
        text = f"{len(items)}: {texts(items)[-1]}"
        content = ResponseOutputText(text=text, type="output_text", annotations=[])
        message = ResponseOutputMessage(
            id=f"message-{len(items)}", content=[content], role="assistant", status="completed", type="message"
        )
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


async def test_it_is_a_session_to_the_sdk(session: RegistrySession) -> None:
    assert isinstance(session, Session)


async def test_an_agent_remembers_what_was_said(checkpoint_store: CheckpointStoreBackend) -> None:
    agent = Agent(name="Echo", model=Echo())
    outputs = [
        (await Runner.run(agent, text, session=RegistrySession(checkpoint_store, "s"))).final_output
        for text in ("hello", "again")
    ]
    assert outputs == ["1: hello", "3: again"]
    other = await Runner.run(agent, "hello", session=RegistrySession(checkpoint_store, "another"))
    assert other.final_output == "1: hello"


async def test_a_run_is_kept_as_the_sdk_keeps_it(session: RegistrySession) -> None:
    agent, own = Agent(name="Echo", model=Echo()), SQLiteSession("session")
    for each in (session, own):
        for text in ("hello", "again", "and again"):
            await Runner.run(agent, text, session=each)
    assert await session.get_items() == await own.get_items()
    own.close()


async def test_the_settings_limit_what_an_agent_is_given(checkpoint_store: CheckpointStoreBackend) -> None:
    session = RegistrySession(checkpoint_store, "s", session_settings=SessionSettings(limit=2))
    await session.add_items(said("a", "b", "c"))
    assert texts(await session.get_items()) == ["b", "c"]
    assert texts(await session.get_items(1)) == ["c"]
    result = await Runner.run(Agent(name="Echo", model=Echo()), "hello", session=session)
    assert result.final_output == "3: hello"


@pytest.mark.parametrize("limit", [None, -1, 0, 1, 2, 3, 5, 6, 100])
async def test_the_latest_items_come_oldest_first_as_from_sqlite(session: RegistrySession, limit: int | None) -> None:
    own = SQLiteSession("session")
    for each in (session, own):
        assert await each.get_items(limit) == []
        await each.add_items(said("a"))
        await each.add_items(said("b", "c", "d"))
        await each.add_items([])
        await each.add_items(said("e", "f"))
    assert await session.get_items(limit) == await own.get_items(limit)
    own.close()


async def test_items_are_popped_from_the_end(session: RegistrySession) -> None:
    await session.add_items(said("a"))
    await session.add_items(said("b", "c"))
    popped = [await session.pop_item() for _ in range(4)]
    assert popped == [*said("c", "b", "a"), None]
    await session.add_items(said("d"))
    assert texts(await session.get_items()) == ["d"]


async def test_a_cleared_session_begins_anew_and_others_stay(checkpoint_store: CheckpointStoreBackend) -> None:
    cleared, other = RegistrySession(checkpoint_store, "s"), RegistrySession(checkpoint_store, "s/1")
    for session in (cleared, other):
        await session.add_items(said("a", "b"))
    await cleared.clear_session()
    await cleared.clear_session()
    assert await cleared.get_items() == []
    await cleared.add_items(said("c"))
    assert texts(await cleared.get_items()) == ["c"]
    assert texts(await other.get_items()) == ["a", "b"]


IDS = ["", "a", "a/b", "a/", "a%2F", "%", "../x", "é" * 300, "é" * 301, "#", "nul\0", "user:1"]


async def test_any_text_is_the_id_of_a_session_of_its_own(checkpoint_store: CheckpointStoreBackend) -> None:
    sessions = {id: RegistrySession(checkpoint_store, id) for id in IDS}
    for id, session in sessions.items():
        await session.add_items(said(id))
    assert {id: texts(await session.get_items()) for id, session in sessions.items()} == {id: [id] for id in IDS}


async def test_more_than_ten_additions_keep_their_order(session: RegistrySession) -> None:
    for number in range(12):
        await session.add_items(said(f"{number}"))
    assert texts(await session.get_items()) == [f"{number}" for number in range(12)]
    assert texts(await session.get_items(3)) == ["9", "10", "11"]


async def test_concurrent_additions_are_kept_whole_and_none_is_lost(checkpoint_store: CheckpointStoreBackend) -> None:
    async def add(name: str) -> None:
        session = RegistrySession(checkpoint_store, "s")
        for number in range(5):
            await session.add_items(said(f"{name}{number}a", f"{name}{number}b"))

    await asyncio.gather(*(add(name) for name in "xyz"))
    found = texts(await RegistrySession(checkpoint_store, "s").get_items())
    assert len(found) == 30
    assert [first[:-1] for first in found[::2]] == [second[:-1] for second in found[1::2]]
    for name in "xyz":  # each in its own order
        assert [text for text in found if text[0] == name] == [f"{name}{n}{part}" for n in range(5) for part in "ab"]


async def test_concurrent_pops_give_each_item_once(checkpoint_store: CheckpointStoreBackend) -> None:
    session = RegistrySession(checkpoint_store, "s")
    await session.add_items(said(*"abcdef"))
    await session.add_items(said(*"ghij"))
    popped = await asyncio.gather(*(RegistrySession(checkpoint_store, "s").pop_item() for _ in range(12)))
    assert sorted(texts([item for item in popped if item])) == list("abcdefghij")
    assert popped.count(None) == 2


async def _add_in_process(options: dict[str, Any], name: str) -> None:
    registry = ServiceRegistry()
    await registry.register_backend(BackendType.CHECKPOINT_STORE, "postgres", config=options)
    session = RegistrySession(registry.checkpoint_store(), "s")
    for number in range(20):
        await session.add_items(said(f"{name}{number}"))
    await registry.shutdown()


def _process(options: dict[str, Any], name: str) -> None:
    asyncio.run(_add_in_process(options, name))


async def test_several_processes_lose_nothing_of_each_other(postgres_url: str, new_schema: Any) -> None:
    options = {"dsn": postgres_url, "schema": new_schema()}
    registry = ServiceRegistry()
    store = await registry.register_backend(BackendType.CHECKPOINT_STORE, "postgres", config=options)
    assert isinstance(store, CheckpointStoreBackend)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_process, args=(options, name)) for name in "xy"]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
    found = texts(await RegistrySession(store, "s").get_items())
    assert len(found) == 40
    for name in "xy":
        assert [text for text in found if text[0] == name] == [f"{name}{number}" for number in range(20)]
    await registry.shutdown()


async def test_concurrent_additions_cost_by_their_number() -> None:
    async with CountingStore() as store:
        await asyncio.gather(*(RegistrySession(store, "s").add_items(said("a")) for _ in range(50)))
        assert store.read == 49  # each reads the one before, once


class CountingStore(InMemoryCheckpointStore):
    """Counts the checkpoints that are read."""

    read = 0

    async def find_checkpoints(self, **options: Any) -> Any:
        found = await super().find_checkpoints(**options)
        self.read += len(found)
        await asyncio.sleep(0)  # others have their turn, as with an engine that waits for something
        return found


async def test_the_latest_items_cost_by_their_number_not_the_sessions_length() -> None:
    async with CountingStore() as store:
        session = RegistrySession(store, "s")
        for number in range(100):
            await session.add_items(said(f"{number}"))
        assert store.read == 99  # an addition reads the one before
        store.read = 0
        await session.get_items(5)
        await session.pop_item()
        assert store.read == 6


async def test_an_item_that_is_no_json_is_refused_and_nothing_is_added(session: RegistrySession) -> None:
    bad = cast("TResponseInputItem", {"role": "user", "content": b"bytes"})
    with pytest.raises(TypeError, match=r"items\[1\].content"):
        await session.add_items([*said("good"), bad])
    assert await session.get_items() == []


async def test_what_sqlite_keeps_is_kept(session: RegistrySession) -> None:
    own = SQLiteSession("session")
    for each in (session, own):
        await each.add_items(said("a", "\ud83d cut", "b"))
        await each.add_items([cast("TResponseInputItem", {"big": 2**70})])
    assert await session.get_items() == await own.get_items()
    assert [await session.pop_item() for _ in range(4)] == [await own.pop_item() for _ in range(4)]
    own.close()


@pytest.mark.parametrize("items", [{"role": "user", "content": "a"}, "text"])
async def test_only_lists_are_added(session: RegistrySession, items: Any) -> None:
    with pytest.raises(InvalidTypeError, match="a list"):
        await session.add_items(items)
    assert await session.get_items() == []


async def test_an_id_is_a_text(checkpoint_store: CheckpointStoreBackend) -> None:
    with pytest.raises(InvalidTypeError, match="session_id"):
        RegistrySession(checkpoint_store, cast("str", 1))


async def test_a_session_outlives_its_process_in_a_file(tmp_path: Path) -> None:
    for expected in ([], ["a"]):
        registry = ServiceRegistry()
        config = {"path": str(tmp_path / "data")}
        await registry.register_backend(BackendType.CHECKPOINT_STORE, "file", config=config)
        session = RegistrySession(registry.checkpoint_store(), "s")
        assert texts(await session.get_items()) == expected
        await session.add_items(said("a"))
        await registry.shutdown()


def test_run_sync_uses_a_registry_in_its_own_thread(blocking_registry: BlockingRegistry) -> None:
    session = RegistrySession(blocking_registry.checkpoint_store(), "s")
    for text, expected in (("hello", "1: hello"), ("again", "3: again")):
        result = asyncio.run(Runner.run(Agent(name="Echo", model=Echo()), text, session=session))
        assert result.final_output == expected


class Compacting:
    """Stands for the client of a server that makes one item of all."""

    def __init__(self) -> None:
        self.responses = self

    async def compact(self, **_: Any) -> Any:
        return SimpleNamespace(output=[{"role": "user", "content": "all that was said"}], usage=None)


async def test_the_sdks_compaction_works_over_it(session: RegistrySession) -> None:
    compacted = OpenAIResponsesCompactionSession("session", session, client=cast("AsyncOpenAI", Compacting()))
    await compacted.add_items(said("a", "b"))
    await compacted.add_items(said("c"))
    await compacted.run_compaction({"force": True, "compaction_mode": "input"})
    assert texts(await session.get_items()) == ["all that was said"]
    await compacted.add_items(said("d"))
    assert texts(await compacted.get_items()) == ["all that was said", "d"]
