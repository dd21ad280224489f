"""The examples run, and the quickstart answers the same whatever the configuration."""

import asyncio
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.postgres_server import Server, execute
from tests.helpers.redis_server import running_server
from tests.helpers.servers import given

ROOT = Path(__file__).parent.parent


def run(script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, f"examples/{script}"],
        cwd=ROOT,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
    )


def test_the_quickstart_gives_the_same_answers_for_memory_files_and_a_custom_provider(tmp_path: Path) -> None:
    memory = run("quickstart.py", SYMPHONY_REGISTRY_ENV="test")
    assert "encrypt email" in memory.stdout
    assert len(memory.stdout.splitlines()) > 80
    files = {"SYMPHONY_REGISTRY_ENV": "development", "SYMPHONY_DATA_DIR": str(tmp_path / "data")}
    first = run("quickstart.py", **files)
    second = run("quickstart.py", **files)
    custom = run("quickstart.py", SYMPHONY_REGISTRY_CONFIG_DIR="examples/config_custom")
    assert first.stdout == second.stdout == custom.stdout == memory.stdout
    assert "answers: 0 of 15 there already" in first.stderr
    assert "answers: 15 of 15 there already" in second.stderr


async def test_the_quickstart_gives_the_same_answers_in_postgresql(server: Server) -> None:
    await execute(server.url, "CREATE DATABASE quickstart")
    url = server.tcp_url(database="quickstart")
    await asyncio.to_thread(answers_alike, SYMPHONY_REGISTRY_ENV="production", DATABASE_URL=url)


def test_the_quickstart_gives_the_same_answers_in_redis() -> None:
    for redis in given(running_server()):
        answers_alike(SYMPHONY_REGISTRY_ENV="production-redis", REDIS_URL=redis.url)


def answers_alike(**production: str) -> None:
    """Run the quickstart twice, on what is empty at first."""
    memory = run("quickstart.py", SYMPHONY_REGISTRY_ENV="test")
    first = run("quickstart.py", **production)
    second = run("quickstart.py", **production)
    assert first.stdout == second.stdout == memory.stdout
    assert "answers: 0 of 15 there already" in first.stderr
    assert "answers: 15 of 15 there already" in second.stderr


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("larger_application.py", "Naima by John Coltrane\n"),
        ("custom_provider.py", None),
        ("script.py", None),
        (
            "symphony_application.py",
            "open: ['Read the report']\n"
            "states: ['checkpoints/1/manifest.json', 'checkpoints/latest.txt'] b'1'\n"
            "remembered: ['the customer wants short sentences']\n",
        ),
    ],
)
def test_an_example_runs(script: str, expected: str | None) -> None:
    printed = run(script).stdout
    assert printed
    if expected is not None:
        assert printed == expected


def test_the_larger_application_keeps_its_named_stores_in_files_too(tmp_path: Path) -> None:
    files = {"SYMPHONY_REGISTRY_ENV": "development", "SYMPHONY_DATA_DIR": str(tmp_path)}
    assert run("larger_application.py", **files).stdout == "Naima by John Coltrane\n"
    assert {path.name for path in tmp_path.iterdir()} == {"artists", "liked-songs", "songs"}


def test_a_script_without_await_finds_in_files_what_an_earlier_run_has_stored(tmp_path: Path) -> None:
    files = {"SYMPHONY_REGISTRY_ENV": "development", "SYMPHONY_DATA_DIR": str(tmp_path)}
    first = run("script.py", **files)
    assert "strong chess engine" in first.stdout
    assert run("script.py", **files).stdout == first.stdout


async def test_the_cells_of_the_notebook_run_in_an_event_loop_and_print_what_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT / "examples")
    monkeypatch.setattr("sys.ps1", "In : ", raising=False)  # as IPython does
    cells = json.loads(Path("notebook.ipynb").read_text())["cells"]
    namespace: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            with redirect_stdout(io.StringIO()) as printed:
                exec("".join(cell["source"]), namespace)
            shown = [line for output in cell["outputs"] for line in output["text"]]
            assert printed.getvalue() == "".join(shown)
