"""Checking a settings tree against the models, the providers and their options."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.options import BackendOptions, ValidatedOptions, fields_of, reason
from symphony_registry.backends.placeholders import placeholder
from symphony_registry.backends.storage import BackendProvider, BackendType
from symphony_registry.backends.values import check_id
from symphony_registry.errors import ConfigurationError, InvalidValueError, Problem, RegistryError, hint
from symphony_registry.settings.model import EMBEDDED_DEFAULT, BackendSettings, RegistrySettings, Resolved, Timeouts
from symphony_registry.settings.tree import Branch, Leaf, Node, Path_, is_backend, to_plain, tree_of

_KEY_AND_VALUE = re.compile(r"[a-z_]+:\S")


class Validated(NamedTuple):
    """The settings without what is wrong, and the error that lists everything wrong, if anything is."""

    settings: RegistrySettings
    error: ConfigurationError | None


def settings_from_mapping(config: Mapping[str, Any] | None, known: RegistrySettings | None = None) -> RegistrySettings:
    """Return the settings that a mapping has, taken literally; an empty one gives the embedded default.

    `known` was validated before, with files and lines: where the mapping still says
    the same, it is returned. Raises `ConfigurationError` with everything wrong.
    """
    if known is not None and known.as_mapping() == config:
        return known
    settings, error = validated(tree_of(config or EMBEDDED_DEFAULT, "container.config"), [])
    if error is not None:
        raise error
    return settings


def validated(tree: Branch, problems: list[Problem], files: Sequence[Path] = ()) -> Validated:
    """Validate a tree: each provider is looked up once, its options are validated once, and what was found is kept.

    `problems` are those that were found before; all are listed in the order of the
    files, and of the lines there.
    """
    settings: RegistrySettings | None = None
    resolved: dict[Path_, Resolved] = {}
    found: list[Problem] = []
    cause: RegistryError | None = None
    try:
        settings = RegistrySettings.model_validate(to_plain(tree))
    except ValidationError as error:
        found += _described(error, tree, (), RegistrySettings)
    for backend_type in BackendType:
        section = tree.children.get(backend_type.section)
        for name in section.children if isinstance(section, Branch) else ():
            try:
                if (each := _resolve(tree, backend_type, name, found)) is not None:
                    resolved[backend_type.section, name] = each
            except RegistryError as error:
                path = (backend_type.section, name, "provider")
                found.append(tree.find(path).origin.problem(path, str(error)))
                cause = cause or error
    found += _twice_used(tree, resolved)
    known = {problem.path for problem in problems}
    wrong = [
        *problems,
        *(each for each in found if each.path not in known and not _is_unresolved(tree.find(each.path))),
    ]
    if settings is None or wrong:
        settings = RegistrySettings.model_validate(_without_wrong(tree, wrong))
    for (section_name, name), each in resolved.items():
        if (backend := getattr(settings, section_name).get(name)) is not None:
            backend._resolved = each
    if not wrong:
        return Validated(settings, None)
    everything = ConfigurationError(sorted(wrong, key=partial(_position, list(map(str, files)))))
    everything.__cause__ = cause
    return Validated(settings, everything)


def _position(files: list[str], problem: Problem) -> tuple[int, int]:
    """Return where a problem stands: the number of the file and the line; what stands in none comes last."""
    file, _, line = problem.place.rpartition(":")
    return (files.index(file), int(line)) if file in files and line.isdecimal() else (len(files), 0)


def _twice_used(tree: Branch, resolved: Mapping[Path_, Resolved]) -> Iterator[Problem]:
    """Yield the backends that use what another has for itself, or what lies in it or around it."""
    taken: dict[PurePath, Path_] = {}
    around: dict[PurePath, Path_] = {}
    for backend, each in resolved.items():
        made = each.options.made if isinstance(each.options, ValidatedOptions) else None
        for option, text in made.exclusive().items() if isinstance(made, BackendOptions) else ():
            place, path = PurePath(text), (*backend, "options", option)
            inside = next((taken[above] for above in place.parents if above in taken), None)
            for relation, other in ("is", taken.get(place)), ("lies in", inside), ("holds", around.get(place)):
                if other is not None:
                    where = f"{'.'.join(other)} ({tree.find(other).origin})"
                    message = f"{place} {relation} what {where} leads to, and each needs a place of its own."
                    yield tree.find(path).origin.problem(path, message)
            taken.setdefault(place, path)
            for above in place.parents:
                around.setdefault(above, path)


def _is_unresolved(node: Node) -> bool:
    """Say whether a value still holds a reference, which was a problem already."""
    return isinstance(node, Leaf) and node.origin.file is not None


def _without_wrong(tree: Branch, problems: list[Problem]) -> dict[str, Any]:
    """Return the values of a tree without the backends and the timeouts that have problems."""
    wrong = {problem.path[:2] for problem in problems}
    kept: dict[str, Any] = {}
    for key in RegistrySettings.model_fields:
        if isinstance(branch := tree.children.get(key), Branch):
            children = branch.children.items()
            kept[key] = {name: to_plain(node) for name, node in children if (key, name) not in wrong}
    return kept


def _resolve(tree: Branch, backend_type: BackendType, name: str, problems: list[Problem]) -> Resolved | None:
    """Look up the provider of a backend and validate its options; what is wrong with these is added to `problems`."""
    check_id(name, "name of a backend")
    if form := placeholder(name):
        raise InvalidValueError(f"{form} is not replaced in the name of a backend. Write the name itself.")
    path = (backend_type.section, name)
    backend = to_plain(tree.find(path))
    provider_name = backend.get("provider") if isinstance(backend, dict) else None
    if not isinstance(provider_name, str) or not provider_name:
        return None  # the model has said so
    provider = StorageBackendFactory.get_provider(backend_type, provider_name)
    model = options_model(provider)
    options = backend.get("options")
    given = options if isinstance(options, dict) else {}
    if model is None:
        return Resolved(provider, given)
    try:
        return Resolved(provider, ValidatedOptions(given, model.model_validate(given)))
    except ValidationError as error:
        problems += _described(error, tree, (*path, "options"), model, f" of the provider {provider_name}")
        return None


def options_model(provider: BackendProvider) -> type[BaseModel] | None:
    """Return the model of a provider's options, if it has one."""
    model = getattr(provider, "Options", None)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _described(
    error: ValidationError, tree: Branch, prefix: Path_, model: type[BaseModel], owner: str = ""
) -> list[Problem]:
    """Return the problem that each error is: file and line, key path, what is expected."""
    problems = []
    for each in error.errors(include_input=False, include_url=False):
        path = (*prefix, *(str(part) for part in each["loc"]))
        node = tree.find(path)
        message = reason(each)
        if each["type"] in ("model_type", "dict_type") and isinstance(node, Leaf) and _has_no_space(node.value):
            message = f"{message}: put a space after the colon"
        elif each["type"] == "extra_forbidden":
            known = _known_keys(path[len(prefix) :], model)
            kind = "option" if owner else "key"
            message = f'there is no {kind} "{path[-1]}"{owner}. {hint(path[-1], known)}'
        elif each["type"] == "missing":
            message = f'the {"option" if owner else "key"} "{path[-1]}"{owner} is missing{_not_meant(tree, path)}'
        elif isinstance(node, Leaf) and node.value == "" and node.origin.source.startswith("$"):
            message = f"the variable is set, but empty: {message}"
        problems.append(node.origin.problem(path, f"{message.removesuffix('.')}."))
    return problems


def _not_meant(tree: Branch, path: Path_) -> str:
    """Return what there is to say where a variable has made a backend, though it was to change another."""
    section = tree.children[path[0]]
    others = section.children.keys() - {path[1]} if isinstance(section, Branch) else set()
    if not is_backend(path[:2]) or not tree.find(path).origin.source.startswith("$") or not others:
        return ""
    return f", and no file has this backend. {hint(path[1], others)}"


def _has_no_space(value: object) -> bool:
    """Say whether a text was meant as a key and a value: `provider:memory`."""
    return isinstance(value, str) and _KEY_AND_VALUE.match(value) is not None


def _known_keys(path: Path_, model: type[BaseModel]) -> Any:
    """Return the keys that are known where an unknown one is."""
    if model is not RegistrySettings or len(path) == 1:
        return fields_of(model)
    return fields_of(Timeouts if path[0] == "timeouts" else BackendSettings)
