"""Where the names of providers lead: to what was registered, to products, to entry points, by dotted paths.

A provider makes backends; a configuration has its name. A product
is what ships with the package: a row of the manifest, with a provider for each
backend type.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from symphony_registry.backends.storage import BackendProvider, BackendType, StorageBackend
from symphony_registry.errors import (
    AlreadyRegisteredError,
    ProviderImportError,
    ProviderNotFoundError,
    ProviderTypeError,
    hint,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_DOTTED = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")  # package.module:Class
_PLAIN = re.compile(r"[\w.:-]{1,100}")


class Product(NamedTuple):
    """A row of the manifest: a storage product that ships with the package.

    `classes` are modules and classes within `package`, as `module:Class`, so that
    a provider is imported only when it is used. `extra` is what to install besides.
    """

    name: str
    about: str
    package: str
    classes: Mapping[BackendType, str]
    extra: str | None = None

    def path(self, backend_type: BackendType) -> str:
        """Return the dotted path of the class for a backend type that it has."""
        return f"{self.package}.{self.classes[backend_type]}"

    @property
    def install(self) -> str:
        """The command that brings what the product needs."""
        return f"pip install 'symphony-registry{f'[{self.extra}]' if self.extra else ''}'"


class ProviderTable:
    """The providers that can be named, per backend type."""

    def __init__(self, products: Iterable[Product] = ()) -> None:
        self.shipped: dict[str, Product] = {}
        self.ship(products)
        self._registered: dict[tuple[BackendType, str], object] = {}  # backend classes and providers

    def ship(self, products: Iterable[Product]) -> None:
        """Add the products that come with the package."""
        self.shipped.update((product.name, product) for product in products)

    def product(self, backend_type: BackendType, name: str) -> Product | None:
        """Return the product that the name leads to, if it leads to one."""
        product = None if (backend_type, name) in self._registered else self.shipped.get(name)
        return product if product is not None and backend_type in product.classes else None

    def register(self, backend_type: BackendType, name: str, provider: object, *, replace: bool) -> None:
        """Add a provider under a name; see `StorageBackendFactory.register_provider`."""
        found = as_provider(backend_type, provider, f"provider {name!r}")
        if ":" in name or not name:
            raise ProviderTypeError(f"A provider cannot be named {name!r}: choose a name without a colon.")
        if not replace:
            self._refuse_taken(backend_type, name, found)
        self._registered[backend_type, name] = provider

    def _refuse_taken(self, backend_type: BackendType, name: str, provider: BackendProvider) -> None:
        """Raise `AlreadyRegisteredError` where the name leads to another provider; imports nothing."""
        if (registered := self._registered.get((backend_type, name))) is not None:
            taken = registered
            is_same = as_provider(backend_type, registered, f"provider {name!r}") == provider
        elif product := self.product(backend_type, name):
            taken = product.path(backend_type)
            is_same = describe(provider) in (taken, f"{taken}.Provider")
        else:
            return
        if not is_same:
            raise AlreadyRegisteredError(
                f"There is a {backend_type} provider {name!r} already: {describe(taken)}. "
                "Choose another name, or pass replace=True."
            )

    def names(self, backend_type: BackendType) -> list[str]:
        """Return all names, sorted."""
        registered = {name for kind, name in self._registered if kind is backend_type}
        shipped = {name for name, product in self.shipped.items() if backend_type in product.classes}
        return sorted(registered | shipped | {point.name for point in _entry_points(backend_type)})

    def origin(self, backend_type: BackendType, name: str) -> str:
        """Return where the provider of that name comes from, in words; imports nothing."""
        if (backend_type, name) in self._registered:
            return "registered in code"
        if self.product(backend_type, name):
            return "built in"
        points = [_origin(point) for point in _entry_points(backend_type) if point.name == name]
        return f"entry point {', '.join(points)}" if points else "dotted path"

    def find(self, backend_type: BackendType, name: str) -> BackendProvider:
        """Return the provider that a name or a dotted path leads to.

        Raises `ProviderNotFoundError` for an unknown name, `ProviderImportError`
        where importing failed, `ProviderTypeError` for something else.
        """
        return as_provider(backend_type, *self._target(backend_type, name))

    def backend_class(self, backend_type: BackendType, name: str) -> type[StorageBackend] | None:
        """Return the backend class that a name leads to; `None` where it leads to a provider that may make any.

        Raises as `find` does.
        """
        found, _ = self._target(backend_type, name)
        return found if isinstance(found, type) and issubclass(found, StorageBackend) else None

    def _target(self, backend_type: BackendType, name: str) -> tuple[object, str]:
        """Return the backend class or the provider that a name leads to, and what to call it in a message."""
        what = f"provider {name!r}"
        if (registered := self._registered.get((backend_type, name))) is not None:
            return registered, what
        if product := self.product(backend_type, name):
            return _import(product.path(backend_type), what, product.install), what
        if _DOTTED.fullmatch(name):
            return _import(name, what), what
        points = [point for point in _entry_points(backend_type) if point.name == name]
        if len(points) > 1:
            raise AlreadyRegisteredError(
                f"The {backend_type} provider {name!r} is offered by more than one installed package: "
                f"{', '.join(sorted(map(_origin, points)))}. Name the class instead: provider: package.module:Class."
            )
        if points:
            what = f"provider {name!r} ({_origin(points[0])})"
            return _import(points[0].value, what), what
        shown = repr(name) if looks_like_a_name(name) else "of that name (it is not shown: it may hold a secret)"
        raise ProviderNotFoundError(
            f"There is no {backend_type} provider {shown}. {hint(name, self.names(backend_type))} "
            "Install the package that brings it, register it with StorageBackendFactory.register_provider, "
            "or name a class as package.module:Class."
        )


def looks_like_a_name(text: str) -> bool:
    """Say whether a text can be shown as the name of a provider; anything else may be a secret put there by mistake."""
    return _PLAIN.fullmatch(text) is not None


def as_provider(backend_type: BackendType, found: object, what: str) -> BackendProvider:
    """Return `found` as a provider: it is one, or a backend class of that type."""
    if isinstance(found, type) and issubclass(found, StorageBackend):
        actual = getattr(found, "backend_type", None)
        if actual is not backend_type:
            raise ProviderTypeError(f"The {what} is a {actual} backend, not a {backend_type}: {describe(found)}.")
        provider = vars(found).get("Provider")  # an inherited one makes the parent
        return provider if isinstance(provider, BackendProvider) else _provider_for(found)
    if isinstance(found, BackendProvider) and callable(found.create_backend):
        return found
    raise ProviderTypeError(
        f"The {what} leads to {describe(found)}, which is neither a {backend_type} backend class "
        "nor a provider with a static create_backend(config=None)."
    )


@cache
def _provider_for(backend_class: type[StorageBackend]) -> BackendProvider:
    """Return a provider for a backend class that has none of its own: it calls the class."""

    class Provider:
        Options = getattr(backend_class, "Options", getattr(getattr(backend_class, "Provider", None), "Options", None))

        @staticmethod
        def create_backend(config: Mapping[str, Any] | None = None) -> StorageBackend:
            return backend_class(config)

    Provider.__module__, Provider.__qualname__ = backend_class.__module__, f"{backend_class.__qualname__}.Provider"
    return Provider


def _entry_points(backend_type: BackendType) -> "list[EntryPoint]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - 10 ms that most processes never need

    return list(entry_points(group=f"symphony_registry.{backend_type}"))


def _import(path: str, what: str, install: str = "pip install it") -> object:
    """Import `package.module:Class`, telling a wrong path from a module that fails inside."""
    module_name, _, attributes = path.partition(":")
    try:
        found: object = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ProviderNotFoundError(
                f"The {what} leads to the module {module_name}, but there is no module {error.name}. "
                "Check the spelling, and that the package is installed or its folder on Python's path."
            ) from error
        raise ProviderImportError(
            f"The {what} needs the module {error.name}, which is not installed: {install}. "
            f"(It is imported by {module_name}.)",
            name=error.name,
        ) from error
    except Exception as error:
        raise ProviderImportError(
            f"The {what} cannot be used: importing {module_name} failed with {type(error).__name__}: {error}",
            name=module_name,
        ) from error
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            candidates = _candidates(found)
            known = hint(attribute, candidates) if candidates else "It has no backend class and no provider at all."
            raise ProviderNotFoundError(f"The {what}: {module_name} has no {attribute}. {known}")
        found = getattr(found, attribute)
    return found


def _candidates(found: object) -> list[str]:
    """Return the names in a module that could be meant: those of backends and providers."""
    return [
        name
        for name, value in getattr(found, "__dict__", {}).items()
        if isinstance(value, type) and (issubclass(value, StorageBackend) or hasattr(value, "create_backend"))
    ]


def _origin(point: "EntryPoint") -> str:
    return f"{point.value} of {point.dist.name if point.dist else 'an unknown package'}"


def shipped_class(module: str, name: str, backend_type: BackendType) -> Any:
    """Return a shipped backend class by its name, imported when a package is asked for it."""
    for product in PROVIDERS.shipped.values():
        if product.classes.get(backend_type, "").endswith(f":{name}"):
            return _import(product.path(backend_type), f"class {name}", product.install)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def describe(found: object) -> str:
    """Return the dotted path of a provider or a backend class, for messages."""
    if isinstance(found, str):
        return found
    owner = found if hasattr(found, "__qualname__") else type(found)
    return f"{getattr(owner, '__module__', '?')}:{getattr(owner, '__qualname__', owner)}"


# What every factory of this process looks names up in.
PROVIDERS = ProviderTable()
