"""The options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

from symphony_registry.backends.base import BackendType
from symphony_registry.settings.layers import environments
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT


def environment_names(ctx: typer.Context) -> list[str]:
    """Return the environments of the directory that is chosen so far, for completion."""
    return environments(Path(ctx.params.get("config_dir") or "config"))


Environment = Annotated[
    str | None,
    typer.Option(
        "--env",
        metavar="NAME",
        envvar=ENVIRONMENT,
        help="The environment: NAME.yaml is read over base.yaml.",
        autocompletion=environment_names,
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir",
        metavar="DIR",
        envvar=CONFIG_DIR,
        help="The directory of the YAML files; else config/, else the files that ship with the package.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of the terminal.", show_default=False),
]


def backend_type_names() -> list[str]:
    """Return the names of the backend types, for completion."""
    return [backend_type.value for backend_type in BackendType]
