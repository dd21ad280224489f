"""`import --from-symphony`, as it is typed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.cli import main
from symphony_registry.testing.expectations import assert_same
from tests.helpers.symphony_files import ITEMS, write
from tests.helpers.transfers import everything, store_of


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A directory with an environment whose stores are files and empty, beside what the framework wrote."""
    sections = {
        kind.section: {"default": {"provider": "file", "options": {"path": str(tmp_path / "new" / kind)}}}
        for kind in BackendType
    }
    (tmp_path / "new.yaml").write_text(json.dumps(sections))
    for kind in BackendType:
        write(tmp_path / "old" / kind, kind)
    return tmp_path


def imported(config: Path, *words: str | Path) -> int:
    return main(["import", *map(str, words), "--env", "new", "--config-dir", str(config)])


def held(config: Path, kind: BackendType) -> list[Any]:
    async def run() -> list[Any]:
        async with store_of(kind, "file", config / "new") as store:
            return await everything(store)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", BackendType)
def test_a_directory_of_the_framework_is_imported_and_compared(
    kind: BackendType, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = config / "old" / kind
    assert imported(config, f"{kind}/default", "--from-symphony", old) == 0
    assert f"{kind}/default is equal to {old}" in " ".join(capsys.readouterr().out.split())
    assert_same(held(config, kind), ITEMS[kind], "the store")


def test_a_directory_of_another_type_is_an_error_that_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = config / "old" / BackendType.KNOWLEDGE_GRAPH
    assert imported(config, "vector_store/default", "--from-symphony", graph) == 1
    assert "It holds a knowledge_graph." in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("words", [(), ("export.jsonl", "--from-symphony", "old")])
def test_either_a_file_or_a_directory_of_the_framework_is_named(
    words: tuple[str, ...], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(config, "vector_store/default", *words) == 2
    assert "--from-symphony DIR" in capsys.readouterr().err
