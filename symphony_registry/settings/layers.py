"""The layers: YAML files, variables, arguments; what they say together."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from symphony_registry.errors import ConfigurationError, Problem
from symphony_registry.settings.files import chosen_directory, files_of, unread_files
from symphony_registry.settings.interpolation import interpolated, with_providers_named
from symphony_registry.settings.model import EMBEDDED_DEFAULT, RegistrySettings
from symphony_registry.settings.tree import Branch, Dropped, Origin, merge, tree_of
from symphony_registry.settings.validation import validated
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT, read_variables
from symphony_registry.settings.yaml_file import read_yaml


class Configuration(NamedTuple):
    """What all layers say together: every value with its origin, and the settings without what is wrong.

    `warning` is about files that were hardly meant to be left unread.
    """

    environment: str | None
    directory: Path | None
    files: tuple[Path, ...]
    warning: str | None
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
    files = () if directory is None else files_of(directory, environment)
    warning = unread_files() if directory is None and not arguments else None
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
    return Configuration(
        environment, directory, files, warning, tree, tuple(dropped), *validated(tree, problems, files)
    )
