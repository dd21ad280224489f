"""Importing the package is cheap: what is not used is not imported."""

import subprocess
import sys

import pytest

from symphony_registry.backends import BackendType

LOADED = """
import sys
sys.modules["fastapi"] = None  # which dependency-injector imports where it is installed
import symphony_registry
print("\\n".join(name for name in sys.modules))
"""


def loaded(code: str) -> set[str]:
    """Return the modules that a new process has loaded after `code`."""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(printed.split())


def test_importing_loads_no_provider_no_driver_and_no_test_or_command_line_library() -> None:
    modules = loaded(LOADED)
    ours = {name for name in modules if name.startswith("symphony_registry.")}
    assert not {name for name in ours if name.rpartition(".")[2] in ("memory", "file")}
    assert not {name for name in ours if ".journal" in name or ".testing" in name}
    heavy = {
        "asyncpg",
        "psycopg",
        "redis",
        "neo4j",
        "boto3",
        "pytest",
        "hypothesis",
        "click",
        "typer",
        "rich",
        "orjson",
        "ormsgpack",
        "pybase64",
        "zlib_ng",
        "langgraph",
        "mcp",
    }
    assert not modules & heavy


@pytest.mark.parametrize("kind", list(BackendType))
def test_everything_can_be_imported_from_a_package_without_any_extra(kind: str) -> None:
    code = f"""
import sys
sys.modules["asyncpg"] = None
from symphony_registry.backends.{kind} import *
print(*dir(), sep="\\n")
"""
    names = loaded(code)
    assert any(name.startswith("File") for name in names)
    assert not any(name.startswith("Postgres") for name in names)
