"""What haystack's filters mean, in the contract's language."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from haystack.dataclasses import Document
from haystack.errors import FilterError

from symphony_registry.backends.filters import escaped
from symphony_registry.backends.values import JSONObject

DOCUMENT = "document"  # what of the metadata is haystack's, but for
META = "meta."  # and a key of the document's own, each by itself so that updates of others stay

_FIELDS = {field.name for field in fields(Document)}
_ORDERS = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_OPERATORS = ("==", "!=", *_ORDERS, "in", "not in")


def translated(filters: dict[str, Any] | None) -> JSONObject | None:
    """Return the `metadata_filter` that asks of what is stored what haystack's `filters` ask."""
    return _condition(filters) if filters else None


def _condition(asked: dict[str, Any]) -> JSONObject:
    if "field" in asked:
        field, operator, value = asked["field"], _of(asked, "operator"), _of(asked, "value")
        if field in {"meta", "score"} or (field == "embedding" and not (operator in {"==", "!="} and value is None)):
            raise FilterError(
                f"No document is found by {field!r} {operator} {value!r}. Ask of 'meta.<key>', of another field, or "
                "whether 'embedding' == None or != None."
            )
        return _comparison(_path(field), operator, value)
    operator, conditions = _of(asked, "operator"), [_condition(each) for each in _of(asked, "conditions")]
    match operator:
        case "AND":
            return {"$and": conditions}
        case "OR":
            return {"$or": conditions}
        case "NOT":
            return {"$not": {"$and": conditions}}
    raise FilterError(f"There is no operator {operator!r} between conditions. Use AND, OR or NOT.")


def _path(field: str) -> str:
    first, *rest = field.replace("\\", r"\\").split(".")
    if not rest and first not in _FIELDS:  # haystack's own stores take it for a key of the metadata
        first, rest = "meta", [first]
    if first == "meta":
        return ".".join([escaped(META) + rest[0], *rest[1:]])
    return ".".join([DOCUMENT, first, *rest])


def _of(asked: dict[str, Any], key: str) -> Any:
    if key not in asked:
        raise FilterError(f"The filter {asked!r} has no {key!r}.")
    return asked[key]


def _comparison(path: str, operator: str, value: Any) -> JSONObject:
    if operator in {"in", "not in"} and not isinstance(value, list):
        raise FilterError(f"{operator!r} takes a list, not {value!r}.")
    match operator:
        case "==":
            return _among(path, [value])
        case "in":
            return _among(path, value)
        case "!=":
            return {"$not": _among(path, [value])}
        case "not in":
            return {"$not": _among(path, value)}
        case _ if operator in _ORDERS:
            return _ordered(path, operator, value)
    raise FilterError(f"There is no operator {operator!r}. Use one of {', '.join(_OPERATORS)}.")


def _among(path: str, values: list[Any]) -> JSONObject:
    found: JSONObject = {path: {"$in": values}}
    return {"$or": [found, {path: {"$exists": False}}]} if None in values else found  # what is missing is None


def _ordered(path: str, operator: str, value: Any) -> JSONObject:
    if value is None:
        return {"$or": []}  # nothing is more or less than None
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise FilterError(f"{operator!r} compares numbers and dates in ISO format, not {value!r}.") from error
    elif not isinstance(value, int | float):
        raise FilterError(f"{operator!r} compares numbers and dates in ISO format, not {value!r}.")
    return {path: {_ORDERS[operator]: value}}
