"""What of a configuration may be shown."""

import re
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from symphony_registry.backends.options import fields_of
from symphony_registry.settings.tree import Path_

MASK = "********"

# Parts of names; where a name may go on after one, that is another word, as in `tokenizer`.
_SECRETIVE = re.compile(
    r"pass(?:word|wd|phrase|code|key)|secret|credential|authorization|bearer|cookie|jwt|signature"
    r"|(?:tokens?|key)(?![a-z])|(?<![a-z])(?:pass|pwd|pw|dsn|auth|sig|pem)(?![a-z])",
    re.IGNORECASE,
)
# `name=` and `name: ` in a text, in quotes too, and what may follow.
_NAME = re.compile(r"""(?<![\w.-])[\w.-]+["']?\s*[=:]\s*""")
_VALUE = re.compile(
    r"""(?:(?:bearer|basic)\s+)?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s&;]+)""", re.IGNORECASE | re.DOTALL
)
_PEM = "-----BEGIN"


def masked(path: Path_, value: Any, references: tuple[str, ...], model: type[BaseModel] | None) -> Any:
    """Return an option's value with what may be a secret replaced by `MASK`; `model` is that of the options.

    A secret is what its model or its name says, what the model does not know
    (its name may be misspelt), what comes from a file of its own or from a
    variable with such a name, and what comes from outside the files where no
    model says what it is.
    """
    if value is None or isinstance(value, bool):
        return value
    if any(reference.startswith("file:") or _SECRETIVE.search(reference) for reference in references):
        return MASK
    if any(map(_SECRETIVE.search, path)):
        return MASK
    field: FieldInfo | None = None
    for key in path:
        if model is None:
            field = None
            break
        field = fields_of(model).get(key)
        if field is None:
            return MASK
        model = next((kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)), None)
    if references and field is None:
        return MASK
    if field is not None and any(issubclass(kind, SecretStr | SecretBytes) for kind in _kinds(field.annotation)):
        return MASK
    return _without_secrets(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return MASK if _PEM in value else _without_named(_without_user(value))
    if isinstance(value, list):
        flags = [None, *value]  # a secret may follow its name, as in a command
        return [MASK if _is_flag(flag) else _without_secrets(item) for flag, item in zip(flags, value, strict=False)]
    if isinstance(value, dict):
        return {key: MASK if _SECRETIVE.search(key) else _without_secrets(item) for key, item in value.items()}
    return value


def _without_user(text: str) -> str:
    """Mask `user:password` of a URL, whatever characters they have."""
    before, at, after = text.rpartition("@")
    scheme, sign, _ = before.partition("://")
    return f"{scheme}{sign}{MASK}{at}{after}" if at and sign else text


def _without_named(text: str) -> str:
    """Mask what follows a secretive name, as in a query, a DSN or JSON."""
    parts: list[str] = []
    at = 0
    while name := _NAME.search(text, at):
        parts.append(text[at : name.end()])
        at = name.end()
        if _SECRETIVE.search(name[0]) and (value := _VALUE.match(text, at)):
            parts.append(MASK)
            at = value.end()
    return "".join([*parts, text[at:]])


def _is_flag(item: Any) -> bool:
    return isinstance(item, str) and item.startswith("-") and _SECRETIVE.search(item) is not None and "=" not in item


def _kinds(annotation: Any) -> list[type]:
    """Return the classes in an annotation: of `SecretStr | None`, both."""
    inner = [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [annotation, *inner] if isinstance(annotation, type) else inner
