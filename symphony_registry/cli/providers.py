"""`symphony-registry providers`."""

from collections import defaultdict
from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.backends.storage import BackendType
from symphony_registry.cli.options import ConfigDir, Environment, Json, backend_type_names, provider_names
from symphony_registry.cli.output import (
    BAD,
    FAINT,
    GOOD,
    MISSING,
    Cell,
    print_json,
    print_lines,
    print_table,
    write_text,
)
from symphony_registry.cli.selection import backend_type_of
from symphony_registry.errors import ProviderNotFoundError
from symphony_registry.settings.catalog import Option, Provider, provider_named, providers_of, yaml_block
from symphony_registry.settings.effective import effective
from symphony_registry.settings.layers import read_layers


def providers(
    type_name: Annotated[
        str | None, typer.Argument(metavar="TYPE", autocompletion=backend_type_names, show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=provider_names, show_default=False)
    ] = None,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """List the providers, where they come from, and their options.

    With a TYPE (vector_store, knowledge_graph, checkpoint_store), the options with their types, defaults and help. With
    a NAME too, which may be a class as package.module:Class, the YAML of a backend, to paste. Classes that the
    configuration names are listed with the others.
    """
    backend_type = None if type_name is None else backend_type_of(type_name)
    if backend_type is not None and name is not None:
        _print_block(provider_named(backend_type, name), as_json=as_json)
        return
    named = _classes_in_use(env, config_dir)
    chosen = list(BackendType) if backend_type is None else [backend_type]
    found = [provider for each in chosen for provider in providers_of(each, named[each.section])]
    if as_json:
        print_json([_as_json(provider) for provider in found])
        return
    columns = ("TYPE", "NAME", "FROM", "STATUS")
    if backend_type is None:
        rows = [[*_row(each), _option_names(each)] for each in found]
        print_table([*columns, "OPTIONS"], rows, map(_problem, found))
    else:
        print_table(columns, map(_row, found), [[*_problem(each), *_options(each)] for each in found])
    print_lines(Text("Any class can be named too: provider: package.module:Class.", FAINT))


def _classes_in_use(env: Environment, config_dir: ConfigDir) -> defaultdict[str, set[str]]:
    """Return the dotted paths that the configuration names, by section."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for setting in effective(read_layers(env, config_dir)):
        if setting.path[2:] == ("provider",) and ":" in setting.value:
            found[setting.path[0]].add(setting.value)
    return found


def _print_block(provider: Provider, *, as_json: bool) -> None:
    if provider.problem is not None:
        raise ProviderNotFoundError(provider.problem)
    if as_json:
        print_json(_as_json(provider))
    else:
        write_text(yaml_block(provider))


def _row(provider: Provider) -> list[Cell]:
    status = Text("ready", GOOD) if provider.problem is None else Text("not usable", BAD)
    return [provider.backend_type, provider.name, provider.origin, status]


def _option_names(provider: Provider) -> str:
    if provider.options is None:
        return MISSING
    return ", ".join(option.name for option in provider.options) or "none"


def _problem(provider: Provider) -> list[Text]:
    return [] if provider.problem is None else [Text(provider.problem)]


def _options(provider: Provider) -> list[Text]:
    return [_option_text(option) for option in provider.options or ()]


def _option_text(option: Option) -> Text:
    default = "required" if option.required else f"default {option.default or MISSING}"
    return Text.assemble((option.name, "bold"), f" ({option.type}; {default}): {option.help}")


def _as_json(provider: Provider) -> dict[str, Any]:
    options = None if provider.options is None else [option._asdict() for option in provider.options]
    return {**provider._asdict(), "options": options}
