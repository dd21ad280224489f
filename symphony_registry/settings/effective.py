"""Every setting with the layer that set it, fit to be shown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.lookup import looks_like_a_name
from symphony_registry.backends.options import fields_of
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import RegistryError
from symphony_registry.settings.interpolation import references
from symphony_registry.settings.layers import Configuration
from symphony_registry.settings.model import Timeouts
from symphony_registry.settings.secrets import MASK, masked
from symphony_registry.settings.tree import Branch, Dropped, Leaf, Node, Origin, Path_, is_backend, leaves
from symphony_registry.settings.validation import options_model

DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """A value that may be shown, and where it comes from.

    `references` are what it was made of; `dropped_by` is the place of the
    provider because of which an option was dropped.
    """

    path: Path_
    value: Any
    origin: str
    references: tuple[str, ...] = ()
    dropped_by: str | None = None
    _actual: Any = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """The path as messages have it."""
        return ".".join(self.path)

    def equals(self, other: "Setting | None") -> bool:
        """Say whether both set the same, secrets too; `384` in a variable is 384 in a file."""
        return other is not None and as_text(self._actual) == as_text(other._actual)


def effective(configuration: Configuration) -> list[Setting]:
    """Return the settings in effect, defaults and dropped options included, the latter after the others."""
    found: list[Setting] = []
    for backend_type in BackendType:
        section = configuration.tree.children.get(backend_type.section)
        for name, node in section.children.items() if isinstance(section, Branch) else ():
            path = (backend_type.section, name)
            found += _backend(backend_type, path, node)
            dropped = [each for each in configuration.dropped if each.path[:2] == path]
            found += [_dropped(backend_type, each) for each in dropped]
    timeouts = configuration.tree.children.get("timeouts", Branch({}, Origin(DEFAULT)))
    found += [_setting(path, leaf, Timeouts) for path, leaf in leaves(timeouts, ("timeouts",))]
    found += _defaults(("timeouts",), timeouts, Timeouts)
    return found


def as_text(value: Any) -> str:
    """Return a value as YAML would write it in a line."""
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=str, ensure_ascii=False)


def printable(text: str) -> str:
    r"""Return a text with its control characters as Python writes them: they would steer a terminal.

    >>> print(printable("red: \x1b[31m"))
    red: \x1b[31m
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def provider_text(value: object) -> str:
    """Return the name of a provider, unless it does not look like one: it may be a secret put there by mistake."""
    return value if isinstance(value, str) and (not value or looks_like_a_name(value)) else MASK


def _backend(backend_type: BackendType, path: Path_, node: Node) -> Iterator[Setting]:
    provider = node.children.get("provider") if isinstance(node, Branch) else None
    model = _model(backend_type, provider.value) if isinstance(provider, Leaf) else None
    yield from (_setting(each, leaf, model) for each, leaf in leaves(node, path))
    if model is not None and isinstance(node, Branch):
        yield from _defaults((*path, "options"), node.children.get("options"), model)


def _model(backend_type: BackendType, provider_name: object) -> type[BaseModel] | None:
    """Return the options model of a provider, `None` where there is none or the provider cannot be had."""
    try:
        return options_model(StorageBackendFactory.get_provider(backend_type, str(provider_name)))
    except RegistryError:
        return None


def _setting(path: Path_, leaf: Leaf, model: type[BaseModel] | None) -> Setting:
    """Return what a leaf sets; `model` is that of the options it is one of, or of the timeouts."""
    origin = leaf.origin
    found = references(leaf.value) if origin.file is not None else origin.references
    if is_backend(path[:2]) and path[2:] == ("provider",):
        shown = provider_text(leaf.value)
    else:
        option = path[3:] if is_backend(path[:2]) else path[1:]
        outside = (*found, origin.source) if origin.source.startswith("$") else found
        shown = masked(option, leaf.value, outside, model)
    return Setting(path, shown, str(origin), found, _actual=leaf.value)


def _defaults(path: Path_, given: Node | None, model: type[BaseModel]) -> Iterator[Setting]:
    set_here = given.children if isinstance(given, Branch) else {}
    for name, info in fields_of(model).items():
        if name not in set_here and not info.is_required():
            default = info.get_default(call_default_factory=True, validated_data={})
            value = default.model_dump() if isinstance(default, BaseModel) else default
            yield Setting((*path, name), masked((name,), value, (), model), DEFAULT, _actual=value)


def _dropped(backend_type: BackendType, dropped: Dropped) -> Setting:
    setting = _setting(dropped.path, dropped.leaf, _model(backend_type, dropped.provider))
    return replace(setting, dropped_by=str(dropped.by))
