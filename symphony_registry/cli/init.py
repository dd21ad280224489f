"""`symphony-registry init`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from symphony_registry.backends.storage import BackendType
from symphony_registry.cli.asking import ask
from symphony_registry.cli.options import Misuse, common_providers
from symphony_registry.cli.output import print_error, print_lines, writing
from symphony_registry.cli.schema import schema_text
from symphony_registry.errors import hint
from symphony_registry.settings.catalog import provider_named, yaml_block
from symphony_registry.settings.files import SHIPPED
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT

_EDITORS = "# yaml-language-server: $schema=schema.json\n"
_PRODUCTION = """\
# Settings for production. ${NAME} is a variable, ${file:PATH} the text of a file: a place for secrets.
# What an option means: symphony-registry providers TYPE.
"""


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR")] = Path("config"),
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            metavar="NAME",
            help="What keeps the data in production.",
            autocompletion=common_providers,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write configuration files to begin with.

    They are base, development, test and production, and a schema for editors. Asks what keeps the data in production,
    unless that is given or there is no terminal. Never overwrites a file.
    """
    known = common_providers()
    chosen = provider or "file"
    if provider is None and sys.stdin.isatty() and sys.stdout.isatty():
        answer = ask(f"What keeps the data in production? ({', '.join(known)}) [file]:")
        if answer is None:
            print_error("Nothing was written.")
            raise typer.Exit(1)
        chosen = answer or chosen
    if chosen not in known:
        raise Misuse(f'there is no provider "{chosen}" for all three types. {hint(chosen, known)}')
    files = {name: (SHIPPED / name).read_text("utf-8") for name in ("base.yaml", "development.yaml", "test.yaml")}
    blocks = [yaml_block(provider_named(backend_type, chosen)) for backend_type in BackendType]
    files["production.yaml"] = "\n".join([_EDITORS + _PRODUCTION, *blocks])
    files["schema.json"] = schema_text()
    taken = [name for file in files for name in (file, file.replace(".yaml", ".yml"))]  # the same layer
    if there := [str(directory / name) for name in dict.fromkeys(taken) if (directory / name).exists()]:
        print_error(f"{', '.join(there)}: there already, and init never overwrites. Nothing was written.")
        raise typer.Exit(1)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with writing(directory / name), (directory / name).open("x", encoding="utf-8") as file:
            file.write(text)
    print_lines(*(f"{directory / name}" for name in files))
    chosen_by = f"{ENVIRONMENT}=development {CONFIG_DIR}={shlex.quote(str(directory))}"
    print_lines(f"An application reads them where its environment has {chosen_by}.")
    print_lines(f"Next: symphony-registry check --env development --config-dir {shlex.quote(str(directory))}")
