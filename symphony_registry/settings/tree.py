"""Settings as a tree in which every value knows where it was written."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import Problem

Path_ = tuple[str, ...]

SECTIONS = tuple(backend_type.section for backend_type in BackendType)


class Origin(NamedTuple):
    """Where a value was written: a line of a file, a variable, or an argument.

    `file` is there for as long as the value may hold references, `references`
    are those that were replaced: `$NAME` or `file:PATH`.
    """

    source: str
    line: int | None = None
    file: Path | None = None
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"

    def problem(self, path: Path_, message: str) -> Problem:
        """Return what is wrong with the value of a key that was written here."""
        return Problem(str(self), path, message)


class Leaf(NamedTuple):
    """A value: a scalar, or a list, which layers replace as a whole."""

    value: Any
    origin: Origin


class Branch(NamedTuple):
    """A mapping, which layers merge."""

    children: dict[str, "Node"]
    origin: Origin

    def find(self, path: Path_) -> "Node":
        """Return the node at `path`, or the last one on the way."""
        node: Node = self
        for key in path:
            if not isinstance(node, Branch) or key not in node.children:
                break
            node = node.children[key]
        return node


Node = Branch | Leaf


def from_mapping(value: Any, origin: Origin) -> Node:
    """Return a tree of plain values that all have one origin."""
    if isinstance(value, Mapping):
        return Branch({str(key): from_mapping(item, origin) for key, item in value.items()}, origin)
    return Leaf(value, origin)


def tree_of(config: Mapping[str, Any], source: str) -> Branch:
    """Return a tree of plain values that all come from `source`."""
    tree = from_mapping(config, Origin(source))
    assert isinstance(tree, Branch)
    return tree


def to_plain(node: Node) -> Any:
    """Return the values of a tree."""
    if isinstance(node, Branch):
        return {key: to_plain(child) for key, child in node.children.items()}
    return node.value


def with_leaves(branch: Branch, change: Callable[[Path_, Leaf], Leaf], path: Path_ = ()) -> Branch:
    """Return a tree whose leaves are what `change` makes of them and of their paths."""
    children: dict[str, Node] = {}
    for key, node in branch.children.items():
        here = (*path, key)
        children[key] = with_leaves(node, change, here) if isinstance(node, Branch) else change(here, node)
    return Branch(children, branch.origin)


class Dropped(NamedTuple):
    """An option that was dropped where a higher layer, `by`, changed the provider that it belonged to."""

    path: Path_
    leaf: Leaf
    provider: str
    by: Origin


def leaves(node: Node, path: Path_ = ()) -> Iterator[tuple[Path_, Leaf]]:
    """Yield the values of a tree with their paths."""
    if isinstance(node, Leaf):
        yield path, node
        return
    for key, child in node.children.items():
        yield from leaves(child, (*path, key))


def merge(lower: Branch, higher: Branch, dropped: list[Dropped], path: Path_ = ()) -> Branch:
    """Return `lower` overlaid by `higher`: mappings merge, lists replace, `None` removes.

    Where `higher` changes the provider of a backend, the options in `lower`
    belonged to the other provider and go to `dropped`.
    """
    children = dict(lower.children)
    change = _changed_provider(lower, higher) if is_backend(path) else None
    if change is not None and (options := children.pop("options", None)) is not None:
        before, after = change
        found = leaves(options, (*path, "options"))
        dropped += [Dropped(each, leaf, str(before.value), after.origin) for each, leaf in found]
    for key, node in higher.children.items():
        below = children.get(key)
        if isinstance(node, Leaf) and node.value is None:
            children.pop(key, None)
        elif isinstance(node, Branch):
            base = below if isinstance(below, Branch) else Branch({}, node.origin)
            children[key] = merge(base, node, dropped, (*path, key))
        else:
            children[key] = node
    return Branch(children, higher.origin)


def is_backend(path: Path_) -> bool:
    """Say whether a path leads to a backend: a section and a name."""
    return len(path) == 2 and path[0] in SECTIONS  # noqa: PLR2004 - section and name


def _changed_provider(lower: Branch, higher: Branch) -> tuple[Leaf, Leaf] | None:
    """Return the provider before and after, where it changes."""
    before, after = lower.children.get("provider"), higher.children.get("provider")
    if isinstance(before, Leaf) and isinstance(after, Leaf) and before.value != after.value:
        return before, after
    return None
