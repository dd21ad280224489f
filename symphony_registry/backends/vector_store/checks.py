"""What may be stored and searched for: vectors and similarities, checked."""

import math
import reprlib
from typing import TYPE_CHECKING

import numpy as np

from symphony_registry.errors import DimensionError, InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from symphony_registry.backends.vector_store.base import Float32s, Metric

# Between these, a sum of squares tells that no number is infinite, and not all are zero.
_ORDINARY = (1e-30, 1e30)


# What numpy calls by a letter.
_KINDS = {"b": "booleans", "c": "complex numbers", "S": "bytes", "U": "text", "M": "dates", "m": "durations"}


def check_similarity(value: object) -> float:
    """Return the least similarity that is wanted, minus infinity for `None`, or raise."""
    if value is None:
        return -math.inf
    if type(value) is not float:
        raise InvalidTypeError(f"min_similarity must be a float, not {reprlib.repr(value)}. Use float(...).")
    if not math.isfinite(value):
        raise InvalidValueError(f"min_similarity must be finite, not {value}. Leave it out for any similarity.")
    return value


def check_vector(vector: object, dimension: int | None, metric: "Metric", what: str = "vector") -> "Float32s":
    """Return a float32 copy of `vector` if it can be stored or searched for, else raise.

    `dimension` is the store's, `None` where it is not fixed yet.
    """
    if isinstance(vector, str | bytes | dict | set):
        raise InvalidValueError(f"The {what} must be a sequence or array of numbers, not {type(vector).__name__}.")
    try:
        given = np.asarray(vector)
    except Exception as error:  # numpy asks the object, which may raise anything
        raise InvalidValueError(
            f"The {what} is not a 1-D sequence of numbers: its parts cannot be read, or have different lengths."
        ) from error
    if given.ndim == 0:
        raise InvalidValueError(f"The {what} must be a sequence or array of numbers, not {type(vector).__name__}.")
    if given.ndim != 1:
        raise InvalidValueError(f"The {what} must have one axis, not {given.ndim} (its shape is {given.shape}).")
    if given.dtype.kind not in "fiu" and given.size:
        raise InvalidValueError(f"The {what} must hold numbers only, not {_KINDS.get(given.dtype.kind, 'objects')}.")
    if given.size == 0:
        raise InvalidValueError(f"The {what} is empty.")
    if dimension is not None and given.size != dimension:
        raise DimensionError(dimension, given.size, what)
    if given.dtype == np.float32:
        result = given.copy()
    else:
        with np.errstate(over="ignore"):
            result = given.astype(np.float32)
    if _ORDINARY[0] < np.vdot(result, result) < _ORDINARY[1]:  # finite, and not zero
        return result
    if not np.isfinite(result).all():
        raise InvalidValueError(f"The {what} holds a NaN, an infinity or a number too large for float32.")
    if metric == "cosine" and not result.any():
        raise InvalidValueError(f"The {what} has length zero (as float32), which has no cosine.")
    return result
