"""`symphony-registry show`."""

from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.cli.check import print_problems, print_warning, sources
from symphony_registry.cli.options import ConfigDir, Environment, Json, environment_names
from symphony_registry.cli.output import FAINT, MISSING, Cell, print_json, print_lines, print_table
from symphony_registry.settings.effective import DEFAULT, Setting, as_text, effective
from symphony_registry.settings.layers import Configuration, read_layers
from symphony_registry.settings.secrets import MASK


def show(
    env: Environment = None,
    config_dir: ConfigDir = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--diff",
            metavar="NAME NAME",
            help="Show where two environments differ.",
            autocompletion=environment_names,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every setting in effect, with the layer that set it.

    Secrets are masked. Options dropped because a higher layer changed the provider are listed as dropped.
    """
    if diff is not None:
        _compare(read_layers(diff[0], config_dir), read_layers(diff[1], config_dir), as_json=as_json)
    else:
        _list(read_layers(env, config_dir), as_json=as_json)


def _list(configuration: Configuration, *, as_json: bool) -> None:
    settings = effective(configuration)
    print_warning(configuration)
    if as_json:
        print_json(
            {
                "environment": configuration.environment,
                "files": configuration.files,
                "settings": [_as_json(setting) for setting in settings],
                "problems": list(map(str, configuration.problems)),
            }
        )
    else:
        print_lines(Text(sources(configuration), FAINT))
        print_table(("SETTING", "VALUE", "SET BY"), map(_row, settings))
        print_problems(configuration)
    _end(configuration)


def _row(setting: Setting) -> list[Cell]:
    origin = f"{setting.origin} from {', '.join(setting.references)}" if setting.references else setting.origin
    if setting.dropped_by is not None:
        origin = f"{origin}, dropped by {setting.dropped_by}"
    style = FAINT if setting.dropped_by is not None or setting.origin == DEFAULT else ""
    return [Text(each, style) for each in (setting.key, as_text(setting.value), origin)]


def _as_json(setting: Setting) -> dict[str, Any]:
    return {
        "key": setting.key,
        "value": setting.value,
        "set_by": setting.origin,
        "references": setting.references,
        "dropped_by": setting.dropped_by,
    }


def _compare(left: Configuration, right: Configuration, *, as_json: bool) -> None:
    sides = [{each.key: each for each in effective(side) if each.dropped_by is None} for side in (left, right)]
    every = [each for side in sides for each in side.values()]
    groups = list(dict.fromkeys(each.path[:2] for each in every))  # a backend's settings stand together
    keys = dict.fromkeys(each.key for group in groups for each in every if each.path[:2] == group)
    pairs = {key: (sides[0].get(key), sides[1].get(key)) for key in keys}
    different = {key: pair for key, pair in pairs.items() if pair[0] is None or not pair[0].equals(pair[1])}
    names = [str(side.environment) for side in (left, right)]
    if as_json:
        print_json(
            [
                {"key": key, **{name: each and _as_json(each) for name, each in zip(names, pair, strict=True)}}
                for key, pair in different.items()
            ]
        )
    else:
        print_table(("SETTING", *names), [[key, *_side_by_side(*pair)] for key, pair in different.items()])
        print_lines(Text(f"{len(pairs) - len(different)} settings are the same.", FAINT))
        for side in (left, right):
            print_problems(side, f"{side.environment}: ")
    _end(left, right)


def _side_by_side(left: Setting | None, right: Setting | None) -> list[str]:
    texts = [MISSING if each is None else as_text(each.value) for each in (left, right)]
    return [texts[0], f"{MASK} (another)"] if texts == [MASK, MASK] else texts


def _end(*configurations: Configuration) -> None:
    if any(configuration.problems for configuration in configurations):
        raise typer.Exit(1)
