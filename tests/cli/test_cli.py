"""The frame of the command: starting, helping, completing, failing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from symphony_registry.cli import main

COMMANDS = [
    "check",
    "show",
    "providers",
    "schema",
    "init",
    "graph",
    "get",
    "find",
    "count",
    "search",
    "delete",
    "migrate",
    "stats",
    "export",
    "import",
    "mcp",
]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2].split("\n  ")
    assert [line.split()[0] for line in listed if line.strip() and not line.startswith(" ")] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_plain_where_it_is_not_a_terminal(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Usage: symphony-registry {command}")
    assert printed.isascii()


def test_help_loads_no_provider_and_no_driver() -> None:
    code = """
import sys
from symphony_registry.cli import main
assert main(["--help"]) == 0
print([name for name in sys.modules if name.rpartition(".")[2] in ("memory", "file", "journal", "asyncpg")])
"""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("symphony-registry ")


@pytest.mark.parametrize(
    "arguments", [["chekc"], ["check", "--enviroment", "x"], ["providers", "vector"], ["init", "a", "b"]]
)
def test_misuse_is_status_2_and_no_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Usage: " in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--config-dir", "nowhere"],
        ["graph", "--config-dir", "nowhere"],
        ["check", "--config-dir", "nowhere"],
        ["schema", "--output", "nowhere/schema.json"],
    ],
)
def test_a_problem_is_status_1_with_what_failed_and_no_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "nowhere" in printed.err


def test_without_its_libraries_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["typer"] = None
from symphony_registry.cli import main
sys.exit(main([]))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "typer is not installed: pip install 'symphony-registry[cli]'\n"


def piped(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command through a shell."""
    command = f"{sys.executable} -m symphony_registry {' '.join(arguments)}"
    return subprocess.run(
        command, shell=True, env={**os.environ, **variables}, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("command", ["show", "stats --json", "export vector_store", "providers"])
def test_an_output_that_is_full_is_one_error(command: str, tmp_path: Path) -> None:
    options = json.dumps({"provider": "file", "options": {"path": str(tmp_path / "store")}})
    (tmp_path / "base.yaml").write_text(f"vector_stores: {{default: {options}}}")
    assert main(["check", "--config-dir", str(tmp_path)]) == 0  # which makes the store
    done = piped(command, "> /dev/full", SYMPHONY_REGISTRY_CONFIG_DIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device.\n")


def test_an_output_that_is_closed_is_one_error() -> None:
    done = piped("show", ">&-")
    assert (done.returncode, done.stderr) == (1, "error: standard output is closed.\n")


def test_a_name_that_the_output_cannot_spell_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("vector_stores: {ü: {provider: memory}}")
    variables = {"SYMPHONY_REGISTRY_CONFIG_DIR": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    assert r"vector_stores.\xfc.provider" in piped("show", **variables).stdout
    settings = json.loads(piped("show --json", **variables).stdout)["settings"]
    assert "vector_stores.ü.provider" in [each["key"] for each in settings]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("show --diff ", "production"),
        ("stats vector_store/", "vector_store/default"),
        ("export ", "vector_store/default"),
        ("migrate --from production --only ", "checkpoint_store/default"),
        ("providers vector_store m", "memory"),
        ("init --provider f", "file"),
    ],
)
def test_names_are_completed_from_the_files_in_the_working_directory(
    words: str, completed: str, tmp_path: Path
) -> None:
    main(["init", str(tmp_path / "config"), "--provider", "file"])
    typed = f"symphony-registry {words}"
    variables = {"_TYPER_COMPLETE_ARGS": typed, "_SYMPHONY_REGISTRY_COMPLETE": "complete_zsh"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("symphony-registry"))],
        cwd=tmp_path,
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_environments_are_completed_from_the_directory(shell: str, tmp_path: Path) -> None:
    for name in ("base", "local", "staging", "production"):
        (tmp_path / f"{name}.yaml").write_text("{}")
    words = f"symphony-registry check --config-dir {tmp_path} --env "
    variables = {
        "COMP_WORDS": words,
        "COMP_CWORD": "5",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("symphony-registry"))],
        env={**os.environ, **variables, "_SYMPHONY_REGISTRY_COMPLETE": f"complete_{shell}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "production" in done.stdout
    assert "staging" in done.stdout
    assert "base" not in done.stdout


def test_a_class_in_the_working_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(
        "from symphony_registry.backends.vector_store import InMemoryVectorStore as Store"
    )
    (tmp_path / "base.yaml").write_text("vector_stores: {default: {provider: 'application:Store'}}")
    command = Path(sys.executable).with_name("symphony-registry")
    done = subprocess.run([command, "check", "--config-dir", "."], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0
