"""What of a configuration may be shown."""

import re
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from symphony_registry.backends.options import fields_of
from symphony_registry.settings.tree import Path_

MASK = "********"

_SECRETIVE = re.compile(
    r"pass(?:word|wd|phrase)|secret|credential|(?:api|access|private|account)[_-]?key"
    r"|(?<![a-z])(?:pass|pwd|pw|tokens?|dsn|auth)(?![a-z])",
    re.IGNORECASE,
)
# `://user:password@` of a URL, `password=...` of a URL or a DSN
_INSIDE = re.compile(
    r"(?P<before>://[^\s/@:]*:)\S+(?=@)|(?P<name>(?:password|passwd|pwd|secret|token|key)=)[^\s&;]+", re.IGNORECASE
)


def declared(model: type[BaseModel] | None, path: Path_) -> FieldInfo | None:
    """Return the field of an options model, or of a model inside it, that a path leads to."""
    field: FieldInfo | None = None
    for key in path:
        field = fields_of(model).get(key) if model is not None else None
        if field is None:
            return None
        model = next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)
    return field


def masked(path: Path_, value: Any, references: tuple[str, ...], field: FieldInfo | None) -> Any:
    """Return an option's value with what may be a secret replaced by `MASK`.

    A secret is what its model or its name says, what comes from a file of its
    own or from a variable with such a name, and what comes from outside the
    files where no model says what it is.
    """
    if value is None or isinstance(value, bool):
        return value
    outside = any(reference.startswith("file:") or _SECRETIVE.search(reference) for reference in references)
    if outside or any(map(_SECRETIVE.search, path)) or (references and field is None):
        return MASK
    if field is not None and any(issubclass(kind, SecretStr | SecretBytes) for kind in _kinds(field.annotation)):
        return MASK
    return _without_passwords(value)


def _without_passwords(value: Any) -> Any:
    if isinstance(value, str):
        return _INSIDE.sub(lambda match: f"{match['before'] or match['name']}{MASK}", value)
    if isinstance(value, list):
        return [_without_passwords(item) for item in value]
    if isinstance(value, dict):
        return {key: MASK if _SECRETIVE.search(key) else _without_passwords(item) for key, item in value.items()}
    return value


def _kinds(annotation: Any) -> list[type]:
    """Return the classes in an annotation: of `SecretStr | None`, both."""
    inner = [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [annotation, *inner] if isinstance(annotation, type) else inner
