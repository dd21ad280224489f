"""What haystack's filters mean, in the contract's language."""

from datetime import datetime
from typing import Any

from haystack.errors import FilterError

from symphony_registry.backends.values import JSONObject

_ORDERS = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_OPERATORS = ("==", "!=", *_ORDERS, "in", "not in")


def translated(filters: dict[str, Any] | None, part: str) -> JSONObject | None:
    """Return the `metadata_filter` that asks of one part of what is stored what haystack's `filters` ask."""
    return _condition(filters, part) if filters else None


def _condition(asked: dict[str, Any], part: str) -> JSONObject:
    if "field" in asked:
        path = f"{part}.{_of(asked, 'field')}".replace("\\", r"\\")
        return _comparison(path, _of(asked, "operator"), _of(asked, "value"))
    operator, conditions = _of(asked, "operator"), [_condition(each, part) for each in _of(asked, "conditions")]
    match operator:
        case "AND":
            return {"$and": conditions}
        case "OR":
            return {"$or": conditions}
        case "NOT":
            return {"$not": {"$and": conditions}}
    raise FilterError(f"There is no operator {operator!r} between conditions. Use AND, OR or NOT.")


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
