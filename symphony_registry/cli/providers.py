"""`symphony-registry providers`."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import BackendType
from symphony_registry.cli.check import print_problems
from symphony_registry.cli.options import ConfigDir, Environment, Json, Misuse, backend_type_names, provider_names
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
from symphony_registry.settings.catalog import Option, ProviderInfo, provider_named, providers_of, yaml_block
from symphony_registry.settings.effective import effective
from symphony_registry.settings.layers import Configuration, read_layers
from symphony_registry.transfer.kinds import COLLECTIONS

# Guarantees as a table has them; its column ALSO has those of one backend type.
_GUARANTEES: Mapping[str, Callable[[Guarantees], str]] = {
    "SURVIVES": lambda given: given.survives,
    "SHARED": lambda given: "yes" if given.shared else "no",
    "BULK": lambda given: "whole" if given.atomic_bulk else "in parts",
}
_COLUMNS = ("TYPE", "NAME", "STATUS", *_GUARANTEES, "ALSO", "ABOUT")


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
    """List the providers, what they guarantee with default options, and their options.

    SURVIVES is what a write survives, SHARED whether other processes may use the same storage at the same time, BULK
    whether other tasks see a bulk operation whole. With a TYPE (vector_store, knowledge_graph, checkpoint_store), the
    options with their types, defaults and help. With a NAME too, which may be a class as package.module:Class, the YAML
    of a backend, to paste. Classes that the configuration names are listed with the others.
    """
    backend_type = None if type_name is None else backend_type_of(type_name)
    if backend_type is not None and name is not None:
        _print_block(provider_named(backend_type, name), as_json=as_json)
        return
    configuration = read_layers(env, config_dir)
    named = _classes_in_use(configuration)
    chosen = list(BackendType) if backend_type is None else [backend_type]
    found = [provider for each in chosen for provider in providers_of(each, named[each.section])]
    if as_json:
        print_json([_as_json(provider) for provider in found])
    else:
        options = [[] if backend_type is None else _options(each) for each in found]
        details = [[*_problem(each), *texts] for each, texts in zip(found, options, strict=True)]
        print_table(_COLUMNS, map(_row, found), details)
        print_lines(Text("Any class can be named too: provider: package.module:Class.", FAINT))
    print_problems(configuration)
    if configuration.problems:
        raise typer.Exit(1)


def _classes_in_use(configuration: Configuration) -> defaultdict[str, set[str]]:
    """Return the dotted paths that the configuration names, by section."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for setting in effective(configuration):
        if setting.path[2:] == ("provider",) and ":" in setting.value:
            found[setting.path[0]].add(setting.value)
    return found


def _print_block(provider: ProviderInfo, *, as_json: bool) -> None:
    if provider.problem is not None:
        if ":" not in provider.name and provider.name not in StorageBackendFactory.list_providers(
            provider.backend_type
        ):
            raise Misuse(provider.problem)
        raise ProviderNotFoundError(provider.problem)
    if as_json:
        print_json(_as_json(provider))
    else:
        write_text(yaml_block(provider))


def _row(provider: ProviderInfo) -> list[Cell]:
    status = Text("ready", GOOD) if provider.problem is None else Text("not usable", BAD)
    promised = guarantee_cells(provider.backend_type, provider.guarantees)
    return [provider.backend_type, provider.name, status, *promised, provider.about or provider.origin]


def guarantee_cells(backend_type: BackendType, given: Guarantees | None) -> list[str]:
    """Return guarantees as a table has them, `-` where they are not known."""
    if given is None:
        return [MISSING] * (len(_GUARANTEES) + 1)
    also = [text for each in COLLECTIONS[backend_type] for text in each.promises(given)]
    also += [] if given.filters else ["no filters"]
    also += [] if given.largest_value is None else [f"values up to {given.largest_value:,} bytes"]
    also += [] if given.largest_limit is None else [f"limits up to {given.largest_limit:,}"]
    return [*(cell(given) for cell in _GUARANTEES.values()), ", ".join(also) or MISSING]


def _problem(provider: ProviderInfo) -> list[Text]:
    return [] if provider.problem is None else [Text(provider.problem)]


def _options(provider: ProviderInfo) -> list[Text]:
    return [_option_text(option) for option in provider.options or ()]


def _option_text(option: Option) -> Text:
    default = "required" if option.required else f"default {option.default or MISSING}"
    return Text.assemble((option.name, "bold"), f" ({option.type}; {default}): {option.help}")


def _as_json(provider: ProviderInfo) -> dict[str, Any]:
    guarantees = None if provider.guarantees is None else asdict(provider.guarantees)
    options = None if provider.options is None else [option._asdict() for option in provider.options]
    return {**provider._asdict(), "guarantees": guarantees, "options": options}
