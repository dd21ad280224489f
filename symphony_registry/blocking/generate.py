"""Writes `generated/`, the async classes without `await`: `python symphony_registry/blocking/generate.py`.

An `async def` becomes a `def` that waits, an async iterator an iterator, a public
attribute a property; what is not async is called as it is. What gives a backend
gives its blocking class.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

GENERATED = Path(__file__).parent / "generated"
PACKAGE = "symphony_registry"


class Source(NamedTuple):
    """An async class, and the blocking one that is generated from it."""

    module: str
    name: str
    blocking: str
    bases: str

    @property
    def code(self) -> str:
        """The text of the module."""
        return GENERATED.parents[1].joinpath(*self.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


SOURCES = {
    "backend": Source("backends.storage", "StorageBackend", "BlockingBackend", "BackendTarget[B_co]"),
    **{
        module: Source(
            f"backends.{module}.base", f"{kind}Backend", f"Blocking{kind}", f"BlockingBackend[{kind}Backend]"
        )
        for module, kind in {
            "vector_store": "VectorStore",
            "knowledge_graph": "KnowledgeGraph",
            "checkpoint_store": "CheckpointStore",
        }.items()
    },
    "registry": Source("registry", "ServiceRegistry", "RegistryOperations", "RegistryTarget"),
}
_BLOCKING = {source.name: source.blocking for source in SOURCES.values()}
_ORIGINS = {
    **{source.blocking: f"{PACKAGE}.blocking.generated.{module}" for module, source in SOURCES.items()},
    **dict.fromkeys(("B_co", "BackendTarget"), f"{PACKAGE}.blocking.backend_target"),
    "RegistryTarget": f"{PACKAGE}.blocking.registry_target",
    "Iterator": "collections.abc",
}
# What providers and the process call, and what blocking classes are made by.
_LEFT_OUT = {"abandon", "ensure_open", "ensure_no_other_loop", "in_thread"}


def generate(code: str, source: Source) -> str:
    """Return the module of the blocking class that is made of one in `code`, not formatted yet."""
    tree = ast.parse(code)
    original = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == source.name)
    lines = [f"class {source.blocking}({source.bases}):", f'    """A `{source.name}` without `await`."""']
    for member in _members(original):
        lines += ["", *(f"    {line}" for line in ast.unparse(member).splitlines())]
    text = "\n".join(lines)
    title = f'"""Generated from `{source.name}` by `{PACKAGE}.blocking.generate`: do not edit."""'
    return f"{title}\n\n{_imports(text, tree, source)}\n\n\n{text}\n"


def _members(original: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for member in original.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = [ast.unparse(decorator) for decorator in member.decorator_list]
            if not (member.name.startswith("_") or member.name in _LEFT_OUT or "classmethod" in decorators):
                yield _method(member, [name for name in decorators if name != "abstractmethod"])
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            restated = member.value is not None and "ClassVar" in ast.unparse(member.annotation)
            if not (member.target.id.startswith("_") or restated):
                yield _attribute(member.target.id, member.annotation)


def _attribute(name: str, annotation: ast.expr) -> ast.FunctionDef:
    kind = re.sub(r"^ClassVar\[(.*)\]$", r"\1", ast.unparse(annotation))
    source = f'''
@property
def {name}(self) -> {kind}:
    """The backend's `{name}`."""
    return self._target.{name}
