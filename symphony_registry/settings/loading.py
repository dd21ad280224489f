"""The layers: base.yaml, the environment's YAML, local.yaml, variables, arguments."""

import os
import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from symphony_registry.errors import ConfigurationError, hint
from symphony_registry.settings.interpolation import interpolated, with_providers_named
from symphony_registry.settings.model import EMBEDDED_DEFAULT, RegistrySettings
from symphony_registry.settings.tree import Branch, Origin, merge, to_plain, tree_of
from symphony_registry.settings.validation import validated
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT, read_variables
from symphony_registry.settings.yaml_file import read_yaml

SHIPPED = Path(__file__).parent.parent / "config"
_LAYERS = {"base", "local"}
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LayeredSettings(RegistrySettings, BaseSettings):
    """Settings read from files and variables, with keyword arguments as the highest layer.

    `environment` and `config_dir` choose the files; they default to the variables
    `SYMPHONY_REGISTRY_ENV` and `SYMPHONY_REGISTRY_CONFIG_DIR`. With neither there
    are no files, and one memory backend of each type.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    environment: str | None = None
    config_dir: Path | None = None

    @classmethod
    def settings_customise_sources(  # noqa: D102
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - read as a layer instead
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_Layers(settings_cls, init_settings()),)


class _Layers(PydanticBaseSettingsSource):
    """All layers as one source, since a layer has to know what it lies on."""

    def __init__(self, settings_cls: type[BaseSettings], arguments: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._environment = arguments.pop("environment", None) or os.environ.get(ENVIRONMENT) or None
        self._directory = arguments.pop("config_dir", None) or os.environ.get(CONFIG_DIR) or None
        self._arguments = arguments

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # all fields come from one call

    def __call__(self) -> dict[str, Any]:
        problems: list[str] = []
        tree = Branch({}, Origin("the configuration"))
        directory = self._choose_directory()
        if directory is None:
            tree = merge(tree, tree_of(EMBEDDED_DEFAULT, "the embedded default"))
        else:
            for path in _files(directory, self._environment):
                tree = merge(tree, with_providers_named(read_yaml(path, problems), os.environ))
        tree = merge(tree, read_variables(os.environ, tree, problems))
        tree = interpolated(merge(tree, tree_of(self._arguments, "an argument")), os.environ, problems)
        validated(tree, problems)
        return {**to_plain(tree), "environment": self._environment, "config_dir": directory}

    def _choose_directory(self) -> Path | None:
        if self._directory is not None:
            return Path(self._directory)
        if self._environment is None:
            return None
        local = Path("config")
        return local if local.is_dir() else SHIPPED


def _files(directory: Path, environment: str | None) -> list[Path]:
    """Return the files to read, the lowest first; raises for one that was named and is missing."""
    if not directory.is_dir():
        raise ConfigurationError([f"{directory}: there is no such directory of configuration files."])
    base, local = directory / "base.yaml", directory / "local.yaml"
    chosen = [local] if local.exists() else []
    if environment is None:
        return [base, *chosen]
    path = directory / f"{environment}.yaml"
    if not _ENVIRONMENT_NAME.fullmatch(environment) or environment in _LAYERS or not path.exists():
        known = {file.stem for file in directory.glob("*.yaml")} - _LAYERS
        raise ConfigurationError(
            [f'{path}: there is no file for the environment "{environment}". {hint(environment, known)}']
        )
    return [*([base] if base.exists() else []), path, *chosen]
