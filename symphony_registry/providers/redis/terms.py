"""Metadata and filters as terms, which the query engine compares whole.

A term is a digest of a path, of a kind (that there is a value, that it is this
one, that it is a list with this element), and of a value. Equal JSON values have
equal digests. So all of the filter language can be said of terms but for the
order operators, for which the query finds what has the path.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from symphony_registry.backends.filters import AllOf, AnyOf, Comparison, Condition, Not
from symphony_registry.backends.values import JSONObject

# Terms that are no digests: of every item, of those that an index has no vector of, of none.
EVERY, OUTLIER, _NO = "all", "outlier", "none"
_EXISTS, _IS, _HAS = b"exists", b"is", b"has"
_LEAST_INT, _BEYOND_INT = -(2.0**63), 2.0**63


class TermQuery(NamedTuple):
    """A query for all items that fulfil a condition; for no others, where it is exact."""

    text: str
    is_exact: bool


def terms(document: JSONObject) -> set[str]:
    """Return the terms of metadata."""
    found = {EVERY}
    for key, value in document.items():
        _gather(value, _step(b"", key), found)
    return found


def term_query(condition: Condition, *, negated: bool = False) -> TermQuery:
    """Return the query for a condition, or for its negation: what is not exact cannot be negated later."""
    match condition:
        case Not():
            return term_query(condition.condition, negated=not negated)
        case Comparison():
            return _compared(condition, negated=negated)
        case AllOf() | AnyOf():
            parts = [term_query(part, negated=negated) for part in condition.conditions]
            is_all = isinstance(condition, AllOf) is not negated
            text = (" " if is_all else "|").join(part.text for part in parts)
            text = f"({text})" if parts else any_of([EVERY] if is_all else [])
            return TermQuery(text, all(part.is_exact for part in parts))


def any_of(found: list[str]) -> str:
    """Return the query for what has one of some terms."""
    return f"@t:{{{'|'.join(found or [_NO])}}}"


def _compared(comparison: Comparison, *, negated: bool) -> TermQuery:
    path = b""
    for key in comparison.path:
        path = _step(path, key)
    operand, is_exact = comparison.operand, True
    match comparison.operator:
        case "$eq" | "$ne":
            found = [_term(path, _IS, _gather(operand))]
        case "$in" | "$nin":
            found = [_term(path, _IS, _gather(each)) for each in operand]
        case "$contains":
            found = [_term(path, _HAS, _gather(operand))]
        case "$exists":
            found = [_term(path, _EXISTS)]
        case _:
            found, is_exact = [_term(path, _EXISTS)], False
    if not is_exact and negated:
        return TermQuery(any_of([EVERY]), is_exact)
    is_negative = comparison.operator in ("$ne", "$nin") or (comparison.operator == "$exists" and not operand)
    return TermQuery(f"{'-' if is_negative is not negated else ''}{any_of(found)}", is_exact)


def _gather(value: Any, path: bytes | None = None, found: set[str] | None = None) -> bytes:
    """Return the digest of a value, and add the terms that it has at a path."""
    if isinstance(value, dict):
        members = [
            _digest(orjson.dumps(key)) + _gather(item, None if path is None else _step(path, key), found)
            for key, item in value.items()
        ]
        digest = _digest(b"{" + b"".join(sorted(members)))
    elif isinstance(value, list):
        elements = [_gather(item) for item in value]
        digest = _digest(b"[" + b"".join(elements))
        if path is not None and found is not None:
            found.update(_term(path, _HAS, element) for element in elements)
    else:
        if isinstance(value, float) and value.is_integer() and _LEAST_INT <= value < _BEYOND_INT:
            value = int(value)
        digest = _digest(orjson.dumps(value))
    if path is not None and found is not None:
        found |= {_term(path, _EXISTS), _term(path, _IS, digest)}
    return digest


@lru_cache(10_000)
def _step(path: bytes, key: str) -> bytes:
    """Return the path that leads from another to a key."""
    return _digest(path + orjson.dumps(key))


def _term(path: bytes, kind: bytes, digest: bytes = b"") -> str:
    return blake2b(path + kind + digest, digest_size=16).hexdigest()


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()
