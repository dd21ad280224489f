"""`symphony-registry mcp`, started by an agent's client."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from symphony_registry import ServiceRegistry
from symphony_registry.cli import main
from tests.integrations.mcp.conftest import Agent

ROOT = Path(__file__).parents[3]
CONFIG = """
vector_stores: {default: {provider: file, options: {path: data/vectors}}}
checkpoint_stores: {default: {provider: file, options: {path: data/checkpoints}}}
"""
CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
EMBED = """
import asyncio, sys

async def embed(text):
    if text == "wait":
        print("waiting", file=sys.stderr, flush=True)
        await asyncio.Event().wait()
    return [float(len(text)), 1.0]
"""


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "base.yaml").write_text(CONFIG)
    (tmp_path / "embedding.py").write_text(EMBED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def _command(*options: str) -> list[str]:
    return ["-m", "symphony_registry", "mcp", "--config-dir", "config", "--embed", "embedding:embed", *options]


@asynccontextmanager
async def _agent(*options: str) -> AsyncIterator[Agent]:
    server = StdioServerParameters(command=sys.executable, args=_command(*options), env=dict(os.environ))
    with Path("log").open("w") as log:  # noqa: ASYNC230
        async with Client(stdio_client(server, errlog=log)) as client:
            yield Agent(client)


async def _stored() -> int:
    """Return how many vectors there are, which only who gets the lock can tell."""
    async with ServiceRegistry.from_config(config_dir="config") as registry:
        return await registry.vector_store().count()


async def test_an_agent_starts_it_and_what_it_writes_is_kept() -> None:
    async with _agent("--allow-writes") as agent:
        await agent.call("add_text", id="a", text="abc")
        assert (await agent.call("search_by_text", text="abc"))["items"][0]["id"] == "a"
        assert "list_stores describes them" in await agent.failed("find_vectors", store="b")
    assert await _stored() == 1
    async with _agent() as agent:
        assert "add_text" not in await agent.names()
        assert await agent.call("count_vectors") == {"count": 1}


async def test_without_a_configuration_it_says_that_nothing_is_kept(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "symphony_registry", "mcp"], env=dict(os.environ)
    )
    with Path("log").open("w") as log:  # noqa: ASYNC230
        async with Client(stdio_client(server, errlog=log)) as client:
            note = (await Agent(client).call("list_stores"))["note"]
    assert "No configuration was chosen, by --config-dir" in note
    assert str(tmp_path) in note
    assert "nothing in them is kept" in note
    assert f"warning: {note}" in Path("log").read_text()
    async with _agent() as agent:
        assert "note" not in await agent.call("list_stores")
    assert "warning" not in Path("log").read_text()


async def test_the_options_limit_an_answer() -> None:
    async with ServiceRegistry.from_config(config_dir="config") as registry:
        await registry.vector_store().add_many((str(number), [1.0, 1.0], {"text": "x" * 1500}) for number in range(9))
    async with _agent("--max-items", "4") as agent:
        assert len((await agent.call("find_vectors"))["items"]) == 4
    async with _agent("--max-bytes", "4000") as agent:
        assert len((await agent.call("find_vectors"))["items"]) == 2


class Started:
    """A server whose pipes a test holds itself."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.process, self.stdin, self.stdout, self.stderr = process, process.stdin, process.stdout, process.stderr

    def send(self, **message: Any) -> None:
        self.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.send(id=1, method=method, params=params)
        result: dict[str, Any] = json.loads(await self.stdout.readline())["result"]
        return result

    async def begin(self) -> None:
        await self.ask("initialize", **CLIENT)
        self.send(method="notifications/initialized")

    async def begin_to_wait(self) -> None:
        """Write, then call what never ends."""
        await self.begin()
        await self.ask("tools/call", name="add_text", arguments={"id": "a", "text": "abc"})
        self.send(id=2, method="tools/call", params={"name": "search_by_text", "arguments": {"text": "wait"}})
        async for line in self.stderr:
            if line == b"waiting\n":
                break


@asynccontextmanager
async def _started() -> AsyncIterator[Started]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-Wd::ResourceWarning", *_command("--allow-writes"), stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield Started(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("end", ["disconnect", "SIGTERM", "SIGINT"])
async def test_however_it_ends_in_the_middle_of_a_call_its_stores_are_closed(end: str) -> None:
    async with _started() as server:
        await server.begin_to_wait()
        if end == "disconnect":
            server.stdin.close()
        else:
            server.process.send_signal(signal.Signals[end])
        assert await server.process.wait() == (130 if end == "SIGINT" else 0)
        left = await server.stdout.read()
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in left.splitlines())
        printed = await server.stderr.read()
        assert b"not closed" not in printed
        assert b"Traceback" not in printed
    assert await _stored() == 1


