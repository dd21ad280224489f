"""The options of a backend: a pydantic model for each provider."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from symphony_registry.backends.values import copied
from symphony_registry.errors import InvalidValueError, hint

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StrictModel(BaseModel):
    """A model that says what is wrong: no unknown field, no `yes` for a number or a choice; no value in a message."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_yes_and_no(cls, value: object, field: ValidationInfo) -> object:
        annotation = cls.model_fields[str(field.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            raise ValueError("a number is expected here, not true or false")  # which pydantic takes for 1 and 0
        if isinstance(value, bool) and get_origin(annotation) is Literal:
            choices = " or ".join(get_args(annotation))
            raise ValueError(f"{choices} is expected here, not true or false (as YAML reads yes, no, on and off)")
        return value


class BackendOptions(StrictModel):
    """The base of an options model: unknown options are refused, values never shown."""

    def exclusive(self) -> dict[str, str]:
        """Return the options that lead to what no other backend may use, with its path; what lies in it is taken."""
        return {}


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their names in configuration files."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


class UnknownOptionWarning(UserWarning):
    """An option given in code that the provider does not know, and ignores."""


# Where pydantic speaks of its own classes.
_REASONS = {
    "missing": "this option is required",
    "dict_type": "a mapping is expected here",
    "model_type": "a mapping is expected here",
    "path_type": "a path is expected here",
    "string_too_short": "a text is expected here",
}

OptionsT = TypeVar("OptionsT", bound=BackendOptions)


class ValidatedOptions(dict[str, Any]):
    """Options with the model that they made when they were validated, so that nobody does it again."""

    def __init__(self, given: Mapping[str, Any], made: BaseModel) -> None:
        super().__init__(given)
        self._made = made
        self._validated = copied(dict(given))

    def copy(self) -> dict[str, Any]:
        """Return a deep copy; options that were changed since are not validated any more."""
        own: dict[str, Any] = copied(dict(self))
        return ValidatedOptions(own, self._made) if own == self._validated else own

    @property
    def made(self) -> BaseModel:
        """What they made when they were validated."""
        return self._made

    def as_model(self, model: type[OptionsT]) -> OptionsT | None:
        """Return what they made, if that is of this model and they were not changed since."""
        return self._made if isinstance(self._made, model) and self == self._validated else None


def read_options(model: type[OptionsT], config: Mapping[str, Any] | None, owner: str) -> OptionsT:
    """Return the options that a backend is built with.

    Those of a configuration file were validated before, with their places. In
    those given in code, unknown ones are ignored with an `UnknownOptionWarning`,
    and a wrong value raises `InvalidValueError`.
    """
    if isinstance(config, ValidatedOptions) and (made := config.as_model(model)) is not None:
        return made
    given = dict(config or {})
    known = fields_of(model)
    for name in given.keys() - known.keys():
        del given[name]
        warnings.warn(f"{owner} has no option {name!r}. {hint(name, known)}", UnknownOptionWarning, stacklevel=4)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_input=False)
        problems = "; ".join(": ".join([*map(str, each["loc"]), reason(each)]) for each in found)
        names = tuple(dict.fromkeys(str(each["loc"][0]) for each in found if each["loc"]))
        raise InvalidValueError(f"{owner} cannot use its options: {problems}.", options=names) from None


def reason(error: Any) -> str:
    """Return what one of pydantic's errors says, as the end of a sentence.

    >>> reason({"type": "missing", "msg": "Field required"})
    'this option is required'
    """
    if error["type"] in _REASONS:
        return _REASONS[error["type"]]
    message: str = error["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
