"""The layers: base.yaml, the environment's YAML, local.yaml, variables, arguments."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from symphony_registry.errors import ConfigurationError, Problem, hint
from symphony_registry.settings.interpolation import interpolated, with_providers_named
from symphony_registry.settings.model import EMBEDDED_DEFAULT, RegistrySettings
from symphony_registry.settings.tree import Branch, Dropped, Origin, merge, tree_of
from symphony_registry.settings.validation import validated
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT, read_variables
from symphony_registry.settings.yaml_file import read_yaml

SHIPPED = Path(__file__).parent.parent / "config"
_LAYERS = {"base", "local"}
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Configuration(NamedTuple):
    """What all layers say together: every value with its origin, and the settings without what is wrong."""

    environment: str | None
    directory: Path | None
    files: tuple[Path, ...]
    tree: Branch
    dropped: tuple[Dropped, ...]
    settings: RegistrySettings
    error: ConfigurationError | None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong."""
        return self.error.details if self.error is not None else ()


def read_layers(
    environment: str | None = None,
    config_dir: str | Path | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Configuration:
    """Return what the layers say; `arguments` are the highest.

    What is wrong with them is in the result. Raises `ConfigurationError` where
    there is nothing to read: no such directory, or no file for the environment.
    """
    environment = environment or os.environ.get(ENVIRONMENT) or None
    chosen = config_dir or os.environ.get(CONFIG_DIR)
    directory = chosen_directory(chosen) if chosen or environment else None
    files = () if directory is None else _files(directory, environment)
    problems: list[Problem] = []
    dropped: list[Dropped] = []
    tree = Branch({}, Origin("the configuration"))
    if directory is None:
        tree = merge(tree, tree_of(EMBEDDED_DEFAULT, "the embedded default"), dropped)
    for path in files:
        tree = merge(tree, with_providers_named(read_yaml(path, problems), os.environ), dropped)
    tree = merge(tree, read_variables(os.environ, tree, problems), dropped)
    tree = merge(tree, tree_of(arguments or {}, "an argument"), dropped)
    tree = interpolated(tree, os.environ, problems)
    return Configuration(environment, directory, files, tree, tuple(dropped), *validated(tree, problems))


def environments(config_dir: Path) -> list[str]:
    """Return the names of the environments that a directory has files for, sorted."""
    return sorted({file.stem for file in config_dir.glob("*.yaml")} - _LAYERS)


def chosen_directory(chosen: str | Path | None) -> Path:
    """Return the directory that an environment is looked for in."""
    if chosen:
        return Path(chosen)
    local = Path("config")
    return local if local.is_dir() else SHIPPED


def _files(directory: Path, environment: str | None) -> tuple[Path, ...]:
    """Return the files to read, the lowest first; raises for one that was named and is missing."""
    if not directory.is_dir():
        raise ConfigurationError([Problem(str(directory), (), "there is no such directory of configuration files.")])
    base, local = directory / "base.yaml", directory / "local.yaml"
    chosen = [local] if local.exists() else []
    if environment is None:
        return (base, *chosen)
    path = directory / f"{environment}.yaml"
    if not _ENVIRONMENT_NAME.fullmatch(environment) or environment in _LAYERS or not path.exists():
        message = f'there is no file for the environment "{environment}". {hint(environment, environments(directory))}'
        raise ConfigurationError([Problem(str(path), (), message)])
    return (*([base] if base.exists() else []), path, *chosen)
