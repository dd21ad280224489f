"""`delete` and `count`: by filter, prefix and type; nothing by mistake."""

import asyncio
import json
import sys
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


@pytest.mark.parametrize(("answer", "left"), [(True, 16), (False, 31)])
def test_delete_shows_what_it_would_delete_and_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: bool, left: int
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    assert main(["delete", "checkpoint_store/default", "--prefix", "t0/"]) == 0
    shown = capsys.readouterr().err
    assert "t0/00\n" in shown
    assert "and 5 more" in shown
    assert asked == ["Delete 15 of checkpoint_store/default?"]
    assert counted(capsys, "checkpoint_store/default") == left


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
