"""The options of a backend: a pydantic model per provider."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from symphony_registry.errors import InvalidValueError, hint

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BackendOptions(BaseModel):
    """The base of an options model: unknown options are refused, values never shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their names in configuration files."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


class UnknownOptionWarning(UserWarning):
    """An option given in code that the provider does not know, and ignores."""


# Where pydantic speaks of its own classes.
_REASONS = {
    "missing": "this option is required",
    "dict_type": "here belongs a mapping",
    "model_type": "here belongs a mapping",
    "path_type": "here belongs a path",
}

OptionsT = TypeVar("OptionsT", bound=BackendOptions)


def read_options(model: type[OptionsT], config: Mapping[str, Any] | None, owner: str) -> OptionsT:
    """Return the options of a backend that is built in code.

    Unknown ones are ignored with an `UnknownOptionWarning` (configuration files
    are checked more strictly before); a wrong value raises `InvalidValueError`.
    """
    given = dict(config or {})
    known = fields_of(model)
    for name in given.keys() - known.keys():
        del given[name]
        warnings.warn(f"{owner} has no option {name!r}. {hint(name, known)}", UnknownOptionWarning, stacklevel=4)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {reason(e)}" for e in error.errors(include_input=False))
        raise InvalidValueError(f"{owner} cannot use its options: {problems}.") from None


def reason(error: Any) -> str:
    """Return what one of pydantic's errors says, as the end of a sentence.

    >>> reason({"type": "missing", "msg": "Field required"})
    'this option is required'
    """
    if error["type"] in _REASONS:
        return _REASONS[error["type"]]
    message: str = error["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
