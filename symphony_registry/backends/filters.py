"""The filter language and its meaning.

A filter is parsed once into a `Condition`, a tree, and `matches` of that tree
is the reference that every provider agrees with. Engines translate the tree or
raise `UnsupportedFilterError`.

>>> parse_filter({"lang": "en", "year": {"$gte": 2020}, "$not": {"tags": {"$contains": "draft"}}}).matches(
...     {"lang": "en", "year": 2024, "tags": ["new"]}
... )
True
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from symphony_registry.backends.values import checked_value
from symphony_registry.errors import InvalidTypeError, InvalidValueError, hint

_MISSING: Any = object()


class AllOf(NamedTuple):
    """Every one of `conditions` holds; true for none."""

    conditions: "tuple[Condition, ...]"

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Say whether a JSON object fulfils the condition."""
        return all(condition.matches(document) for condition in self.conditions)


class AnyOf(NamedTuple):
    """At least one of `conditions` holds; false for none."""

    conditions: "tuple[Condition, ...]"

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Say whether a JSON object fulfils the condition."""
        return any(condition.matches(document) for condition in self.conditions)


class Not(NamedTuple):
    """`condition` does not hold."""

    condition: "Condition"

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Say whether a JSON object fulfils the condition."""
        return not self.condition.matches(document)


