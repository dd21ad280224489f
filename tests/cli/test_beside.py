"""Commands that read file stores which an application has open."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.cli import main
from symphony_registry.providers.embedded.journal import Journal


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A configuration with one store, which somebody else has open."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/base.yaml").write_text("vector_stores: {default: {provider: file, options: {path: data}}}\n")

    async def fill() -> None:
        async with FileVectorStore("data") as store:
            await store.add("a", [1.0, 2.0])

    asyncio.run(fill())
    with closing(Journal(tmp_path / "data", "vector_store")):
        yield


NOTE = "An application has it open: what it had stored by now was read."


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("command", [["stats"], ["export", "vector_store/default"]])
def test_it_is_read_and_that_is_said_on_stderr(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--config-dir", "config"]) == 0
    written = capsys.readouterr()
    assert written.err == f"vector_store/default: {NOTE}\n"
    assert "dimension: 2" in written.out or '{"id":"a","vector":[1.0,2.0],"metadata":{}}' in written.out


@pytest.mark.usefixtures("used")
def test_check_says_so_below_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config-dir", "config"]) == 0
    assert f"\n    {NOTE}\n" in capsys.readouterr().out
    assert main(["check", "--config-dir", "config", "--json"]) == 0
    rows = {row["type"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["vector_store"]["status"], rows["vector_store"]["note"]) == ("ok", NOTE)
    assert rows["vector_store"]["items"] == {"vectors": 1}


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("command", ["import {} lines --merge", "delete {} --prefix a --yes"])
def test_what_writes_is_refused_and_says_which_store_is_locked_by_whom(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "vector_store/default", "--config-dir", "config", "-o", "lines"]) == 0
    capsys.readouterr()
    assert main([*command.format("vector_store/default").split(), "--config-dir", "config"]) == 1
    printed = capsys.readouterr().err
    assert "vector_store/default cannot be changed now. The directory" in printed
    assert "is in use by another backend of this process (pid" in printed
    assert "Stop or close that one first." in printed
    assert "read_only" not in printed


@pytest.mark.usefixtures("used")
def test_migrate_reads_its_source_beside_the_application(capsys: pytest.CaptureFixture[str]) -> None:
    for name, path in ("old", "data"), ("new", "copy"):
        stores = f"vector_stores: {{default: {{options: {{path: {path}}}}}}}\n"
        Path(f"config/{name}.yaml").write_text(stores)
    assert main(["migrate", "--from", "old", "--to", "new", "--config-dir", "config"]) == 0
    assert capsys.readouterr().err == f"vector_store/default: {NOTE}\n"


@pytest.mark.usefixtures("used")
def test_what_writes_to_a_read_only_store_that_is_not_there_hears_of_the_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["export", "vector_store/default", "--config-dir", "config", "-o", "lines"]) == 0
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__PATH", "nowhere")
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__READ_ONLY", "true")
    assert main(["import", "vector_store/default", "lines", "--config-dir", "config"]) == 1
    assert "with read_only it is not made" in capsys.readouterr().err
