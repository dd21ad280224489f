"""The modules of the framework's registry, and how they come to be found under its path."""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from symphony_registry.backends.base import BackendType
from symphony_registry.errors import AlreadyRegisteredError

PATH = "symphony.core.registry"

_ROOT = __name__.partition(".")[0]
_OWN = __name__.rpartition(".")[0]
_PUBLIC = ("containers", "errors", "settings", "testing", "backends")
_HELPERS = ("base", "filters", "options", "values")

MODULES = {
    PATH: _OWN,
    f"{PATH}.base": f"{_OWN}.base",
    **{f"{PATH}.{name}": f"{_ROOT}.{name}" for name in (*_PUBLIC, *(f"backends.{helper}" for helper in _HELPERS))},
    **{
        f"{PATH}.backends.{kind}{module}": f"{_ROOT}.backends.{kind}{real}"
        for kind in BackendType
        for module, real in {"": "", ".base": ".base", ".memory": "", ".file": ""}.items()
    },
}
"""The modules under the framework's path, and which of ours each is."""


def install() -> None:
    """Make this the registry of the Symphony framework, wherever that is imported from now on.

    Call it first of all, before anything imports the framework; again is harmless.
    Raises `AlreadyRegisteredError` where the framework's own registry is imported
    already: other modules have taken their names from it.
    """
    found = sys.modules.get(PATH)
    if found not in (None, sys.modules[_OWN]):
        raise AlreadyRegisteredError(
            f"{PATH} is already imported, from {getattr(found, '__file__', None)}. Call install() before the first "
            "import of the framework."
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds the framework's modules as ours."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not f"{fullname}.".startswith(f"{PATH}."):
            return None
        if fullname not in MODULES:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: the framework has none. Import what else there is from {_ROOT}.",
                name=fullname,
            )
        return ModuleSpec(fullname, _Loader(MODULES[fullname]))  # type: ignore[arg-type] # importlib.abc costs 13 ms


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