class Comparison(NamedTuple):
    """The value at `path` stands in the relation `operator` to `operand`."""

    path: tuple[str, ...]
    operator: str
    operand: Any

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Say whether a JSON object fulfils the condition."""
        value: Any = document
        for key in self.path:
            value = value.get(key, _MISSING) if type(value) is dict else _MISSING
            if value is _MISSING:
                return self.operator in _MATCH_MISSING or (self.operator == "$exists" and not self.operand)
        return _OPERATORS[self.operator](value, self.operand)


Condition: TypeAlias = AllOf | AnyOf | Not | Comparison
ANYTHING = AllOf(())
"""The condition of no filter, which holds for everything. Compare by `is`: any two empty conditions are equal."""


def comparisons(condition: Condition) -> int:
    """Return how many values a condition compares with a document at the most."""
    if isinstance(condition, Comparison):
        return len(condition.operand) + 1 if isinstance(condition.operand, list | dict) else 1
    parts = (condition.condition,) if isinstance(condition, Not) else condition.conditions
    return sum(map(comparisons, parts)) + 1


def parse_filter(metadata_filter: object, what: str = "metadata_filter") -> Condition:
    r"""Return the condition that a filter means; `None` and `{}` match everything.

    A key with dots descends into nested objects; a backslash takes the dot or
    backslash after it for part of the key. Raises `InvalidValueError` or
    `InvalidTypeError` naming the place of what is wrong.

    >>> parse_filter({"year": {"$gte": 2020}}).matches({"year": 2021})
    True
    >>> parse_filter({"author.name": "Ada"}).matches({"author": {"name": "Ada"}})
    True
    >>> parse_filter({"example\\.org": "yes"}).matches({"example.org": "yes"})
    True
    """
    if metadata_filter is None:
        return ANYTHING
    if type(metadata_filter) is not dict:
        raise InvalidTypeError(f"{what} must be a dict, not {type(metadata_filter).__name__}.")
    return _parse(checked_value(metadata_filter, what), what)


def json_equal(left: Any, right: Any) -> bool:
    """Compare as JSON: `1` equals `1.0`, `True` does not equal `1`."""
    if type(left) is bool or type(right) is bool:
        return left is right
    if type(left) is list and type(right) is list:
        return len(left) == len(right) and all(map(json_equal, left, right))
    if type(left) is dict and type(right) is dict:
        return left.keys() == right.keys() and all(json_equal(item, right[key]) for key, item in left.items())
    return bool(left == right)


def _is_among(value: Any, items: list[Any]) -> bool:
    if type(value) is str:
        return value in items  # which is as exact for texts, and faster
    return any(json_equal(value, item) for item in items)


def _parse(source: dict[str, Any], place: str) -> Condition:
    return _all([_parse_entry(key, value, f"{place}.{key}") for key, value in source.items()])


def _parse_entry(key: str, value: Any, place: str) -> Condition:
    if key == "$not":
        return Not(_parse(_expect(dict, value, place), place))
    if key in ("$and", "$or"):
        parts = [
            _parse(_expect(dict, part, f"{place}[{index}]"), f"{place}[{index}]")
            for index, part in enumerate(_expect(list, value, place))
        ]
        if key == "$and":
            return _all(parts)
        return ANYTHING if any(part is ANYTHING for part in parts) else AnyOf(tuple(parts))
    if key.startswith("$"):
        raise InvalidValueError(f"{place}: there is no operator {key} here. {hint(key, _LOGICAL)}")
    if f"${key}" in _LOGICAL and _is_meant(key, value):
        raise InvalidValueError(
            f"{place}: operators begin with a dollar: write ${key}. To find what has this key, write "
            f'{{"{key}": {{"$eq": ...}}}}.'
        )
    return _parse_field(_steps(key), value, place)


def _is_meant(key: str, value: Any) -> bool:
    """Say whether a value is what `$and`, `$or` or `$not` take: objects in a list, or an object without operators."""
    if key == "not":
        return type(value) is dict and bool(value) and not any(name.startswith("$") for name in value)
    return type(value) is list and bool(value) and all(type(part) is dict for part in value)


def escaped(key: str) -> str:
    r"""Return a key as one step of a filter's path, whatever characters it has.

    >>> escaped("example.org")
    'example\\.org'
    """
    return key.replace("\\", r"\\").replace(".", r"\.")


def _steps(key: str) -> tuple[str, ...]:
    """Return the keys that a key with dots descends by."""
    if "\\" not in key:
        return tuple(key.split("."))
    steps = [""]
    for part in _PARTS.findall(key):
        if part == ".":
            steps.append("")
        else:
            steps[-1] += part.removeprefix("\\") or part
    return tuple(steps)


def _parse_field(path: tuple[str, ...], value: Any, place: str) -> Condition:
    """Parse what stands at a field: operators, or a value to be equal to."""
    if type(value) is not dict or not any(key.startswith("$") for key in value):
        if type(value) is dict and value and all(f"${key}" in _OF_FIELDS for key in value):
            name = next(iter(value))
            raise InvalidValueError(
                f"{place}.{name}: operators begin with a dollar: write ${name}. "
                f'To find an object that has these keys, write {{"$eq": ...}}.'
            )
        return Comparison(path, "$eq", value)
    conditions: list[Condition] = []
    for name, operand in value.items():
        if name == "$not":
            conditions.append(Not(_parse_field(path, _expect(dict, operand, f"{place}.$not"), f"{place}.$not")))
            continue
        if name not in _OPERATORS:
            raise InvalidValueError(f"{place}: there is no operator {name}. {hint(name, _OF_FIELDS)}")
        if name in _OPERAND_TYPES:
            _expect(_OPERAND_TYPES[name], operand, f"{place}.{name}")
        conditions.append(Comparison(path, name, operand))
    return _all(conditions)


def _all(conditions: list[Condition]) -> Condition:
    limiting = [condition for condition in conditions if condition is not ANYTHING]
    if not limiting:
        return ANYTHING
    return limiting[0] if len(limiting) == 1 else AllOf(tuple(limiting))


def _expect(kind: type, value: Any, place: str) -> Any:
    if type(value) is not kind:
        raise InvalidValueError(f"{place} must be a {kind.__name__}, not {type(value).__name__}.")
    return value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return `compare` for values that have an order: numbers, strings, booleans, each among themselves."""

    def compared(value: Any, operand: Any) -> bool:
        order = _ORDERS.get(type(value))
        return order is not None and order is _ORDERS.get(type(operand)) and compare(value, operand)

    return compared


_ORDERS: dict[type, str] = {int: "number", float: "number", str: "string", bool: "boolean"}
_PARTS = re.compile(r"\\[.\\]|.", re.DOTALL)  # of a key: an escaped character, or another
_LOGICAL = ("$and", "$or", "$not")
_MATCH_MISSING = frozenset({"$ne", "$nin"})
_OPERAND_TYPES: dict[str, type] = {"$in": list, "$nin": list, "$exists": bool}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": json_equal,
    "$ne": lambda value, operand: not json_equal(value, operand),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$in": _is_among,
    "$nin": lambda value, operand: not _is_among(value, operand),
    "$exists": lambda _, operand: bool(operand),
    "$contains": lambda value, operand: type(value) is list and any(json_equal(item, operand) for item in value),
}
_OF_FIELDS = (*_OPERATORS, "$not")
