"""What llama-index's filters mean, in the contract's language."""

from collections.abc import Iterable
from typing import Any

from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from symphony_registry.backends.filters import escaped
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidValueError, UnsupportedFilterError

_COMPARISONS = {
    FilterOperator.EQ: "$eq",
    FilterOperator.NE: "$ne",
    FilterOperator.GT: "$gt",
    FilterOperator.GTE: "$gte",
    FilterOperator.LT: "$lt",
    FilterOperator.LTE: "$lte",
    FilterOperator.IN: "$in",
    FilterOperator.NIN: "$nin",
    FilterOperator.CONTAINS: "$contains",
}


def translated(filters: MetadataFilters | None) -> JSONObject | None:
    """Return the `metadata_filter` that says the same, `None` for no filter."""
    if filters is None or not filters.filters:
        return None
    parts = [_one(part) if isinstance(part, MetadataFilter) else translated(part) or {} for part in filters.filters]
    match filters.condition:
        case FilterCondition.OR:
            return {"$or": parts}
        case FilterCondition.NOT:
            return {"$not": {"$or": parts}}
        case _:
            return {"$and": parts}


def _one(filter: MetadataFilter) -> JSONObject:
    key, value = escaped(filter.key), filter.value
    match filter.operator:
        case FilterOperator.ANY:
            return {"$or": _contains_each(key, value)}
        case FilterOperator.ALL:
            return {"$and": [{key: {"$exists": True}}, *_contains_each(key, value)]}
        case FilterOperator.IS_EMPTY:
            return {"$or": [{key: {"$exists": False}}, {key: {"$in": [None, "", []]}}]}
        case operator if operator in _COMPARISONS:
            return {key: {_COMPARISONS[operator]: value}}
        case operator:
            raise UnsupportedFilterError(
                f"No vector store finds metadata by {operator.value!r}. Use another operator for {filter.key!r}, "
                "such as '==', 'in' or 'contains', or look at the texts that were found."
            )


def _contains_each(key: str, values: Any) -> Iterable[JSONObject]:
    if not isinstance(values, list):
        raise InvalidValueError(f"The filter of {key!r} compares with {values!r}. Pass a list for 'any' and 'all'.")
    return [{key: {"$contains": value}} for value in values]
