"""`symphony.core.registry` is ours where nobody else has it, and where it was installed in the framework's place."""

import importlib
import sys
from pathlib import Path

import pytest

import symphony_registry
from symphony_registry.errors import AlreadyRegisteredError
from symphony_registry.integrations import symphony as ours
from symphony_registry.integrations.symphony import install
from symphony_registry.integrations.symphony.installation import MODULES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_under_the_frameworks_path_is_the_same_object_as_ours(name: str) -> None:
    found, real = importlib.import_module(name), importlib.import_module(MODULES[name])
    assert found is real
    assert real.__spec__ is not None
    assert real.__name__ == real.__spec__.name == MODULES[name]


def test_the_names_of_the_documentation_stand_where_it_says() -> None:
    registry = importlib.import_module("symphony.core.registry")
    for name in ("BackendProvider", "BackendType", "StorageBackend", "StorageBackendFactory"):
        assert getattr(registry, name) is getattr(symphony_registry, name)
    assert registry.ServiceRegistry is importlib.import_module("symphony.core.registry.base").ServiceRegistry
    assert issubclass(registry.ServiceRegistry, symphony_registry.ServiceRegistry)
    for kind, name in (
        ("vector_store", "VectorStore"),
        ("knowledge_graph", "KnowledgeGraph"),
        ("checkpoint_store", "CheckpointStore"),
    ):
        package = f"symphony.core.registry.backends.{kind}"
        abstract = getattr(importlib.import_module(f"{package}.base"), f"{name}Backend")
        for module, cls in ((package, f"InMemory{name}"), (f"{package}.memory", f"InMemory{name}")):
            assert issubclass(getattr(importlib.import_module(module), cls), abstract)
        for module, cls in ((package, f"File{name}"), (f"{package}.file", f"File{name}")):
            assert issubclass(getattr(importlib.import_module(module), cls), abstract)


@pytest.mark.parametrize("name", ["nothing", "installation", "backends.lookup"])
def test_a_module_that_the_framework_does_not_have_is_not_there_twice(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"symphony.core.registry.{name}.*from symphony_registry"):
        importlib.import_module(f"symphony.core.registry.{name}")


@pytest.mark.usefixtures("framework")
def test_a_framework_that_is_there_keeps_its_own_registry() -> None:
    registry = importlib.import_module("symphony.core.registry")
    assert registry.ServiceRegistry().get_workflow_tracker() == "the framework's"


@pytest.mark.usefixtures("framework")
def test_install_puts_ours_wherever_the_framework_is_imported_afterwards() -> None:
    install()
    install()  # again is harmless
    assert "symphony" not in sys.modules  # which may take seconds
    framework = importlib.import_module("symphony")
    assert framework.core.ServiceRegistry is framework.ServiceRegistry is ours.ServiceRegistry
    assert importlib.import_module("symphony.core.registry.base").ServiceRegistry is ours.ServiceRegistry
    install()


@pytest.mark.usefixtures("framework")
def test_install_refuses_where_the_frameworks_own_was_imported_before() -> None:
    importlib.import_module("symphony")
    with pytest.raises(AlreadyRegisteredError, match=r"symphony.core.registry is already imported, from .*init__\.py"):
        install()


def test_every_module_under_the_frameworks_path_has_its_stub() -> None:
    stubs = ROOT / "symphony-stubs"
    assert (stubs / "py.typed").read_text() == "partial\n"
    found = {}
    for stub in stubs.glob("*/**/*.pyi"):
        parts = [part for part in stub.relative_to(stubs).with_suffix("").parts if part != "__init__"]
        found[".".join(["symphony", *parts])] = stub.read_text()
    assert found == {name: f"from {real} import *\n" for name, real in MODULES.items()}
