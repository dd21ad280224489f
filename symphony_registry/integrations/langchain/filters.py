"""Filters of documents: their text and their own metadata lie beside each other in what is stored."""

from typing import Any

from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidTypeError

TEXT = "text"
METADATA = "metadata"


def within(filter: object) -> JSONObject | None:
    """Return a filter that asks of the document's own metadata, among what is stored, what `filter` asks.

    >>> within({"year": {"$gte": 2020}, "$not": {"lang": "en"}})
    {'metadata.year': {'$gte': 2020}, '$not': {'metadata.lang': 'en'}}
    """
    if filter is None:
        return None
    if not isinstance(filter, dict):
        raise InvalidTypeError(
            f"A filter must be a dict, such as {{'year': {{'$lt': 2025}}}}, not {type(filter).__name__}."
        )
    return dict(_asked(key, asked) for key, asked in filter.items())


def _asked(key: Any, asked: Any) -> tuple[Any, Any]:
    if isinstance(key, str) and not key.startswith("$"):
        return f"{METADATA}.{key}", asked
    if isinstance(asked, list | tuple):  # what is no filter, the store refuses
        return key, [within(each) if isinstance(each, dict) else each for each in asked]
    return key, within(asked) if isinstance(asked, dict) else asked
