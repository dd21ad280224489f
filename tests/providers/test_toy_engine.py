"""The toy engine of `docs/write-an-engine.md` passes the conformance kit, over a server in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.testing import CheckpointStoreConformance, KnowledgeGraphConformance, VectorStoreConformance

SERVER = Path(__file__).parents[2] / "examples" / "toy_engine" / "server.py"


@pytest.fixture(scope="session")
def toy_port() -> Iterator[int]:
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


class OnToy:
    """What the three have in common."""

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
