"""Installed beside the framework or alone, by pip, into environments of their own."""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.framework import FILES, write_wheel

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
WITHOUT_IMPORTING_ANYTHING_FIRST = """
from symphony.core.registry.backends.vector_store.file import FileVectorStore
from symphony.core.registry import ServiceRegistry
import symphony.core.registry, symphony_registry
assert symphony.core.registry.ServiceRegistry is ServiceRegistry
assert issubclass(ServiceRegistry, symphony_registry.ServiceRegistry)
"""
THE_FRAMEWORKS_OWN = """
import symphony_registry, symphony
from symphony.core.registry import ServiceRegistry
assert ServiceRegistry().get_workflow_tracker() == "the framework's"
"""
INSTALLED_IN_ITS_PLACE = """
from symphony_registry.integrations.symphony import ServiceRegistry, install
install()
import symphony
from symphony.core.registry.base import ServiceRegistry as base
assert symphony.ServiceRegistry is symphony.core.ServiceRegistry is base is ServiceRegistry
"""
OF_THE_FRAMEWORK = """
from symphony import ServiceRegistry as Anything
from symphony.core.task_manager import TaskManager

task_manager: TaskManager
"""
APPLICATION = """
from symphony.core.registry import BackendType, ServiceRegistry
from symphony.core.registry.backends.checkpoint_store.file import FileCheckpointStore
from symphony.core.registry.backends.values import JSONObject
import symphony_registry


async def main(document: JSONObject) -> None:
    registry = ServiceRegistry.get_instance()
    reveal_type(registry)
    reveal_type(await registry.open_backend(BackendType.VECTOR_STORE))
    reveal_type(await registry.open_backend(BackendType.KNOWLEDGE_GRAPH))
    reveal_type(await registry.open_backend(BackendType.CHECKPOINT_STORE))
    reveal_type(FileCheckpointStore("checkpoints"))
    reveal_type(symphony_registry.ServiceRegistry.get_instance().get_backend(BackendType.VECTOR_STORE))
"""
REVEALED = [
    "symphony_registry.integrations.symphony.base.ServiceRegistry",
    "symphony_registry.backends.vector_store.base.VectorStoreBackend",
    "symphony_registry.backends.knowledge_graph.base.KnowledgeGraphBackend",
    "symphony_registry.backends.checkpoint_store.base.CheckpointStoreBackend",
    "symphony_registry.providers.embedded.checkpoints.store.FileCheckpointStore",
    "symphony_registry.backends.vector_store.base.VectorStoreBackend",
]


class Environment(NamedTuple):
    """A virtual environment that sees what ours depends on, but nothing of ours."""

    directory: Path

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    @property
    def packages(self) -> Path:
        (found,) = self.directory.glob("lib/*/site-packages")
        return found

    def pip(self, *arguments: str | Path) -> None:
        run(sys.executable, "-m", "pip", "--python", self.python, *arguments)

    def imports(self, code: str) -> None:
        """Run code in a directory where nothing is."""
        elsewhere = self.directory / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        run(self.python, "-c", code, cwd=elsewhere)

    def files(self) -> Mapping[str, bytes]:
        """Return what pip installed, except its own records."""
        return {
            str(path.relative_to(self.packages)): path.read_bytes()
            for path in self.packages.rglob("*")
            if path.is_file() and not {"__pycache__", "dependencies.pth"} & set(path.parts)
        }


def run(*command: str | Path, cwd: Path | None = None) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "MYPY"))}
    done = subprocess.run(command, check=False, cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(source: Path, directory: Path) -> Path:
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", directory, source)
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    made = Environment(tmp_path / "venv")
    dependencies = tmp_path / "dependencies"
    dependencies.mkdir()
    for directory in map(Path, sys.path):
        for entry in directory.iterdir() if directory.name == "site-packages" else ():
            link = dependencies / entry.name
            is_ours = entry.name.lower().lstrip("_").startswith(("symphony", "editable"))
            if not is_ours and entry.suffix != ".pth" and not link.exists():
                link.symlink_to(entry)
    (made.packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return made


def install(environment: Environment, how: str, wheel: Path) -> None:
    what = ["--editable", ROOT] if how == "editable" else [wheel]
    environment.pip("install", "--no-deps", "--no-index", "--no-build-isolation", *what)


def test_a_source_distribution_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=ROOT)
    (source,) = tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(build_wheel(source, tmp_path)) as built, zipfile.ZipFile(wheel) as expected:
        assert built.namelist() == expected.namelist()
        assert "symphony_registry/config/schema.json" in expected.namelist()
        assert not [name for name in expected.namelist() if name.startswith("symphony/")]


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_alone_the_frameworks_path_leads_to_it_from_any_directory(
    environment: Environment, how: str, wheel: Path
) -> None:
    install(environment, how, wheel)
    environment.imports(WITHOUT_IMPORTING_ANYTHING_FIRST)
    assert not (environment.packages / "symphony").exists()
    environment.pip("uninstall", "--yes", "symphony-registry")
    assert environment.files() == {}


@pytest.mark.parametrize("first", ["framework", "ours"])
@pytest.mark.parametrize("leaves", ["framework", "ours"])
def test_beside_the_framework_neither_breaks_the_other(
    environment: Environment, wheel: Path, tmp_path: Path, first: str, leaves: str
) -> None:
    framework = write_wheel(tmp_path)
    for name in ("framework", "ours") if first == "framework" else ("ours", "framework"):
        environment.pip("install", "--no-deps", "--no-index", framework if name == "framework" else wheel)
    assert {name: text.encode() for name, text in FILES.items()}.items() <= environment.files().items()
    environment.imports(THE_FRAMEWORKS_OWN)
    environment.imports(INSTALLED_IN_ITS_PLACE)
    if leaves == "ours":
        environment.pip("uninstall", "--yes", "symphony-registry")
        left = {name for name in environment.files() if ".dist-info" not in name}
        assert left == set(FILES)
        environment.imports(THE_FRAMEWORKS_OWN.replace("symphony_registry, ", ""))
    else:
        environment.pip("uninstall", "--yes", "symphony-core")
        environment.imports(WITHOUT_IMPORTING_ANYTHING_FIRST)


def test_the_path_file_runs_no_code_when_python_starts(environment: Environment, wheel: Path) -> None:
    install(environment, "wheel", wheel)
    (line,) = (environment.packages / "symphony_registry.pth").read_text().splitlines()
    assert line == "symphony_registry/integrations/symphony/path"
    loaded = run(environment.python, "-c", "import sys; print(*sys.modules)").split()
    assert not [name for name in loaded if name.startswith("symphony")]


@pytest.mark.parametrize("how", ["wheel", "editable", "wheel beside the framework"])
def test_mypy_finds_both_paths_and_what_the_framework_has_besides(
    environment: Environment, how: str, wheel: Path, tmp_path: Path
) -> None:
    install(environment, how, wheel)
    application = APPLICATION
    if how.endswith("framework"):
        environment.pip("install", "--no-deps", "--no-index", write_wheel(tmp_path))
        application += OF_THE_FRAMEWORK
    (tmp_path / "application.py").write_text(application)
    python = f"--python-executable={environment.python}"
    lines = run(sys.executable, "-m", "mypy", "--strict", python, "application.py", cwd=tmp_path).splitlines()
    assert [line.split('"')[1] for line in lines if "Revealed type" in line] == REVEALED
