"""`symphony-registry check`."""

import asyncio
from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.checking import Checked, Status
from symphony_registry.checking import check as check_backends
from symphony_registry.cli.options import ConfigDir, Environment, Json
from symphony_registry.cli.output import BAD, FAINT, GOOD, MISSING, Cell, print_json, print_lines, print_table
from symphony_registry.errors import Problem
from symphony_registry.settings.effective import provider_text
from symphony_registry.settings.files import SHIPPED
from symphony_registry.settings.layers import Configuration, read_layers

_STYLES: dict[Status, str] = {"ok": GOOD, "valid": GOOD}
_COLUMNS = ("TYPE", "NAME", "PROVIDER", "STATUS", ">LATENCY", "ENGINE", ">ITEMS")


def check(
    env: Environment = None,
    config_dir: ConfigDir = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check the configuration only, open nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check the configuration, and open every backend in it.

    Everything wrong is shown in one run, with its file and line and what to do. A backend is opened as an application
    opens it: it takes its locks, and what is missing is created. ITEMS are vectors, entities + relations, or
    checkpoints. The exit status is 1 where anything is wrong.
    """
    configuration = read_layers(env, config_dir)
    print_warning(configuration)
    found = asyncio.run(check_backends(configuration, offline=offline))
    if as_json:
        print_json([_as_json(each) for each in found])
    else:
        print_lines(Text(sources(configuration), FAINT))
        print_table(_COLUMNS, map(_row, found), map(_details, found))
        print_lines(_summary(found))
    if any(each.problems for each in found):
        raise typer.Exit(1)


def sources(configuration: Configuration) -> str:
    """Return the environment and the files of a configuration in words."""
    if configuration.directory is None:
        return "No environment and no directory chosen: one memory backend of each type (--env NAME, --config-dir DIR)."
    files = ", ".join(map(str, configuration.files))
    shipped = " (they ship with the package)" if configuration.directory == SHIPPED else ""
    return f"Environment: {configuration.environment or 'none'}. Files: {files}{shipped}."


def print_warning(configuration: Configuration) -> None:
    """Print on stderr what a configuration is worth a warning for."""
    if configuration.warning is not None:
        print_lines(Text.assemble(("warning: ", BAD), configuration.warning), stderr=True)


def print_problems(configuration: Configuration, side: str = "") -> None:
    """Print on stderr what is wrong with a configuration; `side` says which, where there are two."""
    for problem in configuration.problems:
        print_lines(Text.assemble(("error: ", BAD), side, problem_text(problem)), stderr=True)


def problem_text(problem: Problem) -> Text:
    """Return a problem for people, its place first."""
    about = f"{'.'.join(problem.path)}: " if problem.path else ""
    return Text.assemble((f"{problem.place}: ", "bold"), about, problem.message)


def _row(checked: Checked) -> list[Cell]:
    return [
        checked.type or "configuration",
        checked.name or MISSING,
        MISSING if checked.provider is None else provider_text(checked.provider),
        Text(checked.status, _STYLES.get(checked.status, BAD)),
        MISSING if checked.latency is None else f"{checked.latency * 1000:.1f} ms",
        checked.engine or MISSING,
        " + ".join(f"{number:,}" for number in checked.items.values()) or MISSING,
    ]


def _details(checked: Checked) -> list[Text]:
    return [*map(problem_text, checked.problems), *([Text(checked.note, FAINT)] if checked.note else [])]


def _summary(found: list[Checked]) -> Text:
    wrong = sum(bool(each.problems) for each in found)
    if wrong:
        return Text(f"Something is wrong in {wrong} of {len(found)} rows.", BAD)
    return Text("Nothing is wrong.", GOOD) if found else Text("No backend is configured.", BAD)


def _as_json(checked: Checked) -> dict[str, Any]:
    problems = [{**each._asdict(), "path": ".".join(each.path)} for each in checked.problems]
    provider = None if checked.provider is None else provider_text(checked.provider)
    return {**checked._asdict(), "provider": provider, "problems": problems}
