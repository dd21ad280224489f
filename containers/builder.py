"""Settings from configuration files and variables, and a container over them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symphony_registry.containers.registry import RegistryContainer, add_configured_backends
from symphony_registry.errors import ConfigurationError, Problem, hint
from symphony_registry.settings import RegistrySettings


def layered_settings(
    environment: str | None = None,
    config_dir: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> RegistrySettings:
    """Return what all layers say.

    They are `base.yaml`, `<environment>.yaml`, `local.yaml` (not over `test`) and
    `<environment>.local.yaml` in `config_dir`, environment variables, and
    `settings`, a mapping of the same shape. `environment` and `config_dir` default
    to `SYMPHONY_REGISTRY_ENV` and `SYMPHONY_REGISTRY_CONFIG_DIR`; an environment
    without a directory is looked for in `config/` under the working directory, and
    `:shipped:` is the directory that ships with the package. With none of them,
    there is one memory backend of each type.

    Raises `ConfigurationError` with everything that is wrong, each with its place.
    """
    from symphony_registry.settings.loading import LayeredSettings  # noqa: PLC0415 - YAML only where it is read

    given = dict(settings or {})
    if unknown := [key for key in given if key not in RegistrySettings.model_fields]:
        known = RegistrySettings.model_fields
        raise ConfigurationError(
            Problem("an argument", (), f"there is no key {key!r}. {hint(key, known)}") for key in unknown
        )
    directory = None if config_dir is None else Path(config_dir)
    return LayeredSettings(environment=environment, config_dir=directory, **given)


def build_container(
    environment: str | None = None,
    config_dir: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> RegistryContainer:
    """Return a container over layered settings; nothing is opened.

    The arguments, and what it raises, are those of `layered_settings`.
    """
    layered = layered_settings(environment, config_dir, settings)
    container = RegistryContainer()
    container.config.from_dict(layered.as_mapping())
    container.settings.add_kwargs(known=layered)
    add_configured_backends(container, layered)
    return container
