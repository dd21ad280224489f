"""`symphony-registry check`: all that is wrong in one run, each in its row, with its place."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.cli import main
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lock import DirectoryLock

MISTAKES = """\
vector_stores:
  right: {provider: memory}
  misspelt:
    provider: memory
    options:
      dimnsion: 3
  unknown:
    provider: memroy
  driverless:
    provider: broken_provider:Store
  mistyped:
    provider: memory
    options:
      dimension: many
  doubled:
    provider: memory
    provider: file
  unset:
    provider: file
    options:
      path: ${NOBODY_SETS_THIS}/vectors
  unreachable:
    provider: postgres
    options:
      {dsn: "postgresql://me:hidden@127.0.0.1:1/nowhere", connect_timeout: 0.2}
  locked:
    provider: file
    options:
      path: locked
  dimension:
    provider: file
    options:
      path: three
      dimension: 4
checkpoint_stores:
  right: {provider: file, options: {path: checkpoints}}
"""

PROVIDERS = {
    "broken_provider": "import driver_that_is_missing",
}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "config").mkdir()
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run `check --json` over config/ and return the exit status and the rows, by name."""
    status = main(["check", "--config-dir", "config", "--json", *arguments])
    rows = json.loads(capsys.readouterr().out)
    return status, {f"{row['type']}/{row['name']}".removeprefix("vector_store/"): row for row in rows}


def write(directory: Path, text: str) -> None:
    (directory / "config" / "base.yaml").write_text(text)


@pytest.fixture
def ten_mistakes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(directory, MISTAKES)
    for name, text in PROVIDERS.items():
        (directory / f"{name}.py").write_text(text)

    async def store_three_numbers() -> None:
        async with FileVectorStore({"path": "three"}) as store:
            await store.add("a", [1.0, 2.0, 3.0])

    asyncio.run(store_three_numbers())
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORE__RIGHT__PROVIDER", "file")
    (directory / "locked").mkdir()
    return directory


