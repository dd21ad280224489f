"""The JSON Schema of configuration files, for completion and checking in editors."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import RegistryError
from symphony_registry.settings.model import Timeouts
from symphony_registry.settings.validation import options_model

Schema = dict[str, Any]

_DRAFT = "http://json-schema.org/draft-07/schema#"  # the newest that all editors know
_COMMON: dict[str, Schema] = {
    "removed": {"type": "null", "description": "Removes what a lower layer sets."},
    "reference": {
        "type": "string",
        "pattern": r"\$\{",
        "description": "A value with ${NAME}, ${NAME:-default} or ${file:PATH}.",
    },
    "class": {"type": "string", "pattern": "^[^:$]+:[^:]+$", "description": "A class: package.module:Class."},
}
_REMOVED, _REFERENCE, _CLASS = ({"$ref": f"#/definitions/{name}"} for name in _COMMON)


def json_schema() -> Schema:
    """Return the schema of one layer, where any key may be missing: another layer may have it.

    It knows the options of each provider that has a name and can be imported.
    """
    models = {backend_type: _options_models(backend_type) for backend_type in BackendType}
    described: list[type[BaseModel]] = [
        Timeouts,
        *(model for named in models.values() for model in named.values() if model is not None),
    ]
    references, found = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(described)], ref_template="#/definitions/{model}"
    )
    definitions = {**_COMMON, **{name: _relaxed(schema) for name, schema in sorted(found["$defs"].items())}}
    properties: Schema = {}
    for backend_type, named in models.items():
        options = {name: references[model, "validation"] for name, model in named.items() if model is not None}
        definitions[backend_type.value] = _backend(sorted(named), options)
        backend = {"anyOf": [{"$ref": f"#/definitions/{backend_type}"}, _REMOVED]}
        section = {"type": "object", "additionalProperties": backend}
        properties[backend_type.section] = {
            "description": f"The {backend_type.section.replace('_', ' ')} by name.",
            "anyOf": [section, _REMOVED],
        }
    properties["timeouts"] = {"anyOf": [references[Timeouts, "validation"], _REMOVED]}
    return {
        "$schema": _DRAFT,
        "title": "Configuration of symphony-registry",
        "description": "The backends by name, per type: one layer of base.yaml, <environment>.yaml, local.yaml.",
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {"description": "Not read: a place for YAML anchors."}},
        "additionalProperties": False,
        "definitions": definitions,
    }


def _options_models(backend_type: BackendType) -> dict[str, type[BaseModel] | None]:
    """Return the options model of each named provider, `None` where it cannot be had."""
    found: dict[str, type[BaseModel] | None] = {}
    for name in StorageBackendFactory.list_providers(backend_type):
        try:
            found[name] = options_model(StorageBackendFactory.get_provider(backend_type, name))
        except RegistryError:
            found[name] = None
    return found


def _backend(names: list[str], options: dict[str, Any]) -> Schema:
    """Return the schema of a backend: each provider's options where that provider is named beside them."""
    chosen = [
        {
            "if": {"properties": {"provider": {"const": name}}, "required": ["provider"]},
            "then": {"properties": {"options": {"anyOf": [reference, _REMOVED]}}},
        }
        for name, reference in options.items()
    ]
    return {
        "type": "object",
        "properties": {
            "provider": {"description": "What keeps the data.", "anyOf": [{"enum": names}, _CLASS, _REFERENCE]},
            "options": {"description": "The options of the provider.", "type": ["object", "null"]},
        },
        "additionalProperties": False,
        "allOf": chosen,
    }


def _relaxed(schema: Schema) -> Schema:
    """Return a model's schema for a layer: nothing is required, and any value may be a reference or null."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "required")}
    if "properties" in kept:
        kept["properties"] = {name: _optional(value) for name, value in kept["properties"].items()}
    return kept


def _optional(schema: Schema) -> Schema:
    about: Schema = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
    value = {key: schema[key] for key in schema if key not in (*about, "title")}
    kinds = [kind for kind in value.pop("anyOf", [value]) if kind != {"type": "null"}]
    if not any(kind.get("type") == "string" and not kind.keys() & {"enum", "const", "pattern"} for kind in kinds):
        kinds.append(_REFERENCE)
    return {**about, "anyOf": [*kinds, _REMOVED]}
