"""Exit statuses: the same mistake has the same one in every command that can make it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.cli import main

RIGHT = "vector_stores: {default: {provider: file, options: {path: v}}}"
WRONG = {
    "unknown-key": "vector_stores: {default: {provder: memory}}",
    "unknown-option": "vector_stores: {default: {provider: memory, options: {dimnsion: 3}}}",
    "unknown-provider": "vector_stores: {default: {provider: memroy}}",
    "unknown-module": "vector_stores: {default: {provider: 'not_there:Store'}}",
    "empty-variable": "vector_stores: {default: {provider: file, options: {path: '${NOT_SET}'}}}",
    "no-yaml": "vector_stores: [",
}

# The commands that read one configuration, with what they need besides.
READING = [
    "check",
    "check --offline",
    "show",
    "providers",
    "providers vector_store --json",
    "graph",
    "get vector_store/default v1",
    "find vector_store/default",
    "search vector_store/default v1",
    "stats",
    "export vector_store/default",
    "import vector_store/default lines --merge",
]
# Those that read two.
COMPARING = ["migrate --from a --to b --merge", "show --diff a b"]
WRITING = ["export vector_store/default", "graph", "schema"]


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, base in {"config": RIGHT, **WRONG}.items():
        Path(name).mkdir()
        Path(name, "base.yaml").write_text(base)
        Path(name, "a.yaml").write_text("{}")
        Path(name, "b.yaml").write_text(RIGHT.replace("path: v", "path: w") if name == "config" else "{}")
    Path("unreadable/base.yaml").mkdir(parents=True)
    Path("unreadable/a.yaml").write_text("{}")
    Path("unreadable/b.yaml").write_text("{}")
    Path("a-file").touch()

    async def fill() -> None:
        async with ServiceRegistry.from_config(config_dir="config") as registry:
            await registry.vector_store().add_many([("v1", [1.0, 2.0], None), ("v2", [2.0, 1.0], None)])

    asyncio.run(fill())
    assert main(["export", "vector_store", "--config-dir", "config", "--output", "lines"]) == 0


def status(command: str, *arguments: str) -> int:
    return main([*command.split(), *arguments])


@pytest.mark.parametrize("command", [*READING, *COMPARING])
def test_nothing_wrong_is_status_0(command: str) -> None:
    assert status(command, "--config-dir", "config") == 0


@pytest.mark.parametrize("command", READING)
def test_an_unknown_environment_is_status_1(command: str) -> None:
    assert status(command, "--config-dir", "config", "--env", "nowhere") == 1


@pytest.mark.parametrize("command", ["migrate --from a --to nowhere", "show --diff nowhere a"])
def test_an_unknown_environment_of_two_is_status_1(command: str) -> None:
    assert status(command, "--config-dir", "config") == 1


@pytest.mark.parametrize("command", [*READING, *COMPARING])
@pytest.mark.parametrize("directory", [*WRONG, "unreadable", "nowhere", "a-file"])
def test_a_configuration_that_is_wrong_or_cannot_be_read_is_status_1_and_named(
    command: str, directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(command, "--config-dir", directory) == 1
    printed = capsys.readouterr()
    assert directory in printed.out + printed.err


def test_a_missing_extra_is_status_1_with_what_to_install() -> None:
    options = {"provider": "postgres", "options": {"dsn": "postgresql://localhost/x"}}
    Path("config/base.yaml").write_text(json.dumps({"vector_stores": {"default": options}}))
    Path("config/b.yaml").write_text("{}")
    commands = [*READING, *COMPARING, "providers vector_store postgres"]
    code = f"""
import sys
sys.modules["asyncpg"] = None
sys.stderr = sys.stdout
from symphony_registry.cli import main
for command in {commands}:
    print("$", main(command.split()))
"""
    environment = {**os.environ, "SYMPHONY_REGISTRY_CONFIG_DIR": "config"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    *answers, rest = re.split(r"\$ (?=\d\n)", done.stdout)
    statuses = [*(each[0] for each in answers[1:]), rest[0]]
    assert dict(zip(commands, statuses, strict=True)) == dict.fromkeys(commands, "1")
    silent = [name for name, each in zip(commands, answers, strict=True) if "symphony-registry[postgres]" not in each]
    assert silent == []


@pytest.mark.parametrize("store", ["vector_store/nobody", "nothing"])
@pytest.mark.parametrize(
    "command",
    [
        "get {} v1",
        "find {}",
        "search {} v1",
        "stats {}",
        "export {}",
        "import {} lines",
        "migrate --from a --to b --only {}",
        "migrate --from a --to b --except {}",
    ],
)
def test_an_unknown_store_is_status_2(command: str, store: str) -> None:
    assert status(command.format(store), "--config-dir", "config") == 2


@pytest.mark.parametrize("command", ["providers vector_store memroy", "init new --provider memroy"])
def test_an_unknown_provider_is_status_2_with_the_nearest(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(command) == 2
    assert 'Did you mean "memory"?' in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("file", ["nowhere", "config"])
@pytest.mark.parametrize("option", ["", "--from-symphony"])
def test_a_file_that_cannot_be_read_is_status_1_and_named(
    file: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(f"import vector_store/default {option}", file, "--config-dir", "config") == 1
    assert file in capsys.readouterr().err


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("file", ["nowhere/new", "a-file/new", "unreadable"])
def test_a_file_that_cannot_be_written_is_status_1_and_named(
    command: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYMPHONY_REGISTRY_CONFIG_DIR", "config")
    assert status(command, "--output", file) == 1
    assert file in capsys.readouterr().err


@pytest.mark.parametrize("directory", ["a-file", "a-file/new"])
def test_init_where_a_file_is_in_the_way_is_status_1_and_named(
    directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("init --provider file", directory) == 1
    assert capsys.readouterr().err.startswith("error: a-file")
