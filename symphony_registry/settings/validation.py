"""Checking a settings tree against the models, the providers and their options."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.options import fields_of, reason
from symphony_registry.backends.storage import BackendProvider, BackendType
from symphony_registry.backends.values import check_id
from symphony_registry.errors import ConfigurationError, Problem, RegistryError, hint
from symphony_registry.settings.model import EMBEDDED_DEFAULT, BackendSettings, RegistrySettings, Timeouts
from symphony_registry.settings.tree import Branch, Leaf, Node, Path_, to_plain, tree_of


def settings_from_mapping(config: Mapping[str, Any] | None) -> RegistrySettings:
    """Return the settings that a mapping stands for, as it is; an empty one gives the embedded default.

    Raises `ConfigurationError` with everything that is wrong.
    """
    return validated(tree_of(config or EMBEDDED_DEFAULT, "container.config"), [])


def validated(tree: Branch, problems: list[Problem]) -> RegistrySettings:
    """Return the settings of a tree.

    Raises `ConfigurationError` with everything that is wrong, `problems` included.
    """
    settings = RegistrySettings()
    cause: RegistryError | None = None
    found: list[Problem] = []
    try:
        settings = RegistrySettings.model_validate(to_plain(tree))
    except ValidationError as error:
        found += _described(error, tree, (), RegistrySettings)
    for backend_type in BackendType:
        section = tree.children.get(backend_type.section)
        for name in section.children if isinstance(section, Branch) else ():
            try:
                found += _check_backend(tree, backend_type, name)
            except RegistryError as error:
                path = (backend_type.section, name, "provider")
                found.append(tree.find(path).origin.problem(path, str(error)))
                cause = cause or error
    problems += [problem for problem in found if not _is_unresolved(tree.find(problem.path))]
    if problems:
        raise ConfigurationError(problems) from cause
    return settings


def _is_unresolved(node: Node) -> bool:
    """Say whether a value still holds a reference, which was a problem already."""
    return isinstance(node, Leaf) and node.origin.file is not None


def _check_backend(tree: Branch, backend_type: BackendType, name: str) -> list[Problem]:
    path = (backend_type.section, name)
    check_id(name, "name of a backend")
    provider_name = tree.find((*path, "provider"))
    if not isinstance(provider_name, Leaf) or not isinstance(provider_name.value, str) or not provider_name.value:
        return []  # the model has said so
    provider = StorageBackendFactory.get_provider(backend_type, provider_name.value)
    model = options_model(provider)
    options = tree.find((*path, "options"))
    given = to_plain(options) if isinstance(options, Branch) and options is not tree.find(path) else {}
    if model is None:
        return []
    try:
        model.model_validate(given)
    except ValidationError as error:
        return _described(error, tree, (*path, "options"), model, f" of the provider {provider_name.value}")
    return []


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
        message = reason(each)
        if each["type"] == "extra_forbidden":
            known = _known_keys(path[len(prefix) :], model)
            kind = "option" if owner else "key"
            message = f'there is no {kind} "{path[-1]}"{owner}. {hint(path[-1], known)}'
        elif each["type"] == "missing":
            message = f'the {"option" if owner else "key"} "{path[-1]}"{owner} is missing'
        problems.append(tree.find(path).origin.problem(path, f"{message.removesuffix('.')}."))
    return problems


def _known_keys(path: Path_, model: type[BaseModel]) -> Any:
    """Return the keys that are known where an unknown one stands."""
    if model is not RegistrySettings or len(path) == 1:
        return fields_of(model)
    return fields_of(Timeouts if path[0] == "timeouts" else BackendSettings)
