"""`symphony-registry mcp`."""

import asyncio
import pkgutil
import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.cli.options import ConfigDir, Environment, Misuse
from symphony_registry.cli.output import BAD, print_lines
from symphony_registry.errors import ProviderImportError
from symphony_registry.registry import ServiceRegistry
from symphony_registry.settings.files import working_directory

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def mcp(
    env: Environment = None,
    config_dir: ConfigDir = None,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Offer the tools that write and delete, too.", show_default=False)
    ] = False,
    embed: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:FUNCTION", help="What gives the vector of a text, to search by text.", show_default=False
        ),
    ] = None,
    max_items: Annotated[int, typer.Option(min=1, help="The most items of an answer.")] = 100,
    max_bytes: Annotated[int, typer.Option(min=4000, help="The most bytes of its items.")] = 50_000,
    http: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT", help="Serve on http://HOST:PORT/mcp instead of stdin and stdout.", show_default=False
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which clients reach --http, without the port; repeat it for more.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the stores to an agent as tools of the Model Context Protocol, on stdin and stdout.

    The agent's client starts this command. The stores are opened when they are first used.
    """
    address = None if http is None else _address(http)
    if address is not None and address[0] not in _LOOPBACK and not allow_host:
        raise Misuse(
            f"--http {http}: say by which name or address clients reach it, as --allow-host stores.example.org. Others "
            "are refused, so that a web page cannot call tools under a name of its own."
        )
    try:
        from symphony_registry.integrations.mcp import Limits, serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise ProviderImportError(
            "mcp is not installed: pip install 'symphony-registry[mcp]'", name=error.name
        ) from error
    with redirect_stdout(sys.stderr):  # what modules print that are imported: standard output is the protocol's
        registry = ServiceRegistry.from_config(env, config_dir)
        function = None if embed is None else _function(embed)
    note = None if env or config_dir else _unconfigured()
    if note is not None:
        print_lines(Text.assemble(("warning: ", BAD), note), stderr=True)
    limits = Limits(max_items, max_bytes)
    asyncio.run(
        serve(
            registry,
            allow_writes=allow_writes,
            embed=function,
            limits=limits,
            note=note,
            http=address,
            allowed_hosts=allow_host or (),
        )
    )


def _unconfigured() -> str:
    return (
        f"No configuration was chosen, by --config-dir or --env (the working directory is {working_directory()}): "
        "stores are in memory unless variables say otherwise. They are empty at first, and nothing in them is kept."
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise Misuse(f"--http {text}: name a port, as 127.0.0.1:8000.")
    return host or "127.0.0.1", int(port)


def _function(path: str) -> Any:
    try:
        found = pkgutil.resolve_name(path)
    except Exception as error:
        raise ProviderImportError(
            f"--embed {path}: it could not be imported ({type(error).__name__}). Write it as package.module:function; "
            "the working directory is looked in, too."
        ) from error
    if not callable(found):
        raise Misuse(f"--embed {path}: it is no function, but {type(found).__name__}.")
    return found
