"""Checking the arguments of a knowledge graph's operations."""

import reprlib
from typing import Any

from symphony_registry.backends.values import JSONObject, check_bound, check_id, check_items, checked_object, collected
from symphony_registry.errors import InvalidTypeError, InvalidValueError

_KEY = ("from", "to", "type")


def check_path(path: object, what: str = "relation_path") -> list[str]:
    """Return a sequence of relation types as a list, else raise."""
    if not isinstance(path, list | tuple):
        raise InvalidTypeError(f"{what} must be a list or tuple of relation types, not {type(path).__name__}.")
    return [check_id(step, f"{what}[{index}]") for index, step in enumerate(path)]


def check_types(value: object) -> list[str] | None:
    """Return the relation types that a walk follows, `None` for all, else raise."""
    return None if value is None else check_path(value, "relation_types")


def check_optional_id(value: object, what: str) -> str | None:
    """Return `value` if it is `None` or an id."""
    return None if value is None else check_id(value, what)


def check_after(value: object) -> tuple[str, str, str] | None:
    """Return the (from, to, type) that the wanted relations follow, whose parts may be empty, else raise."""
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != len(_KEY):
        raise InvalidValueError(f"The argument after must be ({', '.join(_KEY)}), not {reprlib.repr(value)}.")
    from_id, to_id, kind = (check_bound(part, f"{name} of after") for name, part in zip(_KEY, value, strict=True))
    return from_id, to_id, kind


def check_entity(id: Any, kind: Any, properties: Any) -> tuple[str, str, JSONObject]:
    """Return an entity's id, type and properties, checked and copied, else raise."""
    return check_id(id, "entity_id"), check_id(kind, "entity_type"), checked_object(properties, "properties")


def check_entities(items: list[object]) -> list[tuple[str, str, JSONObject]]:
    """Return the items of `add_entities`, checked and copied, else raise."""
    return check_items(items, ("id", "type", "properties"), check_entity)


def check_relation_key(from_id: Any, to_id: Any, kind: Any) -> tuple[str, str, str]:
    """Return a relation's ends and type, checked, else raise."""
    return check_id(from_id, "from_entity_id"), check_id(to_id, "to_entity_id"), check_id(kind, "relation_type")


def check_relation(from_id: Any, to_id: Any, kind: Any, properties: Any) -> tuple[str, str, str, JSONObject]:
    """Return a relation's ends, type and properties, checked and copied, else raise."""
    return *check_relation_key(from_id, to_id, kind), checked_object(properties, "properties")


def check_relations(items: list[object]) -> list[tuple[str, str, str, JSONObject]]:
    """Return the items of `add_relations`, checked and copied, else raise."""
    return check_items(items, (*_KEY, "properties"), check_relation)


def check_relation_deletion(
    keys: object, relation_types: object
) -> tuple[list[tuple[str, str, str]], list[str] | None]:
    """Return which relations are to be deleted, checked, each once: some by (from, to, type), or all of some types."""
    types = check_types(relation_types)
    if keys is None and types is None:
        raise InvalidValueError(
            "Nothing says what to delete: pass keys, which are (from, to, type), or relation_types. To delete "
            "everything, call clear()."
        )
    if keys is not None and types is not None:
        raise InvalidValueError("Pass either keys or relation_types, not both.")
    chosen = [] if keys is None else check_items(collected(keys), _KEY, check_relation_key)
    return list(dict.fromkeys(chosen)), None if types is None else list(dict.fromkeys(types))


def missing_end(relation: tuple[str, str, str, JSONObject], end: str) -> InvalidValueError:
    """Return the error for a relation, one of whose ends does not exist."""
    from_id, to_id, kind, _ = relation
    return InvalidValueError(
        f"The relation {from_id!r} -{kind}-> {to_id!r} needs the entity {end!r}, which does not exist. Add it first."
    )
