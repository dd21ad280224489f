"""A graph's keys agree whatever is done at once, and its order is that of code points on every server."""

import asyncio
import random
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from typing_extensions import override

from symphony_registry.backends.selection import Page, Selection
from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.redis.knowledge_graph import RedisKnowledgeGraph
from tests.helpers.redis_server import Server, running_server

IDS = [f"e{number}" for number in range(8)]


def check_keys(server: Server, graph: RedisKnowledgeGraph) -> None:
    """Check that what is kept more than once is the same everywhere, and that relations have their ends."""
    script = """
        local function all(command, part, ...) return redis.call(command, ARGV[1] .. part, ...) end
        return {
            all('HGETALL', 'entities'), all('ZRANGE', 'ids', 0, -1), all('ZRANGE', 'types', 0, -1),
            all('HKEYS', 'relations'), all('ZRANGE', 'out', 0, -1), all('ZRANGE', 'in', 0, -1),
            all('HGETALL', 'counts')
        }
    """
    entities, ids, types, *kept, counts = server.command("EVAL", script, 0, graph._data.key(""))
    stored = dict(zip(entities[::2], entities[1::2], strict=True))
    assert sorted(ids) == sorted(stored)
    assert sorted(types) == sorted(entity.split(b"\0")[0] + b"\0" + id for id, entity in stored.items())
    relations, leaving, arriving = ([tuple(key.split(b"\0")) for key in keys] for keys in kept)
    assert sorted(leaving) == sorted(relations)
    assert sorted(key[::-1] for key in arriving) == sorted(relations)
    kinds = [kind for _, kind, _ in relations]
    assert dict(zip(counts[::2], map(int, counts[1::2]), strict=True)) == {kind: kinds.count(kind) for kind in kinds}
    assert {end for start, _, goal in relations for end in (start, goal)} <= set(stored)


async def change(graph: RedisKnowledgeGraph, seed: int) -> None:
    """Add, merge and delete at random."""
    chance = random.Random(seed)
    for step in range(30):
        one, other = chance.choices(IDS, k=2)
        try:
            match chance.randrange(8):
                case 0:
                    await graph.add_entities([(id, chance.choice("AB"), {"n": step % 3}) for id in IDS])
                case 1:
                    await graph.add_entities([(id, "A", None) for id in IDS], if_absent=True)
                case 2:
                    await graph.update_entity(one, {"n": 2, f"{seed} {step}": step})
                case 3:
                    await graph.delete_entity(one)
                case 4:
                    await graph.delete_entities(property_filter={"n": 2})
                case 5:
                    await graph.delete_entities(entity_type="B", prefix="e1")
                case 6:
                    await graph.delete_relation(one, other, "R")
                case _:
                    await graph.add_relations([(one, other, "R", None), (other, one, "S", None), (one, one, "R", {})])
        except InvalidValueError as error:
            assert "which does not exist" in str(error)  # noqa: PT017 - half of these calls succeed


async def test_the_keys_agree_whatever_twenty_tasks_of_two_backends_do(server: Server, options: dict[str, Any]) -> None:
    async with RedisKnowledgeGraph(options) as graph, RedisKnowledgeGraph({**options, "timeout": 21}) as other:
        changing = [asyncio.create_task(change((graph, other)[seed % 2], seed)) for seed in range(20)]
        while not all(task.done() for task in changing):
            await asyncio.to_thread(check_keys, server, graph)
        await asyncio.gather(*changing)
        await asyncio.to_thread(check_keys, server, graph)
        await graph.delete_entities(IDS)
        assert server.command("KEYS", graph._data.key("*")) == [graph._data.key("layout").encode()]


async def test_merges_of_one_entity_at_a_time_are_all_kept(options: dict[str, Any]) -> None:
    async with RedisKnowledgeGraph(options) as graph:
        await graph.add_entity("a", "A")
        await asyncio.gather(*(graph.update_entity("a", {f"{number}": number}) for number in range(50)))
        found = await graph.get_entity("a")
        assert found == {"id": "a", "type": "A", "properties": {f"{number}": number for number in range(50)}}


class Meanwhile(RedisKnowledgeGraph):
    """A graph where somebody changes what a filter found, before it is deleted."""

    changes: list[tuple[str, dict[str, Any]]]

    @override
    async def _matching(self, selection: Selection, page: Page) -> Any:
        found = await super()._matching(selection, page)
        if self.changes:
            await self.update_entity(*self.changes.pop())
        return found


@pytest.mark.parametrize(("changed", "left"), [({"n": 1, "m": 2}, []), ({"n": 2}, ["a"])], ids=["still", "no more"])
async def test_a_deletion_looks_again_at_what_was_changed_meanwhile(
    changed: dict[str, Any], left: list[str], options: dict[str, Any]
) -> None:
    async with Meanwhile(options) as graph:
        graph.changes = []
        await graph.add_entities([(id, "A", {"n": 1}) for id in "abc"])
        graph.changes = [("a", changed)]
        assert await graph.delete_entities(property_filter={"n": 1}) == 3 - len(left)
        assert [entity["id"] for entity in await graph.find_entities()] == left


async def test_an_entity_with_more_relations_than_lua_passes_at_once_is_read_and_deleted(
    server: Server, options: dict[str, Any]
) -> None:
    ends = [f"{number:05}" for number in range(10_000)]
    async with RedisKnowledgeGraph(options) as graph:
        await graph.add_entities([(id, "A", None) for id in ("hub", *ends)])
        await graph.add_relations([("hub", end, "R", None) for end in ends])
        assert [entity["id"] for entity in await graph.neighbors("hub", limit=20_000)] == ends
        assert len(await graph.get_relations("hub")) == 10_000
        assert await graph.delete_entity("hub")
        assert await graph.count_relations() == 0
        check_keys(server, graph)


@pytest.mark.slow  # making a locale is
@pytest.mark.skipif(which("localedef") is None, reason="no locale can be made here")
async def test_the_order_is_that_of_code_points_on_a_server_with_another_collation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ["B", "Z", "_", "a", "b", "z", "é", "\uffff", "\U0001f600"]
    subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", tmp_path / "en_US.UTF-8"], check=True)  # noqa: ASYNC221
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    with running_server() as server:
        assert not server.command("EVAL", "return 'a' > 'B'", 0)
        async with RedisKnowledgeGraph({"url": server.url}) as graph:
            await graph.add_entities([(id, "A", None) for id in ("0", "1", *reversed(ids))])
            await graph.add_relations([(start, end, "R", None) for id in ids for start, end in (("0", id), (id, "1"))])
            for found in (await graph.query("0", ["R"]), await graph.neighbors("0")):
                assert [entity["id"] for entity in found] == ids
            path = await graph.shortest_path("0", "1")
            assert path is not None
            assert [entity["id"] for entity in path] == ["0", "B", "1"]
            near = await graph.subgraph(["0"], limit=4)
            assert [entity["id"] for entity in near["entities"]] == ["0", "B", "Z", "_"]
