"""`symphony-registry graph`."""

import asyncio
from typing import Annotated

import typer

from symphony_registry.backends.storage import BackendType
from symphony_registry.cli.options import ConfigDir, Environment, Output
from symphony_registry.cli.output import write_text
from symphony_registry.cli.selection import StoreName, open_store
from symphony_registry.diagram import Diagram, diagram
from symphony_registry.errors import BackendErrorGroup, RegistryError
from symphony_registry.registry import ServiceRegistry


def graph(
    env: Environment = None,
    config_dir: ConfigDir = None,
    output: Output = None,
    open_backends: Annotated[
        bool, typer.Option("--open", help="Open the backends first, to see which can be.")
    ] = False,
) -> None:
    """Draw the container, as Mermaid: which settings feed which backends.

    An application draws its own, with what it has overridden and opened, by symphony_registry.diagram.diagram.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    drawn, errors = asyncio.run(_opened_and_drawn(registry)) if open_backends else (diagram(registry.container), [])
    write_text(drawn.mermaid(), output)
    if errors:
        raise BackendErrorGroup("Not all backends could be opened and closed", errors)


async def _opened_and_drawn(registry: ServiceRegistry) -> tuple[Diagram, list[Exception]]:
    """Open what can be opened, draw, and close again; return what could not be opened too."""
    errors: list[Exception] = []
    for backend_type in BackendType:
        for name in registry.list_backends(backend_type):
            try:
                await open_store(registry, StoreName(backend_type, name))
            except RegistryError as error:
                errors.append(error)
    drawn = diagram(registry.container)
    try:
        await registry.close()
    except RegistryError as error:
        errors.append(error)
    return drawn, errors
