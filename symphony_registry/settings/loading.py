"""The settings of a process, read from all layers."""

import logging
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from symphony_registry.backends.storage import BackendType
from symphony_registry.settings.layers import read_layers
from symphony_registry.settings.model import RegistrySettings

logger = logging.getLogger(__name__)


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
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # variables are a layer instead
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_Layers(settings_cls, init_settings()),)


class _Layers(PydanticBaseSettingsSource):
    """All layers as one source, since a layer has to know what it lies on."""

    def __init__(self, settings_cls: type[BaseSettings], arguments: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._environment = arguments.pop("environment", None)
        self._directory = arguments.pop("config_dir", None)
        self._arguments = arguments

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # all fields come from one call

    def __call__(self) -> dict[str, Any]:
        found = read_layers(self._environment, self._directory, self._arguments)
        files = ", ".join(map(str, found.files)) or "none"
        backends = ", ".join(
            f"{kind} {name} ({chosen.provider})"
            for kind in BackendType
            for name, chosen in found.settings.backends(kind).items()
        )
        logger.info("Environment: %s; files: %s; backends: %s", found.environment or "none", files, backends or "none")
        if found.warning is not None:
            logger.warning(found.warning)
        if found.error is not None:
            raise found.error
        return {**dict(found.settings), "environment": found.environment, "config_dir": found.directory}
