"""Executes the examples in README, docs and docstrings, one event loop for each document."""

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.rest import DocTestParser
from xdist.scheduler import LoadScopeScheduling

from symphony_registry import ServiceRegistry, VectorStoreBackend
from symphony_registry.backends.lookup import PROVIDERS
from symphony_registry.backends.options import UnknownOptionWarning
from symphony_registry.settings.loading import LayeredSettings


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # nor is its parent
        return False


_FRAMEWORKS = {  # by module: the folder of its integration
    "agents": "openai_agents",
    "dramatiq": "web",
    "fastapi": "web",
    "haystack": "haystack",
    "langchain_core": "langchain",
    "langgraph.graph": "langgraph",
    "litestar": "web",
    "llama_index": "llama_index",
    "mcp": "mcp",
}
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")  # else pipelines report home
_MISSING = [name for name in _FRAMEWORKS if not _is_installed(name)]
collect_ignore = [
    path
    for folder in {_FRAMEWORKS[name] for name in _MISSING}
    for path in (
        f"tests/integrations/{folder}",
        f"symphony_registry/integrations/{folder}",
        f"docs/integrations/{folder.replace('_', '-')}.md",
    )
]


def pytest_report_header() -> str | None:
    """Say what is not tested."""
    if not _MISSING:
        return None
    return f"integrations: left out, since not installed: {', '.join(_MISSING)} (pip install -e '.[frameworks]')"


def start(namespace: dict[str, Any]) -> None:
    """Give a document its event loop, its own registrations of providers, and the framework's path as at first."""
    namespace["_runner"] = asyncio.Runner()
    namespace["_registered"] = dict(PROVIDERS._registered)
    namespace["_finders"] = list(sys.meta_path)
    _forget_framework()


def stop(namespace: dict[str, Any]) -> None:
    """Close what a document has left open, and forget its registry and its providers."""
    if "_home" in namespace:
        namespace.pop("_home").cleanup()
    runner = namespace.pop("_runner")
    runner.run(_shut_down())
    runner.close()
    PROVIDERS._registered = namespace.pop("_registered")
    sys.meta_path[:] = namespace.pop("_finders")
    _forget_framework()


def _forget_framework() -> None:
    """Let what is `symphony.core.registry` be found again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "symphony"]:
        del sys.modules[name]


async def _shut_down() -> None:
    await ServiceRegistry.get_instance().shutdown()
    ServiceRegistry.reset_instance()


def run_python(example: Example) -> None:
    """Run a block of Python, in which `await` stands as in an async function."""
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
    code = compile(source, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownOptionWarning)  # the documentation shows an option that nobody knows
        result = eval(code, example.namespace)  # noqa: S307 - our own documentation
        if inspect.isawaitable(result):
            example.namespace["_runner"].run(_wait(result))


async def _wait(awaitable: Any) -> None:
    await awaitable


def load_yaml(example: Example) -> None:
    """Load a block of YAML as a configuration file; what it refers to is provided."""
    stores = ModuleType("my_package.stores")
    vars(stores).update(MyStore=type("MyStore", (VectorStoreBackend,), {}), __path__=[])
    sys.modules.update({"my_package": stores, "my_package.stores": stores})
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "base.yaml").write_text(example.parsed)
        (Path(directory) / "secrets").mkdir()
        (Path(directory) / "secrets" / "password").write_text("secret\n")
        with patch.dict(os.environ, DATABASE_URL="postgresql://user:password@host/database"):
            settings = LayeredSettings(config_dir=Path(directory))
    assert settings.vector_stores or settings.knowledge_graphs or settings.checkpoint_stores


def run_session(example: Example) -> None:
    """Run the commands of a terminal session in a directory of the document's own, and compare what they print.

    How long something took is not compared, nor how wide a column is.
    """
    if "_home" not in example.namespace:
        example.namespace["_home"] = tempfile.TemporaryDirectory()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SYMPHONY_")}
    commands = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    for part in f"\n{example.parsed}".split("\n$ ")[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(  # noqa: S602 - our own documentation
            command,
            check=False,
            shell=True,
            cwd=example.namespace["_home"].name,
            env={**variables, "PATH": commands},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert _comparable(done.stdout) == _comparable(expected), f"$ {command}\n{done.stdout}"


def _comparable(printed: str) -> list[str]:
    return [" ".join(re.sub(r"[\d.]+ (?=ms|s)", "N ", line).split()) for line in printed.strip().splitlines()]


_documents = Sybil(
    parsers=[
        CodeBlockParser(language="python", evaluator=run_python),
        CodeBlockParser(language="yaml", evaluator=load_yaml),
        CodeBlockParser(language="console", evaluator=run_session),
    ],
    patterns=["*.md"],
    setup=start,
    teardown=stop,
)
_docstrings = Sybil(
    parsers=[CodeBlockParser(language="python", evaluator=run_python), DocTestParser()],
    path="symphony_registry",
    patterns=["*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=start,
    teardown=stop,
)
pytest_collect_file = (_documents + _docstrings).pytest()


class OneByOne(LoadScopeScheduling):
    """Hands tests to the workers one by one, and the examples of a document together: they build on each other.

    Groups that are marked (`--dist=loadgroup`) do not work with pytest 9.2: pytest-xdist#1386.
    """

    def _split_scope(self, nodeid: str) -> str:
        document, example, _ = nodeid.partition("::line:")
        return document if example else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne:
    """Choose who runs what."""
    return OneByOne(config, log)
