"""`${NAME}`, `${NAME:-default}` and `${file:PATH}` inside values of YAML files."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from symphony_registry.backends.placeholders import placeholder
from symphony_registry.errors import Problem
from symphony_registry.settings.tree import SECTIONS, Branch, Leaf, Path_, with_leaves

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<body>[^}]*)(?P<end>\}?))")
_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class InterpolationError(Exception):
    """A reference that cannot be resolved; says why."""


def interpolated(tree: Branch, variables: Mapping[str, str], problems: list[Problem]) -> Branch:
    """Return the tree with every reference in values from files replaced.

    What is put in is never looked at again: a secret arrives as it is. Values
    from variables and arguments are taken literally.
    """

    def resolve(path: Path_, leaf: Leaf) -> Leaf:
        try:
            return _resolved(leaf, variables)
        except InterpolationError as error:
            problems.append(leaf.origin.problem(path, str(error)))
            return leaf

    return with_leaves(tree, resolve)


def with_providers_named(layer: Branch, variables: Mapping[str, str]) -> Branch:
    """Return a layer whose providers are names already, so that layers can be compared by them.

    One that cannot be resolved stays as it is: `interpolated` says so, if it is used.
    """

    def resolve(path: Path_, leaf: Leaf) -> Leaf:
        if path[0] in SECTIONS and path[2:] == ("provider",):
            with suppress(InterpolationError):
                return _resolved(leaf, variables)
        return leaf

    return with_leaves(layer, resolve)


def _resolved(leaf: Leaf, variables: Mapping[str, str]) -> Leaf:
    """Return a leaf without references; those that were replaced once are not looked at again."""
    if leaf.origin.file is None:
        return leaf
    directory = leaf.origin.file.parent
    value = _replace_in(leaf.value, lambda text: expand(text, variables, directory))
    return Leaf(value, leaf.origin._replace(file=None, references=references(leaf.value)))


def references(value: Any) -> tuple[str, ...]:
    """Return what a value refers to, without the defaults: they may be secrets.

    >>> references(["${HOST:-localhost}:${PORT}", "${file:secret}"])
    ('$HOST', '$PORT', 'file:secret')
    """
    if isinstance(value, dict | list):
        nested = value.values() if isinstance(value, dict) else value
        return tuple(dict.fromkeys(name for item in nested for name in references(item)))
    bodies = [match["body"] for match in _REFERENCE.finditer(value) if match["body"]] if isinstance(value, str) else []
    return tuple(dict.fromkeys(body if body.startswith("file:") else f"${body.partition(':-')[0]}" for body in bodies))


def expand(text: str, variables: Mapping[str, str], directory: Path) -> str:
    """Return `text` with its references replaced; files are relative to `directory`.

    >>> expand("${HOST:-localhost}:${PORT}, $$5", {"PORT": "5432"}, Path())
    'localhost:5432, $5'
    """

    def replace(match: re.Match[str]) -> str:
        if match["body"] is None:
            return "$"
        if not match["end"]:
            raise InterpolationError("${ is not closed by }. Write $${ for a literal ${.")
        return _resolve(match["body"], variables, directory)

    _refuse_foreign(_REFERENCE.sub(" ", text))
    return _REFERENCE.sub(replace, text)


def _refuse_foreign(text: str) -> None:
    form = placeholder(text)
    if form is not None:
        literal = "write $$ for a dollar" if form.startswith("$") else "a variable's own value may hold it"
        raise InterpolationError(
            f"{form} is not replaced here. Write ${{NAME}}; if it is meant literally, {literal}; a path has none."
        )


def _resolve(body: str, variables: Mapping[str, str], directory: Path) -> str:
    if "${" in body:
        raise InterpolationError("a reference cannot be inside another.")
    if body.startswith("file:"):
        return read_text(body.removeprefix("file:"), directory)
    match = _NAME.fullmatch(body)
    if match is None:
        shown = body.partition(":-")[0]  # a default may be a secret
        raise InterpolationError(
            f"${{{shown}}} is not a reference: write ${{NAME}}, ${{NAME:-default}} or ${{file:PATH}}."
        )
    name, default = match["name"], match["default"]
    if value := variables.get(name):
        return value
    if default is None:
        state = "empty" if name in variables else "not set"
        raise InterpolationError(f"the variable {name} is {state}. Set it, or write ${{{name}:-default}}.")
    _refuse_foreign(default.replace("$$", " "))
    return default.replace("$$", "$")


def read_text(name: str, directory: Path = Path()) -> str:
    """Return the text of a file, without what editors add: a byte-order mark, and a line end at its end."""
    path = directory / name
    try:
        path = directory / Path(name).expanduser()
        text = path.read_text("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InterpolationError(f"the file {path} is not UTF-8.") from error
    except (OSError, ValueError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise InterpolationError(f"the file {path} cannot be read: {said}.") from error
    if not text:
        raise InterpolationError(f"the file {path} is empty.")
    return text


def _replace_in(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, list):
        return [_replace_in(item, replace) for item in value]
    if isinstance(value, dict):
        return {key: _replace_in(item, replace) for key, item in value.items()}
    return value
