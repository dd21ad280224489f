"""The same modules under another import path."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = __name__.partition(".")[0]


def install_as(name: str) -> None:
    """Make this package importable under `name` too: `name.x` is `symphony_registry.x`, the same object.

    For a place that another distribution owns: where a regular package `symphony`
    is installed, `install_as("symphony.core.registry")` adds the path that this
    distribution otherwise brings itself.
    """
    if not any(isinstance(finder, _AliasFinder) and finder.alias == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _AliasFinder(name))
    package = sys.modules[name] = sys.modules[_PACKAGE]
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(importlib.import_module(parent), child, package)


class _AliasFinder:
    """Finds `alias.x` as `symphony_registry.x`."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{self.alias}."):
            return None
        real = _PACKAGE + fullname.removeprefix(self.alias)
        if importlib.util.find_spec(real) is None:
            return None
        return ModuleSpec(fullname, _AliasLoader(real))  # type: ignore[arg-type] # importlib.abc costs 13 ms


class _AliasLoader:
    """Gives the module that is there instead of making one."""

    def __init__(self, real: str) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        module = importlib.import_module(self._real)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has set the alias's
