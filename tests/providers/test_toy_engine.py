"""The engine that `docs/write-an-engine.md` explains keeps the contract, also when its server does not answer."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from toy_engine.engine import ToyCheckpointStore, ToyVectorStore

from symphony_registry.errors import BackendTimeoutError, BackendUnavailableError
from symphony_registry.testing import CheckpointStoreConformance, KnowledgeGraphConformance, VectorStoreConformance

ROOT = Path(__file__).parent.parent.parent
ENGINE = ROOT / "examples/toy_engine"

_numbers = count(1)


def start(log: Path, port: int = 0) -> "tuple[subprocess.Popen[str], int]":
    """Start a server; return it and its port."""
    command = [sys.executable, str(ENGINE / "server.py"), str(log), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


def kill(server: "subprocess.Popen[str]") -> None:
    server.kill()
    server.communicate()


@pytest.fixture(scope="module")
def toy_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server, port = start(tmp_path_factory.mktemp("toy") / "log")
    yield port
    kill(server)


class OnToyServer:
    """What the three have in common: a server, and tables of its own for each store."""

    @pytest.fixture(autouse=True)
    def _server(self, toy_port: int) -> None:
        self._port = toy_port

    def options(self, tmp_path: Path) -> dict[str, Any]:
        return {"port": self._port, "prefix": f"{next(_numbers)}."}


class TestToyVectorStore(OnToyServer, VectorStoreConformance):
    provider = "toy_engine.engine:ToyVectorStore"


class TestToyKnowledgeGraph(OnToyServer, KnowledgeGraphConformance):
    provider = "toy_engine.engine:ToyKnowledgeGraph"


class TestToyCheckpointStore(OnToyServer, CheckpointStoreConformance):
    provider = "toy_engine.engine:ToyCheckpointStore"


async def test_an_operation_waits_for_a_server_that_is_killed_and_comes_back_with_what_was_written(
    tmp_path: Path,
) -> None:
    server, port = start(tmp_path / "log")
    try:
        async with ToyCheckpointStore({"port": port, "timeout": 60}) as store:
            await store.save_checkpoint("a", {"step": 1})
            kill(server)
            with (tmp_path / "log").open("ab") as log:
                log.write(b'["default.checkpoint_store", "pu')  # the kill interrupted it
            assert await store.health_check() is False
            reading = asyncio.ensure_future(store.get_checkpoint("a"))
            server, _ = await asyncio.to_thread(start, tmp_path / "log", port)
            found = await reading
            assert found is not None
            assert found["data"] == {"step": 1}
            await store.save_checkpoint("b", {})
            kill(server)
            server, _ = await asyncio.to_thread(start, tmp_path / "log", port)
            assert await store.count() == 2
    finally:
        kill(server)


@asynccontextmanager
async def listening(*, hangs_up: bool) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Take lines, then hang up or keep silent; yield the port, and the lines."""
    lines: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        if not hangs_up:
            await done.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], lines
        done.set()


async def test_what_may_be_sent_twice_is_and_a_deletion_is_not() -> None:
    async with listening(hangs_up=True) as (port, lines), ToyVectorStore({"port": port, "timeout": 0.2}) as store:
        with pytest.raises(BackendUnavailableError) as reading:
            await store.get("a")
        assert len([line for line in lines if b"read" in line]) > 1
        with pytest.raises(BackendUnavailableError) as writing:
            await store.add("a", [1.0])
        assert len([line for line in lines if b"put" in line]) > 1
        with pytest.raises(BackendUnavailableError) as deleting:
            await store.delete("a")
        assert len([line for line in lines if b"delete" in line]) == 1
    message = f'The vector_store "default" (ToyVectorStore): the toy server at 127.0.0.1:{port}: it cannot be reached'
    for error, written in ((reading, False), (writing, True), (deleting, True)):
        assert str(error.value).startswith(message)
        assert ("The write may have been made." in str(error.value)) is written
        assert error.value.options == ("port", "host")
        assert isinstance(error.value.__cause__, EOFError)


async def test_a_server_that_does_not_answer_is_not_asked_again() -> None:
    async with listening(hangs_up=False) as (port, lines), ToyVectorStore({"port": port, "timeout": 0.05}) as store:
        with pytest.raises(BackendTimeoutError, match="did not answer in time"):
            await store.get("a")
        assert len([line for line in lines if line]) == 1


async def test_a_backend_does_not_open_where_there_is_no_server(unused_tcp_port: int) -> None:
    store = ToyVectorStore({"port": unused_tcp_port, "timeout": 0.1})
    with pytest.raises(BackendUnavailableError, match="Check that the server runs") as caught:
        await store.connect()
    assert "write" not in str(caught.value)
    assert not store.is_open


def test_what_the_page_shows_of_the_engine_is_the_engine() -> None:
    page = (ROOT / "docs/write-an-engine.md").read_text()
    files = [*ENGINE.glob("*.py"), Path(__file__), ROOT / "pyproject.toml"]
    code = [file.read_text() for file in files]
    shown = re.findall(r"^```python\n((?:class|async def|def) .*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) > 5
    assert [block for block in shown if not any(block in each for each in code)] == []