'''
    return _function(source)


def _method(original: ast.FunctionDef | ast.AsyncFunctionDef, decorators: list[str]) -> ast.FunctionDef:
    """Return a method without `await` that calls the original."""
    returned = "None" if original.returns is None else ast.unparse(original.returns)
    given = re.sub(r"^AsyncIterator\b", "Iterator", _blocking(returned))
    lines = [f"@{decorator}" for decorator in decorators]
    lines += [f"def {original.name}({_blocking(ast.unparse(original.args))}) -> {given}:"]
    if "overload" in decorators:
        return _function("\n".join([*lines, "    ..."]))
    if (said := ast.get_docstring(original)) is not None:
        lines.append(f'    """{said.splitlines()[0]}"""')
    lines.append(f"    {_body(original, decorators, given)}")
    return _function("\n".join(lines))


def _body(original: ast.FunctionDef | ast.AsyncFunctionDef, decorators: list[str], given: str) -> str:
    target = f"self._target.{original.name}"
    arguments = _arguments(original.args)
    if f"{original.name}.setter" in decorators:
        return f"{target} = {arguments[0]}"
    if "property" in decorators:
        return f"return {target}"
    if given.startswith("Iterator["):
        call = f"self._iterate({', '.join([target, *arguments])})"
    elif isinstance(original, ast.AsyncFunctionDef):
        call = f"self._call({', '.join([target, *arguments])})"
    elif given == "BlockingBackend" or given in _BLOCKING.values():
        call = f"self._opened({', '.join([target, *arguments])})"
    else:
        call = f"{target}({', '.join(arguments)})"
    if given == "BlockingBackend":
        return f"return self._blocking({call})"
    if given in _BLOCKING.values():
        return f"return {given}({call}, self._loop)"
    return call if given == "None" else f"return {call}"


def _arguments(of: ast.arguments) -> list[str]:
    """Return what passes a method's own arguments on, after `self`."""
    passed = [_argument(argument) for argument in [*of.posonlyargs, *of.args]][1:]
    passed += [f"*{of.vararg.arg}"] if of.vararg else []
    passed += [f"{argument.arg}={_argument(argument)}" for argument in of.kwonlyargs]
    passed += [f"**{of.kwarg.arg}"] if of.kwarg else []
    return passed


def _argument(argument: ast.arg) -> str:
    iterable = argument.annotation is not None and "Iterable[" in ast.unparse(argument.annotation)
    return f"self._collected({argument.arg})" if iterable else argument.arg


def _blocking(annotations: str) -> str:
    """Return annotations in which the async classes are the blocking ones."""
    return re.sub(r"\w+", lambda name: _BLOCKING.get(name[0], name[0]), annotations)


def _function(source: str) -> ast.FunctionDef:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    return function


def _imports(text: str, original: ast.Module, source: Source) -> str:
    """Return the imports of the names in `text`, from where the original has them, sorted as ruff does."""
    origins: dict[str, tuple[str, str]] = {}  # module and name; no name where the module is meant
    for node in original.body:
        match node:
            case ast.ImportFrom(module=str(module)):
                origins |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
            case ast.Import():
                origins |= {alias.asname or alias.name: (alias.name, "") for alias in node.names}
            case (
                ast.ClassDef(name=name)
                | ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ):
                origins[name] = (f"{PACKAGE}.{source.module}", name)
    origins |= {name: (module, name) for name, module in _ORIGINS.items()}
    origins.pop(source.blocking, None)
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    lines: list[str] = []
    for module, group in groupby(sorted((*origins[name], name) for name in used & origins.keys()), itemgetter(0)):
        members = [(member, name) for _, member, name in group]
        lines += [
            f"import {module}" if name == module else f"import {module} as {name}"
            for member, name in members
            if not member
        ]
        if plain := sorted((member for member, name in members if member == name), key=_rank):
            lines.append(f"from {module} import {', '.join(plain)}")
        lines += [f"from {module} import {member} as {name}" for member, name in members if member not in ("", name)]
    lines.sort(key=lambda line: (_section(line), line.startswith("from")))
    return "\n\n".join("\n".join(group) for _, group in groupby(lines, _section))


def _rank(name: str) -> tuple[bool, bool, str]:
    return not (name.isupper() and len(name) > 1), not name[0].isupper(), name


def _section(line: str) -> int:
    module = line.split()[1].partition(".")[0]
    return 0 if module in sys.stdlib_module_names else 1 + (module == PACKAGE)


def main() -> None:
    """Write all modules."""
    for module, source in SOURCES.items():
        (GENERATED / f"{module}.py").write_text(generate(source.code, source), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", GENERATED], check=True)  # noqa: S603 - our own files


if __name__ == "__main__":
    main()
