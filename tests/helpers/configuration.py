"""Loading configuration files in tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from symphony_registry.errors import ConfigurationError
from symphony_registry.settings.loading import LayeredSettings

Write = Callable[..., Path]

MEMORY = "vector_stores: {default: {provider: memory}}"


def load(directory: Path, environment: str | None = None, **arguments: object) -> LayeredSettings:
    return LayeredSettings(config_dir=directory, environment=environment, **arguments)  # type: ignore[arg-type]


def problems(directory: Path, environment: str | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(directory, environment)
    return [problem.removeprefix(f"{directory}/") for problem in caught.value.problems]
