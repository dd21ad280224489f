"""Metadata by column, so that a filter looks at a number per row instead of at a document."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable
from heapq import merge
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.filters import AllOf, Comparison, Condition, Not, comparisons
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.scoring import Rows

Mask = npt.NDArray[np.bool_]
Path = tuple[str, ...]

# Columns and conditions that are kept; another one takes the place of the oldest.
_COLUMNS = 64
# Bytes of the conditions that are kept with their rows, and values that one may compare with.
_KEPT_BYTES, _KEPT_VALUES = 2**24, 256
# Values beyond two a row that a column may have seen before it is made anew.
_SPARE_VALUES = 1024
# More new values than one in so many are merged into an order, fewer are inserted.
_INSERTED = 64
# Values that are sorted at a time: sorting keeps other threads waiting.
_SORTED = 2048

# What is done to a row, a value and a part of a condition takes, in steps of 0.1 µs.
_MAKING_STEPS, _MASK_STEPS, _VALUE_STEPS, _CALL_STEPS = 10, 0.01, 5, 50

_MISSING = 0
_KINDS: dict[type, type] = {int: float, float: float, str: str, bool: bool}  # values of one kind have an order
_ORDERED = ("$gt", "$gte", "$lt", "$lte")


class Columns:
    """The metadata of rows, by the paths that filters have named; each column is made when it is first named.

    `append`, `replace` and `move` follow the rows: O(columns). `matching` is
    O(rows) in numpy, O(rows) in Python when it makes a column, and O(1) for a
    condition that was asked for since the last write. Threads may call
    `matching` at once, while nothing else is called.
    """

    def __init__(self) -> None:
        self._columns: dict[Path, _Column] = {}
        self._making = Lock()
        self._kept: dict[str, Rows] = {}

    def append(self, documents: Iterable[JSONObject]) -> None:
        """Follow rows that are added at the end."""
        for column in self._columns.values():
            column.codes.extend(map(column.code, documents))
        self._forget()

    def replace(self, row: int, document: JSONObject) -> None:
        """Follow a row that gets other metadata."""
        for column in self._columns.values():
            column.codes[row] = column.code(document)
        self._forget()

    def move(self, row: int) -> None:
        """Follow the last row, which takes the place of `row`."""
        for column in self._columns.values():
            last = column.codes.pop()
            if row < len(column.codes):
                column.codes[row] = last
        self._kept.clear()

    def _forget(self) -> None:
        """Drop what a write made wrong or useless."""
        self._kept.clear()
        for path in [path for path, column in self._columns.items() if column.is_spent()]:
            del self._columns[path]

    def matching(self, condition: Condition, rows: int, document: Callable[[int], JSONObject]) -> Rows:
        """Return those of `rows` rows that fulfil the condition, in order; `document` gives the metadata of one."""
        if comparisons(condition) > _KEPT_VALUES:
            return np.flatnonzero(self._mask(condition, rows, document))
        key = repr(condition)  # conditions with 1 and with True are equal
        found = self._kept.get(key)
        if found is None:
            found = np.flatnonzero(self._mask(condition, rows, document))
            with self._making:
                self._kept[key] = found
                while len(self._kept) > _COLUMNS or sum(map(_size, self._kept.items())) > _KEPT_BYTES:
                    del self._kept[next(iter(self._kept))]
        return found

    def _mask(self, condition: Condition, rows: int, document: Callable[[int], JSONObject]) -> Mask:
        if isinstance(condition, Comparison):
            column = self._column(condition.path, condition.operator, rows, document)
            return column.mask(condition.operator, condition.operand)
        if isinstance(condition, Not):
            return ~self._mask(condition.condition, rows, document)
        combine = np.logical_and if isinstance(condition, AllOf) else np.logical_or
        result: Mask = np.full(rows, isinstance(condition, AllOf))
        for part in condition.conditions:
            combine(result, self._mask(part, rows, document), out=result)
        return result

    def cost(self, condition: Condition, rows: int) -> float:
        """Return about how long `matching` takes, in steps of 0.1 µs."""
        if comparisons(condition) <= _KEPT_VALUES and repr(condition) in self._kept:
            return _CALL_STEPS
        return self._mask_cost(condition, rows)

    def _mask_cost(self, condition: Condition, rows: int) -> float:
        if isinstance(condition, Comparison):
            column = self._columns.get(condition.path)
            serves = column is not None and column.serves(condition.operator)
            made = column.ordering_cost(*condition[1:]) if column and serves else rows * _MAKING_STEPS
            values = len(condition.operand) if isinstance(condition.operand, list | dict) else 0
            return made + values * _VALUE_STEPS + rows * _MASK_STEPS + _CALL_STEPS
        parts = (condition.condition,) if isinstance(condition, Not) else condition.conditions
        return sum(self._mask_cost(part, rows) for part in parts) + _CALL_STEPS

    def _column(self, path: Path, operator: str, rows: int, document: Callable[[int], JSONObject]) -> "_Column":
        column = self._columns.get(path)
        if column is not None and column.serves(operator):
            return column
        with self._making:
            column = self._columns.get(path)
            if column is None or not column.serves(operator):
                if column is None and len(self._columns) >= _COLUMNS:
                    del self._columns[next(iter(self._columns))]
                column = _Column(path)
                column.codes.extend(column.code(document(row)) for row in range(rows))
                if operator in _ORDERED:
                    column.renumber()
                self._columns[path] = column
            return column


class _Column:
    """The values at one path: a code per row, equal values having one code."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.codes = array("i")
        self._codes: dict[Hashable, int] = {}  # by the value's key
        self._holders: dict[Hashable, list[int]] = {}  # the codes of the lists that hold an element, by its key
        self._orders = {kind: _Order() for kind in _KINDS.values()}
        self._renumbered = False

    def serves(self, operator: str) -> bool:
        """Say whether the codes are as the operator needs them to be fast."""
        return self._renumbered or operator not in _ORDERED

    def renumber(self) -> None:
        """Give the values codes in their order: a range of them is one of codes, but for values that come later."""
        ordered = np.concatenate([np.asarray(order.ordered()) for order in self._orders.values()])
        codes = np.zeros(len(self._codes) + 1, np.int32)
        codes[ordered] = np.arange(1, len(ordered) + 1)
        others = np.flatnonzero(codes[1:] == 0) + 1
        codes[others] = np.arange(len(ordered) + 1, len(codes))
        self.codes = array("i", codes[np.asarray(self.codes)].tobytes())
        self._codes = dict(zip(self._codes, codes[1:].tolist(), strict=True))  # which were given in turn
        self._holders = {element: codes[holders].tolist() for element, holders in self._holders.items()}
        for order in self._orders.values():
            order.renumber(codes)
        self._renumbered = True

    def code(self, document: JSONObject) -> int:
        """Return the code of a document's value, giving a new value the next one."""
        value: Any = document
        for name in self._path:
            if type(value) is not dict or name not in value:
                return _MISSING
            value = value[name]
        key = value if type(value) is str else _key(value)
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self._codes) + 1
            kind = _KINDS.get(type(value))
            if kind is not None:
                self._orders[kind].add(value, code)
            elif type(value) is list:
                for element in set(map(_key, value)):
                    self._holders.setdefault(element, []).append(code)
        return code

    def is_spent(self) -> bool:
        """Say whether most of the values seen are not there any more."""
        return len(self._codes) > 2 * len(self.codes) + _SPARE_VALUES

    def ordering_cost(self, operator: str, operand: object) -> float:
        """Return how long ordering the new values takes, in steps of 0.1 µs, if the relation needs the order."""
        kind = _KINDS.get(type(operand))
        return self._orders[kind].cost() if kind is not None and operator in _ORDERED else 0

    def mask(self, operator: str, operand: Any) -> Mask:
        """Return which rows stand in the relation."""
        match operator:
            case "$exists":
                missing = self._coded([_MISSING])
                return ~missing if operand else missing
            case "$eq":
                return self._coded(self._known([operand]))
            case "$ne":
                return ~self._coded(self._known([operand]))
            case "$in":
                return self._coded(self._known(operand))
            case "$nin":
                return ~self._coded(self._known(operand))
            case "$contains":
                return self._coded(self._holders.get(_key(operand), []))
            case _:
                kind = _KINDS.get(type(operand))
                return self._coded([] if kind is None else self._orders[kind].codes(operator, operand))

    def _known(self, values: Iterable[Any]) -> list[int]:
        """Return the codes of the values that are known, each once."""
        codes = {self._codes.get(_key(value)) for value in values}
        return [code for code in codes if code is not None]

    def _coded(self, wanted: "list[int] | array[int]") -> Mask:
        """Return which rows have one of the codes, which are different."""
        codes: npt.NDArray[np.int32] = np.asarray(self.codes)
        chosen = np.asarray(wanted, np.int32)
        if not len(chosen):
            return np.zeros(len(codes), np.bool_)
        least, most = chosen.min(), chosen.max()
        if most - least == len(chosen) - 1:  # all codes between
            found: Mask = codes == least if least == most else (least <= codes) & (codes <= most)
            return found
        table = np.zeros(len(self._codes) + 1, np.bool_)
        table[chosen] = True
        return table.take(codes)


