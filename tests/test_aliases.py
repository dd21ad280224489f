"""The two import paths give the same objects."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import symphony_registry

ROOT = Path(__file__).parent.parent

MODULES = sorted(
    module.name.removeprefix("symphony_registry")
    for module in pkgutil.walk_packages(symphony_registry.__path__, "symphony_registry.")
)
STUBS = sorted((ROOT / "symphony" / "core" / "registry").rglob("*.pyi"))


@pytest.mark.parametrize("name", ["", *MODULES])
def test_every_module_is_the_same_object_under_both_paths(name: str) -> None:
    alias = importlib.import_module(f"symphony.core.registry{name}")
    real = importlib.import_module(f"symphony_registry{name}")
    assert alias is real
    assert real.__name__ == real.__spec__.name == f"symphony_registry{name}"  # type: ignore[union-attr]


@pytest.mark.parametrize("first", ["symphony_registry", "symphony.core.registry"])
def test_it_does_not_matter_which_path_is_imported_first(first: str) -> None:
    code = f"""
import {first}.backends.vector_store.base
import symphony_registry.backends.vector_store.scoring as real
import symphony.core.registry.backends.vector_store.scoring as alias
from symphony.core import registry
assert real is alias and registry is __import__("symphony_registry")
assert registry.backends.vector_store.scoring is real
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_module_that_is_not_there_is_not_there_under_the_alias() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"symphony\.core\.registry\.nothing"):
        importlib.import_module("symphony.core.registry.nothing")


def test_install_as_adds_the_path_to_a_regular_package_symphony(tmp_path: Path) -> None:
    for package in ("symphony", "symphony/core"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import symphony_registry
symphony_registry.install_as("symphony.core.registry")
symphony_registry.install_as("symphony.core.registry")  # twice is harmless
import symphony
assert symphony.__file__.startswith({str(tmp_path)!r})
from symphony.core.registry.backends.base import BackendType
assert BackendType is symphony_registry.BackendType
import symphony.core.registry
assert symphony.core.registry is symphony_registry
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_names_the_framework_imports_stand_where_it_looks() -> None:
    from symphony.core.registry import (  # noqa: F401, PLC0415
        BackendProvider,
        BackendType,
        ServiceRegistry,
        StorageBackend,
        StorageBackendFactory,
    )
    from symphony.core.registry.backends import checkpoint_store, knowledge_graph, vector_store  # noqa: PLC0415

    for package, kind in (
        (vector_store, "VectorStore"),
        (knowledge_graph, "KnowledgeGraph"),
        (checkpoint_store, "CheckpointStore"),
    ):
        abstract = getattr(package, f"{kind}Backend")
        assert getattr(package.base, f"{kind}Backend") is abstract
        assert issubclass(getattr(package, f"InMemory{kind}"), abstract)
        assert issubclass(getattr(package, f"File{kind}"), abstract)


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: str(stub.relative_to(ROOT)))
def test_each_stub_points_type_checkers_at_the_module_it_stands_for(stub: Path) -> None:
    relative = stub.relative_to(ROOT / "symphony" / "core" / "registry").with_suffix("")
    name = ".".join(["symphony_registry", *(part for part in relative.parts if part != "__init__")])
    assert stub.read_text() == f"from {name} import *\n"
    importlib.import_module(name)
