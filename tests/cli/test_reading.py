"""`get`, `find` and `search`: looking at what stores hold."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.cli import main
from symphony_registry.registry import ServiceRegistry

CONFIG = """
vector_stores: {default: {provider: file, options: {path: v}}}
knowledge_graphs: {default: {provider: file, options: {path: g}}}
checkpoint_stores: {default: {provider: file, options: {path: c}}}
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
            await registry.knowledge_graph().add_entities(
                [("ada", "person", {"born": 1815}), ("engine", "machine", None)]
            )
            await registry.knowledge_graph().add_relation("ada", "engine", "PROGRAMMED", {"year": 1843})
            await registry.checkpoint_store().save_checkpoint("step 1", {"x": [1]}, {"thread": "a"})
            await registry.checkpoint_store().save_checkpoint("step 2", {"x": [2]}, {"thread": "b"})

    asyncio.run(fill())


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_get_prints_the_item_as_the_contract_returns_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "get", "vector_store", "v2", "--json") == {
        "id": "v2",
        "vector": [1.0, 2.0],
        "metadata": {"n": 2},
    }
    relation = {"from_id": "ada", "to_id": "engine", "type": "PROGRAMMED", "properties": {"year": 1843}}
    ada = {"id": "ada", "type": "person", "properties": {"born": 1815}, "relations": [relation]}
    assert printed(capsys, "get", "knowledge_graph", "ada", "--json") == ada
    assert printed(capsys, "get", "knowledge_graph", "engine", "--json")["relations"] == [relation]
    assert printed(capsys, "get", "checkpoint_store/default", "step 1", "--json")["data"] == {"x": [1]}


def test_get_lists_the_fields_for_people_and_the_relations_under_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "vector_store", "v2"]) == 0
    assert capsys.readouterr().out == "KEY         VALUE\nid          v2\nvector      [1.0,2.0]\nmetadata.n  2\n"
    assert main(["get", "knowledge_graph", "engine"]) == 0
    fields, _, relations = capsys.readouterr().out.partition("\n\n")
    assert [line.split() for line in fields.splitlines()[1:]] == [
        ["id", "engine"],
        ["type", "machine"],
        ["properties", "{}"],
    ]
    assert relations.splitlines()[1].split() == ["ada", "engine", "PROGRAMMED", '{"year":1843}']


@pytest.mark.parametrize("command", [["get", "vector_store", "long"], ["find", "vector_store"]])
def test_a_long_value_is_cut_in_a_terminal_and_whole_in_a_pipe(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def add() -> None:
        async with ServiceRegistry.from_config() as registry:
            await registry.vector_store().add("long", [1.0, 2.0], {"text": "x" * 300})

    asyncio.run(add())
    assert main(command) == 0
    assert "x" * 300 in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(command) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if "xxx" in each]
    assert line.endswith("x…")
    assert len(line) == 60


@pytest.mark.parametrize("command", ["get", "search"])
def test_an_id_that_nothing_has_is_an_error_that_names_the_store(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "vector_store", "nobody"]) == 1
    assert "vector_store/default has nothing under the id 'nobody'. `find" in capsys.readouterr().err


def test_find_lists_what_matches(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "find", "vector_store", "--filter", '{"n": {"$gte": 2}}', "--limit", "2", "--json")
    assert [item["id"] for item in found] == ["v2", "v3"]
    assert [each["id"] for each in printed(capsys, "find", "knowledge_graph", "--type", "machine", "--json")] == [
        "engine"
    ]
    found = printed(capsys, "find", "checkpoint_store", "--filter", '{"thread": "b"}', "--json")
    assert [each["checkpoint_id"] for each in found] == ["step 2"]
    assert main(["find", "vector_store", "--limit", "1"]) == 0
    assert capsys.readouterr().out == 'ID  METADATA\nv0  {"n":0}\n'
    assert main(["find", "vector_store", "--filter", '{"n": 9}']) == 0
    assert capsys.readouterr().out == "ID\n"