class _Order:
    """Values of one kind with their codes, ordered when it is asked for."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._codes = array("i")
        self._new: list[tuple[Any, int]] = []
        self._ordering = Lock()

    def add(self, value: Any, code: int) -> None:
        """Add a value that was not there."""
        self._new.append((value, code))

    def cost(self) -> float:
        """Return how long ordering the new values takes, in steps of 0.1 µs."""
        values = len(self._values) + len(self._new)
        return values * _MAKING_STEPS if self._are_many() else len(self._new) * values * _MASK_STEPS

    def _are_many(self) -> bool:
        return len(self._new) * _INSERTED > len(self._values)

    def ordered(self) -> "array[int]":
        """Return the codes in the order of their values."""
        with self._ordering:
            if self._new:
                self._order()
        return self._codes

    def renumber(self, codes: npt.NDArray[np.int32]) -> None:
        """Replace each code, all of which are ordered, by another."""
        self._codes = array("i", codes[np.asarray(self._codes)].tobytes())

    def codes(self, operator: str, operand: Any) -> "array[int]":
        """Return the codes of the values that stand in the relation."""
        codes = self.ordered()
        match operator:
            case "$gt":
                return codes[bisect_right(self._values, operand) :]
            case "$gte":
                return codes[bisect_left(self._values, operand) :]
            case "$lt":
                return codes[: bisect_left(self._values, operand)]
            case "$lte":
                return codes[: bisect_right(self._values, operand)]
            case other:
                raise ValueError(f"There is no operator {other!r}.")

    def _order(self) -> None:
        if self._are_many():
            new = iter(self._new)
            parts = [zip(self._values, self._codes, strict=True), *iter(lambda: sorted(islice(new, _SORTED)), [])]
            pairs = list(merge(*parts))
            self._values, self._codes = [value for value, _ in pairs], array("i", (code for _, code in pairs))
        else:
            for value, code in self._new:
                place = bisect_left(self._values, value)
                self._values.insert(place, value)
                self._codes.insert(place, code)
        self._new = []


def _size(kept: tuple[str, Rows]) -> int:
    return len(kept[0]) + kept[1].nbytes


def _key(value: Any) -> Hashable:
    """Return what is the same for values that are equal as JSON, and for no others."""
    kind = type(value)
    if kind is bool:
        return bool, value  # True == 1 for Python
    if kind is list:
        return list, tuple(map(_key, value))
    if kind is dict:
        return dict, frozenset((name, _key(item)) for name, item in value.items())
    return value  # type: ignore[no-any-return]
