"""What may be stored: ids, limits and JSON values, checked and copied in one pass.

The types are exact: `1` stays `int`, `1.0` stays `float`, and a subclass of a
builtin is refused, because no provider could give it back as it was.
"""

import math
import reprlib
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from symphony_registry.backends.conversions import how_to_convert, how_to_make_dict
from symphony_registry.errors import InvalidTypeError, InvalidValueError, hint

T = TypeVar("T")
JSONObject: TypeAlias = dict[str, Any]

MAX_ID_BYTES = 512
MAX_LIMIT = 2**31 - 1
MAX_DEPTH = 100
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
_SHOWN_STEPS = 8

Direction = Literal["outgoing", "incoming", "both"]


def check_id(value: object, what: str = "id") -> str:
    """Return `value` if it can be an id or a type name, else raise.

    An id is a `str` of 1 to 512 bytes of UTF-8, without U+0000 and lone surrogates.

    >>> check_id("../x")
    '../x'
    """
    if type(value) is not str:
        raise InvalidTypeError(f"The {what} must be a str, not {type(value).__name__}.")
    if not value:
        raise InvalidValueError(f"The {what} is empty.")
    if value.isascii():
        size = len(value)
    else:
        _check_text(value, what)
        size = len(value.encode())
    if size > MAX_ID_BYTES:
        raise InvalidValueError(f"The {what} {value[:20]!r}... has {size} bytes of UTF-8; at most {MAX_ID_BYTES}.")
    if "\0" in value:
        raise InvalidValueError(f"The {what} {value!r} holds the character U+0000.")
    return value


def check_bound(value: object, what: str) -> str:
    """Return `value` if ids can be compared with it, as with their beginning, else raise: an id, or nothing."""
    return "" if type(value) is str and not value else check_id(value, what)


def check_bool(value: object, what: str) -> bool:
    """Return `value` if it is a `bool`, else raise."""
    if type(value) is not bool:
        raise InvalidTypeError(f"{what} must be True or False, not {reprlib.repr(value)}.")
    return value


def check_limit(value: object, what: str = "limit", least: int = 1) -> int:
    """Return `value` if it is an `int` of at least `least`, else raise.

    Where it is larger than `MAX_LIMIT`, that is returned: it is the same to a
    store, and drivers take no larger numbers.
    """
    if type(value) is not int:
        raise InvalidTypeError(f"{what} must be an int of at least {least}, not {reprlib.repr(value)}.")
    if value < least:
        raise InvalidValueError(f"{what} must be at least {least}, not {value}.")
    return value if value < MAX_LIMIT else MAX_LIMIT  # noqa: FURB136 - faster than min


def check_direction(value: object) -> Direction:
    """Return `value` if it is a direction of relations, else raise."""
    shown = value if type(value) is str else reprlib.repr(value)
    for direction in get_args(Direction):
        if shown == direction:
            return direction  # type: ignore[no-any-return]
    raise InvalidValueError(f"There is no direction {reprlib.repr(value)}. {hint(shown, get_args(Direction))}")


def collected(items: object) -> list[Any]:
    """Return the arguments of a bulk operation as a list, unchecked."""
    if not isinstance(items, Iterable) or isinstance(items, str | bytes | dict):
        raise InvalidTypeError(f"A bulk operation takes a list or another iterable, not {type(items).__name__}.")
    return list(items)


def check_items(
    items: Iterable[object], parts: tuple[str, ...], check: Callable[..., T], *, optional: int = 0
) -> list[T]:
    """Return `check(*item)` of each item, which has these parts, the last `optional` or not."""
    result: list[T] = []
    for item in items:
        if not isinstance(item, tuple | list) or not len(parts) - optional <= len(item) <= len(parts):
            shapes = f"({', '.join(parts[: len(parts) - optional])})" + (f" or (..., {parts[-1]})" if optional else "")
            raise InvalidValueError(f"items[{len(result)}] must be {shapes}, not {reprlib.repr(item)}.")
        try:
            result.append(check(*item))
        except (InvalidValueError, InvalidTypeError) as error:
            error.args = (f"items[{len(result)}]: {error}",)
            raise
    return result


def checked_object(value: object, what: str) -> JSONObject:
    """Return a checked copy of a JSON object; `None` gives an empty one.

    Raises `InvalidTypeError` or `InvalidValueError` that names the key path, as
    in `metadata.authors[2]`. Tuples become lists. Cost is linear in the size.
    """
    if value is None:
        return {}
    return checked_value(check_dict(value, what), what)  # type: ignore[no-any-return]


