"""The commands of `symphony-registry`."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from symphony_registry.cli.check import check
from symphony_registry.cli.delete import delete
from symphony_registry.cli.graph import graph
from symphony_registry.cli.init import init
from symphony_registry.cli.mcp import mcp
from symphony_registry.cli.migrate import migrate
from symphony_registry.cli.output import print_error
from symphony_registry.cli.providers import providers
from symphony_registry.cli.reading import count, find, get, search
from symphony_registry.cli.schema import schema
from symphony_registry.cli.show import show
from symphony_registry.cli.stores import export, import_, stats
from symphony_registry.errors import ProviderImportError, RegistryError

app = typer.Typer(
    name="symphony-registry",
    no_args_is_help=True,
    rich_markup_mode="markdown" if sys.stdout.isatty() else None,  # frames are for terminals
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"symphony-registry {version('symphony-registry')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="Import a module first that registers providers; can be given again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """See, check, start, read and move a deployment of symphony-registry."""
    for module in modules or ():
        try:
            with redirect_stdout(sys.stderr):  # standard output has what the command prints
                import_module(module)
        except (Exception, SystemExit) as error:  # a script that ends here would end the command as if all were well
            needed = error.name if isinstance(error, ModuleNotFoundError) and error.name != module else None
            raise ProviderImportError(
                f"--import {module}: it could not be imported ({type(error).__name__}"
                f"{f': {needed} is missing' if needed else ''}). The working directory is looked in, too. "
                f"`python -c 'import {module}'` shows all of it.",
                name=module,
            ) from error


for command in (
    check,
    show,
    providers,
    schema,
    init,
    graph,
    get,
    find,
    count,
    search,
    delete,
    migrate,
    stats,
    export,
):
    app.command()(command)
app.command("import")(import_)
app.command()(mcp)


def run(arguments: Sequence[str] | None) -> int:
    """Run the command and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it
    logging.basicConfig(format="warning: %(message)s")  # as commands print one
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # for the classes of an application that is not installed
    try:
        status = _status(arguments)
        sys.stdout.flush()
    except RegistryError as error:
        print_error(error)
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        if error.filename is None:
            _leave_output()
        if not isinstance(error, BrokenPipeError):  # who reads has what was wanted
            print_error(f"{error.filename or 'standard output'}: {error.strerror}.")
        return 1
    return status


def _status(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments, prog_name="symphony-registry")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def _leave_output() -> None:
    """Send what could not be written nowhere, since the interpreter would try again at its end."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
