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
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.rest import DocTestParser

from symphony_registry import ServiceRegistry, VectorStoreBackend
from symphony_registry.backends.options import UnknownOptionWarning
from symphony_registry.settings.loading import LayeredSettings


def start(namespace: dict[str, Any]) -> None:
    """Give a document its event loop."""
    namespace["_runner"] = asyncio.Runner()


def stop(namespace: dict[str, Any]) -> None:
    """Close what a document has left open, and forget its registry."""
    if "_home" in namespace:
        namespace.pop("_home").cleanup()
    runner = namespace.pop("_runner")
    runner.run(_shut_down())
    runner.close()


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


_PARSERS = [
    CodeBlockParser(language="python", evaluator=run_python),
    CodeBlockParser(language="yaml", evaluator=load_yaml),
    CodeBlockParser(language="console", evaluator=run_session),
    DocTestParser(),
]

_FOLDERS = [depth * "*/" for depth in range(5)]  # a pattern's ** is one folder

pytest_collect_file = Sybil(
    parsers=_PARSERS,
    patterns=[
        "README.md",
        *(f"docs/{folders}*.md" for folders in _FOLDERS),
        *(f"symphony_registry/{folders}*.py" for folders in _FOLDERS),
    ],
    document_types={".py": PythonDocStringDocument},
    setup=start,
    teardown=stop,
).pytest()