def check_dict(value: object, what: str) -> JSONObject:
    """Return `value` if it is a dict, unchecked, else raise."""
    if type(value) is not dict:
        advice = how_to_make_dict(value)
        raise InvalidTypeError(f"{what} must be a dict, not {type(value).__name__}. {advice}".rstrip())
    return value


def checked_value(value: object, what: str) -> Any:
    """Return a checked copy of any JSON value, as `checked_object` does."""
    try:
        return _checked(value, MAX_DEPTH)
    except RuntimeError as error:
        raise InvalidValueError(f"{what} was changed while it was being stored.") from error
    except _NotJSONError as error:
        shown = error.steps[: -_SHOWN_STEPS - 1 : -1]
        place = "".join(f"[{step}]" if type(step) is int else f".{step}" for step in shown)
        more = "..." if len(error.steps) > len(shown) else ""
        raise error.kind(f"{what}{place}{more}: {error.reason}. {error.advice}".rstrip()) from None


def copied(value: Any) -> Any:
    """Return a deep copy of a value that was checked before."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) if type(item) in _CONTAINERS else item for key, item in value.items()}
    if kind is list:
        return [copied(item) if type(item) in _CONTAINERS else item for item in value]
    return value


def is_large(value: object, parts: int) -> bool:
    """Say whether a value has more than about `parts` parts, a part being a value or 100 characters.

    Stops counting there: the cost is bounded by `parts`.
    """
    waiting = [value]
    while waiting and parts >= 0:
        part = waiting.pop()
        if isinstance(part, dict):
            parts -= len(part) + 1
            waiting.extend(part.values() if parts >= 0 else ())
        elif isinstance(part, list | tuple):
            parts -= len(part) + 1
            waiting.extend(part if parts >= 0 else ())
        elif isinstance(part, str):
            parts -= len(part) // 100
    return parts < 0


_CONTAINERS = frozenset({dict, list})


class _NotJSONError(Exception):
    def __init__(self, kind: type[InvalidTypeError] | type[InvalidValueError], reason: str, advice: str = "") -> None:
        self.kind = kind
        self.reason = reason
        self.advice = advice
        self.steps: list[object] = []  # the innermost first


def _checked(value: object, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        assert isinstance(value, str)
        if not value.isascii():
            _check_json_text(value)
        return value
    if kind is bool or value is None:
        return value
    if kind is int:
        assert isinstance(value, int)
        if not _MIN_INT <= value <= _MAX_INT:
            raise _NotJSONError(InvalidValueError, "an int must fit 64 bits with a sign", "Use str(...).")
        return value
    if kind is float:
        assert isinstance(value, float)
        if not math.isfinite(value):
            raise _NotJSONError(InvalidValueError, f"{value} is not a finite number", "Use None.")
        return value
    if kind is dict or kind is list or kind is tuple:
        if depth == 0:
            raise _NotJSONError(InvalidValueError, f"nested more than {MAX_DEPTH} deep, or inside itself")
        return _checked_dict(value, depth - 1) if isinstance(value, dict) else _checked_list(value, depth - 1)
    reason = f"{kind.__module__}.{kind.__qualname__} is not a JSON value"
    raise _NotJSONError(InvalidTypeError, reason, how_to_convert(value))


def _checked_dict(value: dict[Any, Any], depth: int) -> JSONObject:
    result: JSONObject = {}
    key: object = None
    try:
        for key, item in value.items():
            if type(key) is not str:
                raise _NotJSONError(InvalidTypeError, f"a key must be a str, not {type(key).__name__}", "Use str(...).")
            if not key.isascii():
                _check_json_text(key)
            result[key] = _checked(item, depth)
    except _NotJSONError as error:
        error.steps.append(ascii(key) if type(key) is not str else key.encode("ascii", "backslashreplace").decode())
        raise
    return result


def _checked_list(value: Any, depth: int) -> list[Any]:
    result: list[Any] = []
    try:
        for item in value:
            result.append(_checked(item, depth))  # noqa: PERF401 - its length is the index in an error
    except _NotJSONError as error:
        error.steps.append(len(result))
        raise
    return result


def _check_json_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _NotJSONError(InvalidValueError, f"a lone surrogate at {error.start} is not text") from None


def _check_text(value: str, what: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"The {what} {value!a} holds a lone surrogate at {error.start}.") from None
