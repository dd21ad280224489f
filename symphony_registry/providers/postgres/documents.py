"""JSON documents in two columns: one that gives them back, one that filters understand.

`json` keeps the text as it is: the order of keys, -0.0, 1e16 as a float, and
U+0000 behind its escape. `jsonb` has none of these, so filters look at a form
of the document in which U+0000 is escaped by U+0001 (which keeps the order of
strings) and floats that are whole numbers are written out.
"""

import re
from typing import Any

import orjson

from symphony_registry.backends.values import JSONObject

# What makes the two forms differ, or looks like it: U+0000 and U+0001, and floats that jsonb would round. It begins
# with a set of characters, to which a search skips.
_DIFFERENT = re.compile(rb"[eE.\\](?:(?<=\d[eE])|(?<=\d{15}\.)0|(?<=\\)u000[01])")
_ESCAPES = str.maketrans({"\0": "\1\1", "\1": "\1\2"})
# From here on a float is a whole number, and the digits that name it are not all of its value.
_WHOLE, _LARGEST = 2.0**53, 2.0**64


def texts(document: JSONObject) -> tuple[str, str | None]:
    """Return the text of a checked document, and the text for filters where it is another."""
    text = orjson.dumps(document)
    other = orjson.dumps(comparable(document)).decode() if _DIFFERENT.search(text) else None
    return text.decode(), other


def comparable(value: Any) -> Any:
    """Return a JSON value in the form that filters compare."""
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, float) and _WHOLE <= abs(value) < _LARGEST:
        return int(value)
    if isinstance(value, dict):
        return {comparable(key): comparable(item) for key, item in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def comparable_text(value: Any) -> str:
    """Return the JSON text of a value in the form that filters compare."""
    return orjson.dumps(comparable(value)).decode()
