"""Selections as SQL: a range of the primary key, and a filter."""

from typing import Any

from symphony_registry.backends.filters import ANYTHING
from symphony_registry.backends.selection import Selection
from symphony_registry.providers.postgres.filters import where


def selected(selection: Selection, column: str, parameters: list[Any]) -> str:
    """Return the SQL of a selection, whose filter sees `column`; its values are appended to `parameters`."""
    (low, includes_low), high = selection.ids.low(), selection.ids.high()
    parts: list[str] = []
    for bound, operator in (low or None, ">=" if includes_low else ">"), (high, "<"):
        if bound is not None:
            parameters.append(bound)
            parts.append(f"id {operator} ${len(parameters)}")
    if selection.condition is not ANYTHING:
        parts.append(where(selection.condition, column, parameters))
    return " AND ".join(parts) or "true"
