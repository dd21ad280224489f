"""`delete` and `count`: by filter, prefix and type; nothing by mistake."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from symphony_registry.cli import main
from symphony_registry.registry import ServiceRegistry

CONFIG = """
vector_stores: {default: {provider: file, options: {path: v}}}
knowledge_graphs: {default: {provider: file, options: {path: g}}}
checkpoint_stores: {default: {provider: file, options: {path: c}}, gone: {provider: memory}}
"""


@pytest.fixture(autouse=True)
def _filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/base.yaml").write_text(CONFIG)
    monkeypatch.setenv("SYMPHONY_REGISTRY_CONFIG_DIR", "config")

    async def fill() -> None:
        async with ServiceRegistry.from_config() as registry:
            await registry.vector_store().add_many([(f"v{n}", [1.0, n], {"n": n}) for n in range(5)])
            await registry.knowledge_graph().add_entities([("ada", "person", None), ("engine", "machine", None)])
            await registry.knowledge_graph().add_relation("ada", "engine", "PROGRAMMED")
            store = registry.checkpoint_store()
            await store.save_checkpoints([(f"t{t}/{n:02}", {}, {"n": n}) for t in range(2) for n in range(15)])
            await store.save_checkpoint("bytes", {}, payload=b"x" * 1_234)

    asyncio.run(fill())


def counted(capsys: pytest.CaptureFixture[str], *arguments: str) -> int:
    assert main(["count", *arguments]) == 0
    return int(capsys.readouterr().out)


def test_count_prints_how_many_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert counted(capsys, "checkpoint_store/default") == 31
    assert counted(capsys, "checkpoint_store/default", "--prefix", "t1/") == 15
    assert counted(capsys, "checkpoint_store/default", "--prefix", "t1/", "--filter", '{"n": {"$lt": 4}}') == 4
    assert counted(capsys, "vector_store", "--filter", '{"n": {"$gt": 2}}') == 2
    assert counted(capsys, "knowledge_graph", "--type", "person") == 1


def test_find_takes_a_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", "checkpoint_store/default", "--prefix", "t1/0", "--limit", "3", "--json"]) == 0
    assert [each["checkpoint_id"] for each in json.loads(capsys.readouterr().out)] == ["t1/00", "t1/01", "t1/02"]


@pytest.mark.parametrize(
    ("store", "after", "between", "before", "last"),
    [
        ("vector_store", "v1", ["v2", "v3"], "v4", "v4"),
        ("checkpoint_store/default", "t1/11", ["t1/12", "t1/13"], "t1/14", "t1/14"),
        ("knowledge_graph", "ada", ["engine"], "z", "engine"),
    ],
)
def test_what_lies_between_two_ids_is_found_from_either_end_counted_and_deleted(
    store: str, after: str, between: list[str], before: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = ["--after", after, "--before", before]

    def found(*options: str) -> list[str]:
        assert main(["find", store, "--json", *options]) == 0
        return [each.get("checkpoint_id") or each["id"] for each in json.loads(capsys.readouterr().out)]

    assert found(*bounds) == between
    assert found("--reverse", *bounds) == between[::-1]
    assert found("--reverse", "--limit", "1") == [last]
    assert counted(capsys, store, *bounds) == len(between)
    assert main(["count", store, *bounds, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"count": len(between)}
    assert main(["delete", store, *bounds, "--yes"]) == 0
    assert capsys.readouterr().out == f"{len(between)} deleted.\n"
    assert found(*bounds) == []


def test_checkpoints_are_found_by_id_and_not_in_the_order_saved(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", "checkpoint_store/default", "--limit", "2", "--json"]) == 0
    assert [each["checkpoint_id"] for each in json.loads(capsys.readouterr().out)] == ["bytes", "t0/00"]


def test_a_payload_is_shown_as_its_size_and_printed_as_base64_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "checkpoint_store/default", "bytes"]) == 0
    assert "1,234 bytes" in capsys.readouterr().out
    assert main(["get", "checkpoint_store/default", "bytes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payload"].startswith("eHh4")


def test_delete_with_yes_deletes_what_matches_and_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete", "checkpoint_store/default", "--prefix", "t0/", "--yes"]) == 0
    assert capsys.readouterr().out == "15 deleted.\n"
    assert main(["delete", "vector_store", "--filter", '{"n": 3}', "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": 1}
    assert main(["delete", "knowledge_graph", "--type", "machine", "--yes"]) == 0
    capsys.readouterr()
    assert counted(capsys, "checkpoint_store/default") == 16
    assert counted(capsys, "knowledge_graph") == 1


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], int]]:
    """Let somebody sit at the keyboard who types this, a line."""
    keyboard, terminal = os.openpty()
    with open(terminal) as typed:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", typed)
        yield lambda line: os.write(keyboard, line.encode())
    os.close(keyboard)


def test_delete_shows_what_it_would_delete_and_asks(
    capsys: pytest.CaptureFixture[str], answered: Callable[[str], int]
) -> None:
    answered("y\n")
    assert main(["delete", "checkpoint_store/default", "--prefix", "t0/"]) == 0
    printed = capsys.readouterr()
    shown = "".join(f"t0/{n:02}\n" for n in range(10))
    assert printed.err == f"{shown}and 5 more\nDelete 15 of checkpoint_store/default? [y/N]: "
    assert printed.out == "15 deleted.\n"
    assert counted(capsys, "checkpoint_store/default") == 16


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_nothing_is_deleted_without_a_yes_and_the_exit_status_says_so(
    capsys: pytest.CaptureFixture[str], answered: Callable[[str], int], answer: str
) -> None:
    answered(answer)
    assert main(["delete", "checkpoint_store/default", "--prefix", "t0/"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith("Nothing was deleted.\n")
    assert counted(capsys, "checkpoint_store/default") == 31


def test_ctrl_c_at_the_question_ends_the_command_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "symphony_registry", "delete", "checkpoint_store/default", "--prefix", "t0/"]
    with subprocess.Popen(command, stdin=terminal, stderr=subprocess.PIPE) as asking:
        assert asking.stderr is not None
        while (read := asking.stderr.read(1)) != b"?":
            assert read
        asking.send_signal(signal.SIGINT)
        os.write(keyboard, b"y\n")  # which nobody reads
        assert asking.wait() == 130
    os.close(keyboard)
    os.close(terminal)
    assert counted(capsys, "checkpoint_store/default") == 31


@pytest.mark.parametrize("store", ["vector_store", "knowledge_graph", "checkpoint_store/default"])
def test_what_no_longer_matches_when_the_answer_comes_stays_and_so_does_what_came_meanwhile(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def save(**kinds: str) -> None:
        async with ServiceRegistry.from_config() as registry:
            for id, kind in kinds.items():
                await registry.vector_store().add(id, [1.0, 2.0], {"kind": kind})
                await registry.knowledge_graph().add_entity(id, "node", {"kind": kind})
                await registry.checkpoint_store().save_checkpoint(id, {}, {"kind": kind})

    def answer(_: str) -> str:
        asyncio.run(save(a="kept", c="old"))
        return "y"

    asyncio.run(save(a="old", b="old"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("symphony_registry.cli.delete.ask", answer)
    assert main(["delete", store, "--filter", '{"kind": "old"}']) == 0
    assert capsys.readouterr().out == "1 deleted.\n"
    assert counted(capsys, store, "--filter", '{"kind": "kept"}') == 1
    assert counted(capsys, store, "--filter", '{"kind": "old"}') == 1


def test_ids_are_shown_without_control_characters(
    capsys: pytest.CaptureFixture[str], answered: Callable[[str], int]
) -> None:
    async def save() -> None:
        async with ServiceRegistry.from_config() as registry:
            await registry.vector_store().add("x\nDelete 0\x1b[2J", [1.0, 2.0])

    asyncio.run(save())
    answered("n\n")
    assert main(["delete", "vector_store", "--prefix", "x"]) == 1
    assert capsys.readouterr().err.startswith("x\\nDelete 0\\x1b[2J\nDelete 1 of")


def test_without_a_terminal_the_way_to_delete_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete", "vector_store", "--prefix", "v"]) == 2
    assert "Error: There is nobody to ask: look at what `find` lists, and pass --yes." in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get {} a", "find {}", "count {}", "delete {} --prefix a --yes", "stats {}"])
def test_what_was_never_stored_is_neither_read_nor_made(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config/base.yaml").write_text("vector_stores: {default: {provider: file, options: {path: elsewhere}}}")
    assert main(command.format("vector_store/default").split()) == 1
    assert "is not there: nothing was ever stored in it." in "".join(capsys.readouterr())
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--yes"],
        ["--prefix", "", "--yes"],
        ["--filter", "{}", "--yes"],
        ["--filter", '{"$and": [{}]}', "--yes"],
        ["--prefix", "t0/", "--prefix", "t1/", "--yes"],
        ["--filter", '{"n": {"$gt": 1}, "n": {"$lt": 3}}', "--yes"],
        ["--prefix", "", "--filter", '{"n": 1}', "--yes"],
        ["--prefix", "t"],
    ],
)
def test_delete_refuses_everything_and_where_nobody_can_answer(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["delete", "checkpoint_store/default", *arguments]) == 2
    assert "deleted" not in capsys.readouterr().out
    assert counted(capsys, "checkpoint_store/default") == 31


def test_delete_refuses_a_store_that_does_not_persist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete", "checkpoint_store/gone", "--prefix", "a", "--yes"]) == 1
    assert "does not persist" in capsys.readouterr().err
