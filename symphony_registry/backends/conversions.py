"""How to make JSON of what is none: the last words of an error, so that nothing here is imported before."""

from typing import Any


def how_to_convert(value: Any) -> str:
    """Return the sentence that says what to pass instead of a value that is no JSON, nothing where that is not known.

    >>> import datetime
    >>> how_to_convert(datetime.date(2024, 5, 1))
    'Use its .isoformat().'
    >>> how_to_convert(object())
    ''
    """
    from collections.abc import Iterable  # noqa: PLC0415 - nobody pays for errors that do not happen
    from datetime import date, time, timedelta  # noqa: PLC0415
    from decimal import Decimal  # noqa: PLC0415
    from enum import Enum  # noqa: PLC0415
    from fractions import Fraction  # noqa: PLC0415
    from pathlib import PurePath  # noqa: PLC0415
    from uuid import UUID  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    if advice := how_to_make_dict(value):
        return advice
    match value:
        case Enum():
            use = "its .value"
        case np.datetime64() | np.timedelta64() | UUID() | PurePath() | str():
            use = "str(...)"
        case np.generic():
            use = "its .item()"
        case object(tolist=_):  # arrays, tensors and columns, whoever makes them
            use = "its .tolist()"
        case date() | time():
            use = "its .isoformat()"
        case timedelta():
            use = "its .total_seconds()"
        case bytes() | bytearray() | memoryview():
            use = "base64.b64encode(...).decode(), or bytes of a text with .decode()"
        case Decimal() | Fraction():
            use = "float(...), or str(...) where all digits matter"
        case int() | float():
            use = f"{'int' if isinstance(value, int) else 'float'}(...)"
        case set() | frozenset():
            use = "sorted(...), or list(...)"
        case Iterable():
            use = "list(...)"
        case _:
            return ""
    return f"Use {use}."


def how_to_make_dict(value: Any) -> str:
    """Return the sentence that says how to make a dict of a value, nothing where that is not known."""
    import dataclasses  # noqa: PLC0415
    from collections.abc import Mapping  # noqa: PLC0415

    from pydantic import BaseModel  # noqa: PLC0415

    match value:
        case BaseModel():
            return 'Use its .model_dump(mode="json").'
        case Mapping():
            return "Use dict(...)."
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return "Use dataclasses.asdict(...)."
        case _:
            return ""
