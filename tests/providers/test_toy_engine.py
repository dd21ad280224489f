"""The toy engine of `docs/write-an-engine.md` passes the conformance kit, over a server in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.testing import CheckpointStoreConformance, KnowledgeGraphConformance, VectorStoreConformance

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "examples" / "toy_engine" / "server.py"


@pytest.fixture(scope="session")
def toy_port() -> Iterator[int]:
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


class OnToy:
    """What the three have in common."""

    large = 5_000  # its server sorts what it has for each page
    numbers = count()

    @pytest.fixture(autouse=True)
    def _server(self, toy_port: int) -> None:
        self._port = toy_port

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"port": self._port, "prefix": f"{next(self.numbers)}."}


class TestToyVectorStore(OnToy, VectorStoreConformance):
    provider = "toy_engine.engine:ToyVectorStore"


class TestToyKnowledgeGraph(OnToy, KnowledgeGraphConformance):
    provider = "toy_engine.engine:ToyKnowledgeGraph"


class TestToyCheckpointStore(OnToy, CheckpointStoreConformance):
    provider = "toy_engine.engine:ToyCheckpointStore"


def test_the_page_shows_the_code_of_the_engine() -> None:
    blocks = re.findall(
        r"^```py\n(.*?)^```", (ROOT / "docs" / "write-an-engine.md").read_text(), re.MULTILINE | re.DOTALL
    )
    engine = (ROOT / "examples" / "toy_engine" / "engine.py").read_text()
    shown = [block for block in blocks if not block.startswith(("Product(", "class Test"))]
    assert len(shown) == 7
    assert [block for block in shown if block not in engine] == []
    test = Path(__file__).read_text()
    assert all(block in test for block in blocks if block.startswith("class Test"))
