"""langgraph's filters and namespace patterns, in terms of the contract's filters."""

from collections.abc import Iterable, Mapping
from typing import Any

from langgraph.store.base import MatchCondition, NamespacePath

from symphony_registry.backends.filters import escaped
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidValueError


def metadata_filter(wanted: Mapping[str, Any] | None, *more: JSONObject) -> JSONObject:
    """Return the contract's filter that finds what langgraph's filter does, if `has_shape` agrees."""
    return {"$and": [*more, *_conditions(wanted or {}, "value")]}


def has_shape(value: object, wanted: Mapping[str, Any] | None) -> bool:
    """Say whether an object is where a filter is nested, which the contract's filters cannot ask for."""
    return isinstance(value, dict) and all(
        has_shape(value.get(key), inner) for key, inner in (wanted or {}).items() if _is_nested(inner)
    )


def labels_filter(namespace: tuple[str, ...]) -> list[JSONObject]:
    """Return what finds vectors in and below a namespace."""
    return [{f"namespace.{place}": label} for place, label in enumerate(namespace)]


def is_below(namespace: Iterable[str], prefix: tuple[str, ...]) -> bool:
    """Say whether a namespace begins with `prefix`."""
    return tuple(namespace)[: len(prefix)] == prefix


def matches(namespace: tuple[str, ...], conditions: Iterable[MatchCondition]) -> bool:
    """Say whether a namespace fulfils all conditions, in which `*` is any label."""
    return all(_matches(namespace, condition) for condition in conditions)


def fixed_prefix(conditions: Iterable[MatchCondition]) -> tuple[str, ...]:
    """Return the labels that all namespaces begin with which can match."""
    prefixes = [_before_wildcard(condition.path) for condition in conditions if condition.match_type == "prefix"]
    return max(prefixes, key=len, default=())


def _matches(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    count = len(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise InvalidValueError(f"A namespace matches by prefix or suffix, not by {condition.match_type!r}.")
    end = namespace[:count] if condition.match_type == "prefix" else namespace[len(namespace) - count :]
    return len(namespace) >= count and all(
        pattern in ("*", label) for label, pattern in zip(end, condition.path, strict=True)
    )


def _before_wildcard(path: NamespacePath) -> tuple[str, ...]:
    return path[: path.index("*")] if "*" in path else path


def _conditions(wanted: Mapping[str, Any], path: str) -> list[JSONObject]:
    conditions = []
    for key, expected in wanted.items():
        place = f"{path}.{escaped(key)}"
        if _is_nested(expected):
            conditions += _conditions(expected, place)
        elif isinstance(expected, dict):
            conditions += [compared(place, operator, operand) for operator, operand in expected.items()]
        else:
            conditions.append(compared(place, "$eq", expected))
    return conditions


def compared(place: str, operator: str, operand: Any) -> JSONObject:
    """Return a condition; to langgraph, a missing key is as null."""
    if operand is not None or operator not in ("$eq", "$ne"):
        return {place: {operator: operand}}
    is_null = {"$or": [{place: None}, {place: {"$exists": False}}]}
    return is_null if operator == "$eq" else {"$not": is_null}


def _is_nested(expected: object) -> bool:
    return isinstance(expected, dict) and not any(key.startswith("$") for key in expected)