async def test_what_is_no_message_is_answered_and_the_next_one_too() -> None:
    async with _started() as server:
        await server.begin()
        server.stdin.write(b"no json\n\xff\xfe\n")
        assert (await server.ask("tools/call", name="count_vectors", arguments={}))["structuredContent"] == {"count": 0}
        server.stdin.close()
        assert await server.process.wait() == 0


def test_what_modules_print_that_it_imports_is_no_message() -> None:
    for name in ("registering", "embedding", "providing"):
        Path(f"{name}.py").write_text(
            f"from symphony_registry.backends.vector_store import FileVectorStore as f\nprint({name!r})\n"
        )
    Path("config/base.yaml").write_text("vector_stores: {default: {provider: 'providing:f', options: {path: data}}}")
    command = [
        "-m",
        "symphony_registry",
        "--import",
        "registering",
        "mcp",
        "--config-dir",
        "config",
        "--embed",
        "embedding:f",
    ]
    done = subprocess.run([sys.executable, *command], check=True, input="", capture_output=True, text=True)
    assert (done.stdout, set(done.stderr.split())) == ("", {"registering", "embedding", "providing"})


def test_requests_may_come_from_a_file() -> None:
    requests: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": CLIENT},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
    ]
    Path("requests").write_text("".join(json.dumps({"jsonrpc": "2.0", **each}) + "\n" for each in requests))
    with Path("requests").open() as stdin:
        printed = subprocess.run([sys.executable, *_command()], check=True, stdin=stdin, capture_output=True).stdout
    # The SDK leaves off what it has not answered when the file ends.
    assert [json.loads(line)["id"] for line in printed.splitlines()] in ([1, 2], [1])


@pytest.mark.parametrize("option", ["--embed=embedding:nothing", "--embed=no_module:f"])
def test_a_function_that_cannot_be_imported_is_named(option: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--config-dir", "config", option]) == 1
    assert f"{option.replace('=', ' ')}: it could not be imported" in capfd.readouterr().err


def test_misuse_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--http", "localhost"]) == 2
    assert "name a port" in capfd.readouterr().err
    assert main(["mcp", "--http", "0.0.0.0:8000"]) == 2
    assert "as --allow-host stores.example.org" in capfd.readouterr().err
    assert main(["mcp", "--embed", "math:pi"]) == 2
    assert "no function" in capfd.readouterr().err


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['mcp'] = None; from symphony_registry.cli import main; sys.exit(main(['mcp']))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: mcp is not installed: pip install 'symphony-registry[mcp]'\n"


def test_where_nobody_asks_it_ends() -> None:
    done = subprocess.run([sys.executable, *_command()], check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


@asynccontextmanager
async def _serving(host: str, *options: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Yield the port of a server on HTTP, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_command("--allow-writes", "--http", f"{host}:{port}", *options),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr
        await process.stderr.readuntil(b"Uvicorn running on")
        yield port, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_serves_on_http_too() -> None:
    async with _serving("127.0.0.1") as (port, process):
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            assert await Agent(client).call("count_vectors") == {"count": 0}
        process.terminate()
        assert await process.wait() == 0
    assert Path("data/vectors/journal.jsonl").read_text().rstrip().endswith('"closed":true}')


async def test_it_is_reached_by_the_names_that_are_allowed() -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}
    accept = {"Accept": "application/json, text/event-stream"}
    async with _serving("127.0.0.1", "--allow-host", "stores.test") as (port, _), httpx2.AsyncClient() as browser:
        answers = {}
        for host in (
            "stores.test",
            f"stores.test:{port}",
            f"localhost:{port}",
            "evil.test",
            f"stores.test.evil:{port}",
        ):
            for origin in ({}, {"Origin": f"http://{host}"}, {"Origin": "http://evil.test"}):
                answer = await browser.post(
                    f"http://127.0.0.1:{port}/mcp", json=body, headers={**accept, **origin, "Host": host}
                )
                answers[host, *origin.values()] = answer.status_code
    assert {key for key, code in answers.items() if code == 200} == {
        *(("stores.test",), ("stores.test", "http://stores.test"), (f"localhost:{port}",)),
        *((f"stores.test:{port}",), (f"stores.test:{port}", f"http://stores.test:{port}")),
        (f"localhost:{port}", f"http://localhost:{port}"),
    }
