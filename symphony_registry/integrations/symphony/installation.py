"""The modules of the framework's registry, and how they come to be found under its path."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from symphony_registry.backends.base import BackendType
from symphony_registry.errors import AlreadyRegisteredError

PATH = "symphony.core.registry"

_NAMES = ("memory", "file")
_PACKAGE = __name__.partition(".")[0]
_DROP_IN = __name__.rpartition(".")[0]
# Modules that the framework has for a class each.
_OF_CLASSES = {
    f"{PATH}.backends.{kind}.{name}": f"{_PACKAGE}.backends.{kind}" for kind in BackendType for name in _NAMES
}


def find_as_package() -> None:
    """Let the framework's path lead to this package: where nobody else has it, all modules are the same objects."""
    _find_as(_PACKAGE, _PACKAGE)


def install() -> None:
    """Make `ServiceRegistry` the registry of the Symphony framework, wherever that is imported from now on.

    Call it first of all, before anything imports the framework; again is harmless.
    Raises `AlreadyRegisteredError` where that path was imported already: other
    modules have taken their names from it.
    """
    found = sys.modules.get(PATH)
    if found not in (None, sys.modules[_DROP_IN]):
        raise AlreadyRegisteredError(
            f"{PATH} is already imported, from {getattr(found, '__file__', None)}. Call install() before the first "
            "import of the framework."
        )
    _find_as(_DROP_IN, f"{_DROP_IN}.base")


def _find_as(package: str, base: str) -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    sys.meta_path.insert(0, _Finder({PATH: package, f"{PATH}.base": base, **_OF_CLASSES}))


class _Finder:
    """Finds the framework's modules as ours."""

    def __init__(self, special: Mapping[str, str]) -> None:
        self._special = special

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(f"{PATH}."):
            return None
        real = self._special.get(fullname) or _PACKAGE + fullname.removeprefix(PATH)
        if importlib.util.find_spec(real) is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}, nor {real!r}", name=fullname)
        return ModuleSpec(fullname, _Loader(real))  # type: ignore[arg-type] # importlib.abc costs 13 ms


class _Loader:
    """Gives the module that is there instead of making one."""

    def __init__(self, real: str) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        module = importlib.import_module(self._real)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has set the alias's
