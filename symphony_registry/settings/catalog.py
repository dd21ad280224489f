"""The providers that can be named, and their options."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import yaml

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import RegistryError
from symphony_registry.settings.secrets import MASK
from symphony_registry.settings.validation import options_model

Schema = dict[str, Any]

_FORMATS = {"path": "path", "directory-path": "path", "file-path": "path", "password": "secret"}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


class Option(NamedTuple):
    """An option of a provider; `default` is as YAML would write it, `example` something to begin with."""

    name: str
    type: str
    required: bool
    default: str | None
    help: str
    example: str


class ProviderInfo(NamedTuple):
    """What is known of a provider.

    `about` says what a product of the manifest is, `problem` why the provider
    cannot be used. `guarantees` and `options` are `None` where they are not known:
    where it makes backends of any class, and where it has no model of its options.
    """

    backend_type: BackendType
    name: str
    origin: str
    about: str | None = None
    problem: str | None = None
    guarantees: Guarantees | None = None
    options: tuple[Option, ...] | None = None


def providers_of(backend_type: BackendType, more: Iterable[str] = ()) -> list[ProviderInfo]:
    """Return every provider of a type that has a name, and those that `more` names, by dotted path."""
    names = StorageBackendFactory.list_providers(backend_type)
    return [provider_named(backend_type, name) for name in [*names, *sorted(set(more) - set(names))]]


def provider_named(backend_type: BackendType, name: str) -> ProviderInfo:
    """Return what is known of the provider of that name."""
    product = StorageBackendFactory.provider_product(backend_type, name)
    origin = StorageBackendFactory.provider_origin(backend_type, name)
    known = ProviderInfo(backend_type, name, origin, None if product is None else product.about)
    try:
        model = options_model(StorageBackendFactory.get_provider(backend_type, name))
        known = known._replace(guarantees=StorageBackendFactory.provider_guarantees(backend_type, name))
    except RegistryError as error:
        return known._replace(problem=str(error))
    if model is None:
        return known
    schema = model.model_json_schema()
    options = tuple(_option(backend_type, key, each, schema) for key, each in schema.get("properties", {}).items())
    return known._replace(options=options)


def yaml_block(provider: ProviderInfo, backend_name: str = "default") -> str:
    """Return the YAML that configures a backend with this provider: what is required, the rest as comments."""
    lines = [f"{provider.backend_type.section}:", f"  {backend_name}:", f"    provider: {provider.name}"]
    options = provider.options or ()
    if options:
        lines.append("    options:" if any(option.required for option in options) else "    # options:")
    for option in options:
        about = f"{option.help} ({option.type})" if option.help else option.type
        value = option.example if option.required or option.default in (None, MASK) else option.default
        lines += [f"      # {about}", f"      {'' if option.required else '# '}{option.name}: {value}"]
    return "\n".join(lines) + "\n"


def _option(backend_type: BackendType, name: str, schema: Schema, root: Schema) -> Option:
    required = name in root.get("required", ())
    kind = _kind(schema, root)
    default = _yaml_text(schema["default"]) if "default" in schema else None
    if "secret" in kind and schema.get("default"):
        default = MASK
    help = " ".join(str(schema.get("description", "")).split())
    return Option(name, kind, required, default, help, _example(backend_type, name, schema, kind))


def _yaml_text(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").strip()


def _example(backend_type: BackendType, name: str, schema: Schema, kind: str) -> str:
    if examples := schema.get("examples"):
        return str(examples[0])
    if kind == "path":
        return f"${{SYMPHONY_DATA_DIR:-.symphony-registry}}/{backend_type.section}"
    return f"${{{name.upper()}}}"


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    if "$ref" in schema:
        return _alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    parts = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
    return [each for part in parts for each in _alternatives(part, root)] or [schema]


def _kind(schema: Schema, root: Schema) -> str:
    """Return the type of a value in words: `cosine | dot`, `integer >= 1`, `path`."""
    kinds = [_simple_kind(each) for each in _alternatives(schema, root)]
    return " | ".join(dict.fromkeys(kind for kind in kinds if kind != "null")) or "anything"


def _simple_kind(schema: Schema) -> str:
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    kind = _FORMATS.get(str(schema.get("format")), str(schema.get("type", "anything")))
    return " ".join([kind, *(f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema)])
