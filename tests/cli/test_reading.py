"""`get`, `find` and `search`: looking at what stores hold."""

import asyncio
import json
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
    assert printed(capsys, "get", "vector_store", "v2") == {"id": "v2", "vector": [1.0, 2.0], "metadata": {"n": 2}}
    relation = {"from_id": "ada", "to_id": "engine", "type": "PROGRAMMED", "properties": {"year": 1843}}
    ada = {"id": "ada", "type": "person", "properties": {"born": 1815}, "relations": [relation]}
    assert printed(capsys, "get", "knowledge_graph", "ada") == ada
    assert printed(capsys, "get", "checkpoint_store/default", "step 1")["data"] == {"x": [1]}


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


def test_a_module_that_cannot_be_imported_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--import", "nothing.here", "check"]) == 1
    assert "--import nothing.here: it could not be imported (ModuleNotFoundError" in capsys.readouterr().err


# The commands that read a configuration, with what they need besides; migrate names environments.
COMMANDS = {
    "check": [],
    "show": [],
    "graph": [],
    "stats": [],
    "export": ["vector_store"],
    "import": ["vector_store", "lines"],
    "get": ["vector_store", "v1"],
    "find": ["vector_store"],
    "search": ["vector_store", "v1"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mistake", [["--env", "nowhere"], ["--config-dir", "nowhere"], ["--config-dir", "wrong"]])
def test_a_mistake_in_the_configuration_has_the_same_status_everywhere(command: str, mistake: list[str]) -> None:
    Path("wrong").mkdir()
    Path("wrong/base.yaml").write_text("vector_stores: {a: {provder: memory}}")
    assert main([command, *COMMANDS[command], *mistake]) == 1


@pytest.mark.parametrize("wrong", ["vector_store/nobody", "nothing"])
def test_a_store_that_is_not_there_has_the_same_status_everywhere(wrong: str) -> None:
    for command in ("stats", "export", "import", "get", "find", "search"):
        assert main([command, wrong, *COMMANDS[command][1:]]) == 2
    Path("config/development.yaml").write_text("{}")
    Path("config/test.yaml").write_text("{}")
    for option in ("--only", "--except"):
        assert main(["migrate", "--from", "development", "--to", "test", option, wrong]) == 2


def test_what_is_excepted_is_not_migrated(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config/development.yaml").write_text("{}")
    Path("config/test.yaml").write_text(CONFIG.replace("path: ", "path: new/"))
    arguments = ["migrate", "--from", "development", "--to", "test", "--except", "vector_store", "--json"]
    found = printed(capsys, *arguments, "--except", "knowledge_graph/default")
    assert [each["type"] for each in found["stores"]] == ["checkpoint_store"]
    assert not Path("new/v").exists()


def test_problems_are_listed_in_the_order_of_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config/base.yaml").write_text(
        "timeouts: {opne: 1}\ncheckpoint_stores:\n  z: {provder: memory}\nvector_stores:\n"
        "  b: {provider: nothing}\n  a: {provider: memory, options: {dimension: x}}\nno_section: 1\n"
    )
    Path("config/test.yaml").write_text("vector_stores:\n  c: {provider: file}\n")
    assert main(["show", "--env", "test"]) == 1
    places = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    lines = [1, 3, 3, 5, 6, 7]
    assert places == [*(f"config/base.yaml:{line}:" for line in lines), "config/test.yaml:2:"]