def test_ten_mistakes_are_ten_rows_with_their_places_in_one_run(
    ten_mistakes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Directory(ten_mistakes / "locked") as directory, DirectoryLock.acquire(directory):
        status, rows = checked(capsys)
    assert status == 1
    expected = {
        "misspelt": ("config/base.yaml:6", 'Did you mean "dimension"?'),
        "unknown": ("config/base.yaml:8", 'Did you mean "memory"?'),
        "driverless": ("config/base.yaml:10", "needs the module driver_that_is_missing, which is not installed"),
        "mistyped": ("config/base.yaml:14", "should be a valid integer"),
        "doubled": ("config/base.yaml:17", "this key is already in line 16"),
        "unset": ("config/base.yaml:21", "the variable NOBODY_SETS_THIS is not set. Set it, or write"),
        "unreachable": ("config/base.yaml:25", "PostgreSQL at 127.0.0.1:1, database nowhere: it cannot be reached"),
        "locked": ("config/base.yaml:29", "is in use by"),
        "dimension": ("config/base.yaml:34", "The option dimension is 4, but what is stored has dimension 3."),
        "None/": ("$SYMPHONY_REGISTRY_VECTOR_STORE__RIGHT__PROVIDER", "there is no such setting. Did you mean"),
    }
    wrong = {name: row for name, row in rows.items() if row["problems"]}
    assert wrong.keys() == expected.keys()
    for name, (place, message) in expected.items():
        (found,) = [each for each in wrong[name]["problems"] if message in each["message"]]
        assert found["place"] == place
    assert {name for name, row in rows.items() if row["status"] == "ok"} == {"right", "checkpoint_store/right"}


def test_a_row_for_people_has_its_problems_under_it_and_no_line_is_cut(
    ten_mistakes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config-dir", "config"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    row = next(line for line in lines if " misspelt " in line)
    assert row.split() == ["vector_store", "misspelt", "memory", "invalid", "-", "-", "-"]
    assert lines[lines.index(row) + 1] == (
        '    config/base.yaml:6: vector_stores.misspelt.options.dimnsion: there is no option "dimnsion" of the '
        'provider memory. Did you mean "dimension"? Known: dimension, ef_construction, ef_search, index, m, metric.'
    )
    assert "\x1b" not in printed.out
    assert printed.err == ""
    assert ten_mistakes.name not in printed.out


def test_offline_opens_nothing(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "vector_stores: {default: {provider: file, options: {path: vectors}}}")
    status, rows = checked(capsys, "--offline")
    assert (status, rows["default"]["status"]) == (0, "valid")
    assert not (directory / "vectors").exists()


@pytest.mark.parametrize("arguments", [[], ["--offline"]])
def test_an_option_whose_extra_is_missing_is_wrong_offline_too(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    write(
        directory,
        """
        vector_stores:
          default:
            provider: memory
            options:
              index: hnsw
        """,
    )
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    status, rows = checked(capsys, *arguments)
    (problem,) = rows["default"]["problems"]
    assert (status, rows["default"]["status"]) == (1, "invalid")
    assert problem["place"] == "config/base.yaml:6"
    assert "pip install 'symphony-registry[hnsw]'" in problem["message"]
    assert "SYMPHONY_REGISTRY_VECTOR_STORES__<NAME>__OPTIONS__INDEX=none" in problem["message"]
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__INDEX", "none")
    assert checked(capsys, *arguments)[0] == 0


def test_a_row_has_the_engine_and_the_items(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        directory,
        """
        vector_stores: {default: {provider: file, options: {path: three}}}
        knowledge_graphs: {default: {provider: "tests.helpers.plain:DictGraph"}, full: {provider: memory}}
        """,
    )

    async def fill() -> None:
        async with FileVectorStore({"path": "three"}) as store:
            await store.add("a", [1.0])

    asyncio.run(fill())
    status, rows = checked(capsys)
    assert status == 0
    assert rows["default"]["items"] == {"vectors": 1}
    assert rows["default"]["engine"].startswith("symphony-registry ")
    assert rows["knowledge_graph/full"]["items"] == {"entities": 0, "relations": 0}
    unable = rows["knowledge_graph/default"]  # it cannot list its entities
    assert (unable["items"], unable["engine"]) == ({}, "tests")


def test_a_backend_that_hangs_is_a_timeout_and_holds_nobody_up(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "hanging_provider.py").write_text(
        """
import asyncio
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Opens(InMemoryVectorStore):
    async def connect(self):
        await asyncio.Event().wait()

class Answers(InMemoryVectorStore):
    async def health_check(self):
        await asyncio.Event().wait()

class Counts(InMemoryVectorStore):
    async def count(self, metadata_filter=None):
        await asyncio.Event().wait()
"""
    )
    write(
        directory,
        """
        timeouts: {open: 0.01, health: 0.01}
        vector_stores:
          opens: {provider: "hanging_provider:Opens"}
          answers: {provider: "hanging_provider:Answers"}
          counts: {provider: "hanging_provider:Counts"}
          right: {provider: memory}
        """,
    )
    status, rows = checked(capsys)
    assert status == 1
    assert {name: row["status"] for name, row in rows.items()} == {
        "opens": "timeout",
        "answers": "timeout",
        "counts": "ok",
        "right": "ok",
    }
    assert rows["counts"]["items"] == {}
    assert "did not open within 0.01 s" in rows["opens"]["problems"][0]["message"]


def test_what_a_driver_writes_is_not_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "leaking_provider.py").write_text(
        """
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Opens(InMemoryVectorStore):
    async def connect(self):
        raise OSError("hunter2")

class Counts(InMemoryVectorStore):
    async def count(self, metadata_filter=None):
        raise OSError("hunter2")

class Answers(InMemoryVectorStore):
    async def health_check(self):
        raise OSError("hunter2")

class Closes(InMemoryVectorStore):
    async def disconnect(self):
        raise OSError("hunter2")

class Begins(InMemoryVectorStore):
    def __init__(self, config=None):
        raise OSError("hunter2")

class Bug(InMemoryVectorStore):
    async def connect(self):
        self.hunter2
"""
    )
    write(
        directory,
        """
        vector_stores:
          opens: {provider: "leaking_provider:Opens"}
          counts: {provider: "leaking_provider:Counts"}
          answers: {provider: "leaking_provider:Answers"}
          closes: {provider: "leaking_provider:Closes"}
          begins: {provider: "leaking_provider:Begins"}
          bug: {provider: "leaking_provider:Bug"}
          url: {provider: "postgresql://u:hunter2@h/d"}
        """,
    )
    assert main(["check", "--config-dir", "config"]) == 1
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert printed.out.count("OSError. Its text may hold a secret: only a traceback in Python shows it.") == 5
    assert printed.out.count("AttributeError. Its text may hold a secret") == 1
    assert 'The vector_store "closes" (Closes) did not close: OSError.' in printed.out
    assert 'The vector_store "bug" (Bug) could not be opened: AttributeError.' in printed.out
    assert 'The vector_store "begins" could not be built: OSError.' in printed.out


def test_a_wrong_timeout_is_a_row_and_the_default_holds(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "timeouts: {open: soon}\nvector_stores: {right: {provider: memory}}")
    status, rows = checked(capsys)
    assert status == 1
    assert rows["None/timeouts.open"]["problems"][0]["place"] == "config/base.yaml:1"
    assert rows["right"]["status"] == "ok"


def test_an_environment_that_does_not_exist_is_one_error(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "{}")
    (directory / "config" / "production.yaml").write_text("{}")
    assert main(["check", "--config-dir", "config", "--env", "prodction"]) == 1
    assert 'Did you mean "production"?' in capsys.readouterr().err


def test_a_name_with_a_line_end_is_one_row(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, 'vector_stores: {"a\\nb\\e[31m": {provider: memroy}}')
    assert main(["check", "--config-dir", "config"]) == 1
    row, problem = capsys.readouterr().out.splitlines()[2:4]
    assert r"a\nb\x1b[31m" in row
    assert problem.startswith("    config/base.yaml:1: ")


def test_a_name_that_no_backend_can_have_is_wrong_offline_too(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(directory, 'vector_stores: {"": {provider: memory}}')
    status, rows = checked(capsys, "--offline")
    assert (status, rows[""]["status"]) == (1, "invalid")
    assert "name of a backend is empty" in rows[""]["problems"][0]["message"]


def test_no_backend_at_all_is_not_called_right(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(directory, "vector_stores:\n#  default: {provider: memory}\n")
    assert main(["check", "--config-dir", "config"]) == 0
    assert capsys.readouterr().out.endswith("No backend is configured.\n")


def test_in_a_narrow_terminal_only_the_widest_column_is_cut(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(directory, "vector_stores: {default: {provider: memory}}\ncheckpoint_stores: {default: {provider: memory}}")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["check", "--config-dir", "config"]) == 0
    words = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert re.search(r"^TYPE +NAME +PROVIDER +STATUS +LATENCY +ENGINE +ITEMS$", words, re.MULTILINE)
    assert re.search(r"^checkpoint_store default memory +ok +[\d.]+ ms symphony\S*… +0$", words, re.MULTILINE)


@pytest.mark.parametrize("command", ["check", "show"])
def test_files_that_nobody_asked_for_are_worth_a_warning(
    command: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(directory, "{}")
    assert main([command, "--json"]) == 0
    assert capsys.readouterr().err.startswith("warning: config/base.yaml is not read, since no environment")
    assert main([command, "--config-dir", "config"]) == 0
    assert capsys.readouterr().err == ""


def test_two_file_stores_in_one_directory_are_wrong_offline_too(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = "{provider: file, options: {path: %s}}"
    write(directory, f"vector_stores: {{a: {store % 'data'}, b: {store % './data'}}}")
    status, rows = checked(capsys, "--offline")
    assert (status, rows["a"]["status"], rows["b"]["status"]) == (1, "valid", "invalid")
    assert "each needs a place of its own" in rows["b"]["problems"][0]["message"]


def test_no_color_means_no_escape_sequence_at_all(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(directory, "vector_stores: {default: {provider: memory}}")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["check", "--config-dir", "config"]) == 0
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["check", "--config-dir", "config"]) == 0
    assert "\x1b[" not in capsys.readouterr().out
