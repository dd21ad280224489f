"""Settings from environment variables: `SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__PROVIDER=file`."""

import json
import re
from collections.abc import Iterable, Mapping

from symphony_registry.errors import Problem, hint
from symphony_registry.settings.interpolation import InterpolationError, read_text
from symphony_registry.settings.tree import SECTIONS, Branch, Leaf, Node, Origin, Path_, from_mapping, is_backend

PREFIX = "SYMPHONY_REGISTRY_"
ENVIRONMENT = f"{PREFIX}ENV"
CONFIG_DIR = f"{PREFIX}CONFIG_DIR"

_SEPARATOR = "__"
# What the name of an option may end with: its value is in a file then, as secrets of containers are.
_FILE = "FILE"
_OPTION_PARTS = 4  # section, backend, options, option
_TOP = (*SECTIONS, "timeouts")
# What Kubernetes sets for a Service whose name begins with symphony-registry.
_SERVICE_LINK = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def read_variables(variables: Mapping[str, str], below: Branch, problems: list[Problem]) -> Branch:
    """Return the tree that variables make; misspelt ones are added to `problems`.

    A name's parts are matched with the keys in the layers `below`: the same, else
    without regard to case, else to the difference between - and _ too. A value is
    taken literally; where a mapping belongs, it is JSON. After an option `__FILE`
    says that the value is in a file.
    """
    root = Branch({}, Origin("the environment"))
    names = [name for name in variables if name.startswith(PREFIX) and name not in (ENVIRONMENT, CONFIG_DIR)]
    names = [name for name in names if "__" in name or not _SERVICE_LINK.fullmatch(name.removeprefix(PREFIX))]
    for name in sorted(names, key=lambda name: (name.count(_SEPARATOR), name)):
        origin = Origin(f"${name}")
        parts = name.removeprefix(PREFIX).split(_SEPARATOR)
        if parts[0].lower() not in _TOP or not all(parts):
            message = f"there is no such setting. {hint(name, _spellings(below), 'For example', PREFIX)}"
            problems.append(origin.problem((), message))
            continue
        value = variables[name]
        if len(parts) > _OPTION_PARTS and parts[-1].upper() == _FILE:
            parts.pop()
            try:
                origin, value = origin._replace(references=(f"file:{value}",)), read_text(value)
            except InterpolationError as error:
                problems.append(origin.problem((), str(error)))
                continue
        _put(root, parts, value, origin, below, problems)
    return root


def _put(root: Branch, parts: list[str], value: str, origin: Origin, below: Branch, problems: list[Problem]) -> None:
    branch: Branch = root
    known: Node | None = below
    path: Path_ = ()
    for depth, part in enumerate(parts):
        siblings = known.children if isinstance(known, Branch) else {}
        found = _matching(part, [*siblings, *branch.children])
        if len(found) > 1:
            problems.append(
                origin.problem((*path, part.lower()), _ambiguous(found, PREFIX + _SEPARATOR.join(parts[:depth])))
            )
            return
        (key,) = found
        known = siblings.get(key)
        path = (*path, key)
        if depth < len(parts) - 1:
            child = branch.children.setdefault(key, Branch({}, origin))
            if not isinstance(child, Branch):
                problems.append(origin.problem(path, "another variable sets this to a single value."))
                return
            branch = child
        elif key in branch.children and origin.references:
            problems.append(origin.problem(path, "another variable sets this too. Remove one of them."))
        else:
            branch.children[key] = _value(path, value, origin, problems)


def _value(path: Path_, value: str, origin: Origin, problems: list[Problem]) -> Node:
    if not _is_mapping(path):
        return Leaf(value, origin)
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    if not isinstance(parsed, dict | None):
        problems.append(origin.problem(path, 'a JSON object is expected here, as in {"key": "value"}, or null.'))
        return Leaf(None, origin)
    return from_mapping(parsed, origin)


def _is_mapping(path: Path_) -> bool:
    """Say whether a mapping belongs here: a section, a backend, or its options."""
    return len(path) == 1 or is_backend(path) or (is_backend(path[:2]) and path[2:] == ("options",))


def _matching(part: str, keys: Iterable[str]) -> set[str]:
    """Return the keys that a part of a name is nearest to; one that there is not yet is written in small letters."""
    for spelt in (str, str.lower, lambda key: key.lower().replace("-", "_")):
        if found := {key for key in keys if spelt(key) == spelt(part)}:
            return found
    return {part.lower()}


def _ambiguous(found: set[str], parent: str) -> str:
    return f"{' and '.join(sorted(found))} are equally near to this name. Set {parent} to a JSON object instead."


def _spellings(below: Branch) -> list[str]:
    """Return variables that would be understood."""
    examples = [ENVIRONMENT, CONFIG_DIR, f"{PREFIX}TIMEOUTS__OPEN"]
    for section in SECTIONS:
        found = below.children.get(section)
        names = found.children if isinstance(found, Branch) else ["default"]
        examples += [
            _SEPARATOR.join([f"{PREFIX}{section}", name, "provider"]).upper().replace("-", "_") for name in names
        ]
    return examples
