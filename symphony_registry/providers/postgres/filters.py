"""Filters as SQL over a jsonb column; everything of the caller's is a parameter."""

from typing import Any

import orjson

from symphony_registry.backends.filters import AllOf, AnyOf, Comparison, Condition, Not
from symphony_registry.backends.values import MAX_DEPTH
from symphony_registry.errors import UnsupportedFilterError
from symphony_registry.providers.postgres.documents import comparable, comparable_text

_MOST_PARAMETERS = 2**15 - 1
_ORDERS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_ALL_KINDS = ("null", "boolean", "number", "string", "array", "object")
_KINDS = {bool: "boolean", int: "number", float: "number", str: "string"}


def where(condition: Condition, column: str, parameters: list[Any]) -> str:
    """Return the SQL of a condition, never NULL; its values are appended to `parameters`.

    Raises `UnsupportedFilterError` for more values than a statement may have.
    """
    sql = _sql(condition, column, parameters)
    if len(parameters) > _MOST_PARAMETERS:
        raise UnsupportedFilterError(
            f"The filter has {len(parameters):,} keys and values; a statement of PostgreSQL takes {_MOST_PARAMETERS:,}"
            ". Many values of one key are a single one in $in."
        )
    return sql


def _sql(condition: Condition, column: str, parameters: list[Any]) -> str:
    match condition:
        case AllOf():
            return _joined(" AND ", condition.conditions, column, parameters) or "true"
        case AnyOf():
            return _joined(" OR ", condition.conditions, column, parameters) or "false"
        case Not():
            return f"(NOT {_sql(condition.condition, column, parameters)})"
        case Comparison() if len(condition.path) > MAX_DEPTH:  # no document is so deep
            return "true" if condition.matches({}) else "false"
        case Comparison():
            return _Value(condition.path, column, parameters).compared(condition.operator, condition.operand)


def _joined(word: str, conditions: tuple[Condition, ...], column: str, parameters: list[Any]) -> str:
    parts = word.join(_sql(each, column, parameters) for each in conditions)
    return parts and f"({parts})"


class _Value:
    """The value at a path of a document."""

    def __init__(self, path: tuple[str, ...], column: str, parameters: list[Any]) -> None:
        self._path = [comparable(key) for key in path]
        self._column = column
        self._parameters = parameters

    def compared(self, operator: str, operand: Any) -> str:
        match operator:
            case "$eq":
                return self._equal(operand)
            case "$ne":
                return f"(NOT {self._equal(operand)})"
            case "$in":
                return self._any_of(operand)
            case "$nin":
                return f"(NOT {self._any_of(operand)})"
            case "$exists":
                return f"({self._sql()} IS {'NOT NULL' if operand else 'NULL'})"
            case "$contains":
                return self._contains(operand)
            case _:
                return self._ordered(_ORDERS[operator], operand)

    def _equal(self, operand: Any) -> str:
        """Return equality; containment, which the index knows, is all of it for scalars."""
        contained = f"({self._column} @> {self._nested(operand)})"
        if not isinstance(operand, dict | list):
            return contained
        return f"({contained} AND ({self._sql()} = {self._json(operand)}) IS TRUE)"

    def _any_of(self, operands: list[Any]) -> str:
        texts = self._parameter([comparable_text(each) for each in operands])
        return f"(({self._sql()} = ANY({texts}::jsonb[])) IS TRUE)"

    def _contains(self, operand: Any) -> str:
        contained = f"({self._column} @> {self._nested([operand])})"
        if not isinstance(operand, dict | list):
            return contained
        value = self._sql()
        elements = f"CASE WHEN jsonb_typeof({value}) = 'array' THEN {value} END"
        return f"({contained} AND {self._json(operand)} IN (SELECT jsonb_array_elements({elements})))"

    def _ordered(self, operator: str, operand: Any) -> str:
        kind = _KINDS.get(type(operand))
        if kind is None:
            return "false"
        value = self._sql()
        if kind == "string":  # jsonb compares them by the database's collation
            text = self._parameter(comparable(operand))
            comparison = f"({value} #>> '{{}}') COLLATE \"C\" {operator} {text}::text"
        else:
            comparison = f"{value} {operator} {self._json(operand)}"
        others = ", ".join(f"'{other}'" for other in _ALL_KINDS if other != kind)
        # not "= kind", which the planner takes for rare
        return f"(({comparison} AND jsonb_typeof({value}) NOT IN ({others})) IS TRUE)"

    def _sql(self) -> str:
        """Return the value itself, NULL where it is missing."""
        steps = "".join(f" -> {self._parameter(key)}::text" for key in self._path)
        return f"({self._column}{steps})"

    def _nested(self, operand: Any) -> str:
        """Return the document that has `operand` at the path, and nothing else."""
        document = comparable(operand)
        for key in reversed(self._path):
            document = {key: document}
        return f"{self._parameter(orjson.dumps(document).decode())}::jsonb"

    def _json(self, operand: Any) -> str:
        return f"{self._parameter(comparable_text(operand))}::jsonb"

    def _parameter(self, value: Any) -> str:
        self._parameters.append(value)
        return f"${len(self._parameters)}"
