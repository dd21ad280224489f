"""The options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import RegistryError
from symphony_registry.settings.files import CHOOSES_SHIPPED, chosen_directory, environments
from symphony_registry.settings.layers import read_layers
from symphony_registry.settings.tree import Branch
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT


class Misuse(typer.BadParameter):
    """The command was misused in a way that its message says alone, whatever the value of an option is."""

    def format_message(self) -> str:
        """Return the message as it is."""
        return self.message


def environment_names(ctx: typer.Context) -> list[str]:
    """Return the environments of the directory that is chosen so far, for completion."""
    try:
        return environments(chosen_directory(ctx.params.get("config_dir")))
    except RegistryError:
        return []


def backend_type_names() -> list[str]:
    """Return the names of the backend types, for completion."""
    return [backend_type.value for backend_type in BackendType]


def store_names(ctx: typer.Context) -> list[str]:
    """Return the backend types, and the stores of the environment that is chosen so far, for completion."""
    try:
        tree = read_layers(ctx.params.get("env") or ctx.params.get("source"), ctx.params.get("config_dir")).tree
    except RegistryError:
        return backend_type_names()
    sections = {backend_type: tree.find((backend_type.section,)) for backend_type in BackendType}
    named = [f"{kind}/{name}" for kind, node in sections.items() if isinstance(node, Branch) for name in node.children]
    return [*backend_type_names(), *named]


def provider_names(ctx: typer.Context) -> list[str]:
    """Return the providers of the type that is chosen so far, for completion."""
    try:
        return StorageBackendFactory.list_providers(BackendType(str(ctx.params.get("type_name"))))
    except RegistryError:
        return []


def common_providers() -> list[str]:
    """Return the providers that are there for all types."""
    names = [set(StorageBackendFactory.list_providers(backend_type)) for backend_type in BackendType]
    return sorted(set.intersection(*names))


def _file_meant(path: Path | None) -> Path | None:
    """Return the file to write, `None` for what `-` means to every command: standard output."""
    return None if path == Path("-") else path


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
        help=f"The directory of the YAML files; else config/. {CHOOSES_SHIPPED} has those that ship with the package.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to FILE instead of the terminal.",
        callback=_file_meant,
        show_default=False,
    ),
]
Store = Annotated[
    str,
    typer.Argument(
        metavar="TYPE/NAME", help="Which store: vector_store/default.", autocompletion=store_names, show_default=False
    ),
]
