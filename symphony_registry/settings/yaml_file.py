"""Reading one YAML file: plain values only, each with its line."""

import re
from pathlib import Path
from typing import Any

import yaml

from symphony_registry.errors import Problem
from symphony_registry.settings.tree import Branch, Leaf, Node, Origin, Path_, to_plain

MAX_BYTES = 1_000_000
_MAX_VALUES = 10_000
_MAX_DEPTH = 50
# A key at the top that begins so only holds anchors, for use elsewhere in the file.
_ANCHORS = "x-"

_TAG = "tag:yaml.org,2002:"
# What the parser quotes of itself: a character, as Python writes it, and the name of a token.
_HARMLESS = re.compile(r"|.|\\.|\\[xuU][0-9a-f]+|<[a-z ]+>")
# In the parser's words: a second document, and a key where a text goes on.
_SECOND_DOCUMENT = "expected a single document in the stream"
_KEY_IN_TEXT = "mapping values are not allowed here"
_AS_TEXT = (f"{_TAG}str", f"{_TAG}timestamp")
_AS_VALUE = tuple(f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float"))


def read_yaml(path: Path, problems: list[Problem]) -> Branch:
    """Return the tree of a file; what is wrong with it is added to `problems`."""
    empty = Branch({}, Origin(str(path), 1, path))

    def refuse(message: str, line: int | None = None) -> Branch:
        problems.append(Origin(str(path), line).problem((), message))
        return empty

    try:
        raw = path.read_bytes()
    except OSError as error:
        return refuse(f"the file cannot be read: {error.strerror}.")
    if len(raw) > MAX_BYTES:
        return refuse(f"the file has {len(raw):,} bytes; a configuration has at most {MAX_BYTES:,}.")
    try:
        root = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        return refuse(f"the file is not UTF-8: {error.reason} at byte {error.start}.")
    except yaml.MarkedYAMLError as error:
        if error.context == _SECOND_DOCUMENT and error.problem_mark is not None:
            message = "a second document begins here, and one file is one document; a layer is a file of its own."
            return refuse(message, error.problem_mark.line + 1)
        mark = error.problem_mark or error.context_mark
        said = _without_tokens(error.problem or error.context or "")
        advice = " Is there a space after the colon in the line before?" if said == _KEY_IN_TEXT else ""
        return refuse(f"this is not YAML: {said}.{advice}", mark.line + 1 if mark else None)
    except RecursionError:
        return refuse("the file is nested too deep.")
    except yaml.YAMLError as error:
        return refuse(f"this is not YAML: {str(error).splitlines()[0]}.")
    if root is None:
        return refuse("the file is empty. Write {} if no settings are meant.")
    if not isinstance(root, yaml.MappingNode):
        kind = "list" if isinstance(root, yaml.SequenceNode) else "single value"
        return refuse(f"there must be a mapping at the top, not a {kind}.", root.start_mark.line + 1)
    if root.tag != f"{_TAG}map":
        return refuse(f"{_not_allowed(root.tag)}.", root.start_mark.line + 1)
    try:
        tree = _Reader(path, problems).mapping(root, (), 0)
    except _TooLargeError as error:
        return refuse(str(error))
    return Branch({key: node for key, node in tree.children.items() if not key.startswith(_ANCHORS)}, tree.origin)


def _without_tokens(problem: str) -> str:
    """Return what the parser says without the words of the file that it quotes: one may be a secret."""
    return re.sub(
        r"'[^']*'|\"[^\"]*\"", lambda quoted: quoted[0] if _HARMLESS.fullmatch(quoted[0][1:-1]) else "...", problem
    )


def _not_allowed(tag: str) -> str:
    name = f"tag {tag.replace(_TAG, '!!')}" if tag.startswith(_TAG) else "tag after !"  # which may be a secret
    return f"the {name} is not allowed: only plain values are, and ${{NAME}} for a variable"


class _TooLargeError(Exception):
    pass


class _Reader:
    """Turns composed nodes into a tree, without building any object of a tag's."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def mapping(self, node: yaml.MappingNode, where: Path_, depth: int) -> Branch:
        self._refuse_duplicates(node, where)
        children: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key_node.tag == f"{_TAG}merge":
                merged = {**self._merged(value_node, where, depth + 1), **merged}
            elif not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _AS_TEXT:
                self._problem(
                    key_node, where, f"a key must be text: put {key if isinstance(key, str) else 'it'} in quotes"
                )
            else:
                node_here = self._node(value_node, (*where, key), depth + 1)
                children[key] = node_here._replace(origin=self._origin(key_node))
        return Branch({**merged, **children}, self._origin(node))

    def _merged(self, node: Any, where: Path_, depth: int) -> dict[str, Node]:
        """Return what a merge key, `<<: *defaults` or a list of them, brings."""
        self._count(depth)
        if isinstance(node, yaml.SequenceNode):
            parts = [self._merged(part, where, depth + 1) for part in reversed(node.value)]
            return {key: child for part in parts for key, child in part.items()}
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, where, depth).children
        self._problem(node, where, "a merge key takes a mapping or a list of mappings")
        return {}

    def _node(self, node: Any, where: Path_, depth: int) -> Node:
        self._count(depth)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, where, depth)
        return Leaf(self._value(node, where, depth), self._origin(node))

    def _value(self, node: Any, where: Path_, depth: int) -> Any:
        self._count(depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            items = enumerate(node.value)
            return [self._value(item, (*where[:-1], f"{where[-1]}[{index}]"), depth + 1) for index, item in items]
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return to_plain(self.mapping(node, where, depth))
        if isinstance(node, yaml.ScalarNode) and node.tag in _AS_TEXT:
            return node.value
        if isinstance(node, yaml.ScalarNode) and node.tag in _AS_VALUE:
            try:
                return self._constructor.construct_object(node)
            except (ValueError, yaml.YAMLError):
                self._problem(
                    node, where, f"this is not a valid {node.tag.replace(_TAG, '')}; put it in quotes if text is meant"
                )
                return None
        self._problem(node, where, _not_allowed(node.tag))
        return None

    def _refuse_duplicates(self, node: yaml.MappingNode, where: Path_) -> None:
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            line = key_node.start_mark.line + 1
            if key_node.value in lines:
                here = (*where, key_node.value)
                self._problem(key_node, here, f"this key is already in line {lines[key_node.value]}")
            lines.setdefault(key_node.value, line)

    def _count(self, depth: int) -> None:
        self._values += 1
        if self._values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise _TooLargeError(
                f"the file expands to more than {_MAX_VALUES:,} values, or is nested more than {_MAX_DEPTH} deep "
                "(aliases count as often as they are used)."
            )

    def _origin(self, node: Any) -> Origin:
        return Origin(str(self._path), node.start_mark.line + 1, self._path)

    def _problem(self, node: Any, where: Path_, message: str) -> None:
        self._problems.append(self._origin(node).problem(where, f"{message}."))