def test_search_finds_the_nearest_others(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "search", "vector_store", "v4", "--limit", "2", "--json")
    assert [each["id"] for each in found] == ["v3", "v2"]
    found = printed(capsys, "search", "vector_store", "v4", "--filter", '{"n": {"$lt": 2}}', "--json")
    assert [each["id"] for each in found] == ["v1", "v0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["find", "vector_store", "--filter", "lang=en"], "lang=en is not JSON"),
        (["find", "vector_store", "--filter", "lang=en"], """Write it as --filter '{"lang": "en"}'."""),
        (["search", "vector_store", "v1", "--filter", "[1]"], "[1] is not a JSON object. Write it as --filter"),
        (["find", "checkpoint_store", "--filter", "null"], "null is not a JSON object"),
        (["find", "knowledge_graph", "--filter", '{"n": {"$in": 3}}'], "Error: --filter.n.$in must be a list"),
        (["find", "vector_store", "--filter", '{"$nor": 1}'], "there is no operator $nor here"),
        (["find", "vector_store", "--type", "T"], "vector_store/default has no types"),
        (["search", "knowledge_graph", "ada"], "name a vector_store"),
    ],
)
def test_misuse_says_what_to_write(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_module_that_registers_providers_is_imported_first() -> None:
    Path("mine.py").write_text(
        "from symphony_registry.backends.base import BackendType, StorageBackendFactory\n"
        "from symphony_registry.backends.vector_store import InMemoryVectorStore\n"
        "StorageBackendFactory.register_provider(BackendType.VECTOR_STORE, 'mine', InMemoryVectorStore)\n"
    )
    Path("config/base.yaml").write_text("vector_stores: {default: {provider: mine}}")
    command = [sys.executable, "-m", "symphony_registry"]
    done = subprocess.run([*command, "--import", "mine", "check"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run([*command, "check"], check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import not_there", "ModuleNotFoundError: not_there is missing"),
        ("x = (", "SyntaxError"),
        ("raise RuntimeError('password')", "RuntimeError"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_error_with_its_name_and_the_kind_of_cause(
    text: str, cause: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    Path("broken.py").write_text(text)
    assert main(["--import", "broken", "check"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: --import broken: it could not be imported ({cause}). ")
    assert "`python -c 'import broken'`" in printed
    assert "password" not in printed


def test_a_module_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--import", "nothing.here", "check"]) == 1
    assert "--import nothing.here: it could not be imported (ModuleNotFoundError" in capsys.readouterr().err


def test_what_is_excepted_is_not_migrated(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config/development.yaml").write_text("{}")
    Path("config/test.yaml").write_text(CONFIG.replace("path: ", "path: new/"))
    arguments = ["migrate", "--from", "development", "--to", "test", "--except", "vector_store", "--json"]
    found = printed(capsys, *arguments, "--except", "knowledge_graph/default")
    assert [each["type"] for each in found["stores"]] == ["checkpoint_store"]
    assert not Path("new/v").exists()


@pytest.mark.parametrize("command", [["show"], ["providers"], ["stats"]])
def test_problems_are_listed_in_the_order_of_the_files_and_their_lines_then_variables(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYMPHONY_REGISTRY_TIMEOUTS__CLOSE", "soon")
    Path("config/base.yaml").write_text(
        "timeouts: {opne: 1}\ncheckpoint_stores:\n  z: {provder: memory}\nvector_stores:\n"
        "  b: {provider: nothing}\n  a: {provider: memory, options: {dimension: x}}\nno_section: 1\n"
    )
    Path("config/a.yaml").write_text("vector_stores:\n  c: {provider: file}\n")  # over base.yaml, before it by name
    assert main([*command, "--env", "a"]) == 1
    places = re.findall(r"(?:config/|\$)\S+(?=: )", capsys.readouterr().err)
    lines = [1, 3, 3, 5, 6, 7]
    variable = "$SYMPHONY_REGISTRY_TIMEOUTS__CLOSE"
    assert places == [*(f"config/base.yaml:{line}" for line in lines), "config/a.yaml:2", variable]


def test_find_says_that_there_are_more_than_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    for store, limit in ("vector_store", 4), ("knowledge_graph", 1), ("checkpoint_store", 1):
        assert len(printed(capsys, "find", store, "--limit", str(limit), "--json")) == limit
        assert main(["find", store, "--limit", str(limit)]) == 0
        assert capsys.readouterr().err == f"{limit} shown, there are more: --limit N.\n"
    assert main(["find", "vector_store", "--limit", "5"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["get vector_store x", "find vector_store", "search vector_store x", "stats"])
def test_looking_at_a_store_in_memory_is_worth_a_remark(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config/base.yaml").write_text("vector_stores: {default: {provider: memory}}")
    main(command.split())
    assert "does not persist: it is empty now, and gone when this command ends" in capsys.readouterr().err


def test_a_warning_looks_the_same_in_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMPHONY_REGISTRY_CONFIG_DIR")
    for command in ["check"], ["find", "vector_store"]:
        words = [sys.executable, "-m", "symphony_registry", *command]
        found = subprocess.run(words, capture_output=True, text=True, check=True).stderr
        assert found.startswith("warning: config/base.yaml is not read")


def test_find_says_that_nothing_matches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", "knowledge_graph", "--type", "persn"]) == 0
    assert capsys.readouterr() == ("ID\n", "Nothing matches.\n")
