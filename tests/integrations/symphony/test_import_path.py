"""`symphony.core.registry` is ours where nobody else has it, and where it was installed in the framework's place."""

import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

import symphony_registry
from symphony_registry.errors import AlreadyRegisteredError
from symphony_registry.integrations import symphony as ours
from symphony_registry.integrations.symphony import install

ROOT = Path(__file__).parents[3]


MODULES = sorted(
    module.name.removeprefix("symphony_registry")
    for module in pkgutil.walk_packages(symphony_registry.__path__, "symphony_registry.")
)
KINDS = {"vector_store": "VectorStore", "knowledge_graph": "KnowledgeGraph", "checkpoint_store": "CheckpointStore"}
PATH = "symphony.core.registry"


@pytest.mark.parametrize("name", ["", *MODULES])
def test_every_module_is_the_same_object_under_both_paths(name: str) -> None:
    try:
        real = importlib.import_module(f"symphony_registry{name}")
    except ModuleNotFoundError as error:
        if not name.startswith(".integrations."):
            raise
        pytest.skip(f"{error.name} is not installed: pip install -e '.[frameworks]'")
    assert importlib.import_module(f"{PATH}{name}") is real
    assert real.__spec__ is not None
    assert real.__name__ == real.__spec__.name == f"symphony_registry{name}"


def test_the_names_of_the_documentation_stand_where_it_says() -> None:
    for path in (PATH, f"{PATH}.base"):
        registry = importlib.import_module(path)
        for name in ("BackendProvider", "BackendType", "ServiceRegistry", "StorageBackend", "StorageBackendFactory"):
            assert getattr(registry, name) is getattr(symphony_registry, name)
    for kind, name in KINDS.items():
        package = importlib.import_module(f"{PATH}.backends.{kind}")
        abstract = getattr(importlib.import_module(f"{PATH}.backends.{kind}.base"), f"{name}Backend")
        for module, cls in (("memory", f"InMemory{name}"), ("file", f"File{name}")):
            found = getattr(importlib.import_module(f"{PATH}.backends.{kind}.{module}"), cls)
            assert found is getattr(package, cls)
            assert issubclass(found, abstract)


def test_a_module_that_is_not_there_is_not_there_under_the_frameworks_path() -> None:
    with pytest.raises(
        ModuleNotFoundError, match=r"'symphony\.core\.registry\.nothing', nor 'symphony_registry\.nothing'"
    ):
        importlib.import_module(f"{PATH}.nothing")


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


def test_type_checkers_know_each_module_that_applications_of_the_framework_import() -> None:
    public = ("containers", "errors", "registry", "settings", "testing", "backends")
    helpers = ("base", "filters", "options", "values", *KINDS)
    expected = {
        PATH: "symphony_registry.integrations.symphony",  # which `install` makes it
        f"{PATH}.base": "symphony_registry.integrations.symphony.base",
        **{f"{PATH}.{name}": f"symphony_registry.{name}" for name in public},
        **{f"{PATH}.backends.{name}": f"symphony_registry.backends.{name}" for name in helpers},
        **{f"{PATH}.backends.{kind}.base": f"symphony_registry.backends.{kind}.base" for kind in KINDS},
        **{
            f"{PATH}.backends.{kind}.{of}": f"symphony_registry.backends.{kind}"
            for kind in KINDS
            for of in ("memory", "file")
        },
    }
    stubs = ROOT / "symphony-stubs"
    assert (stubs / "py.typed").read_text() == "partial\n"
    found = {}
    for stub in stubs.glob("*/**/*.pyi"):
        parts = [part for part in stub.relative_to(stubs).with_suffix("").parts if part != "__init__"]
        found[".".join(["symphony", *parts])] = stub.read_text()
    assert found == {name: f"from {real} import *\n" for name, real in expected.items()}
