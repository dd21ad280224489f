"""`symphony-registry delete`."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from symphony_registry.cli.asking import ask
from symphony_registry.cli.options import ConfigDir, Environment, Json, Misuse, Store
from symphony_registry.cli.output import FAINT, print_json, print_lines
from symphony_registry.cli.selecting import After, Before, Chosen, Filter, Prefix, Type, chosen_by
from symphony_registry.cli.selection import StoreName, chosen_store, closing, open_to_change
from symphony_registry.errors import public_errors
from symphony_registry.registry import ServiceRegistry
from symphony_registry.settings.effective import printable

_SHOWN = 10


def delete(
    store: Store,
    where: Filter = None,
    prefix: Prefix = None,
    type_name: Type = None,
    after: After = None,
    before: Before = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Delete the items that match, after showing which and asking; entities with their relations.

    All of them, or none. For one item: --filter '{"checkpoint_id": ...}', or a --prefix.
    The exit status is 1 where the answer is no.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    selected = chosen_by(chosen, where, prefix, type_name, after, before)
    if selected.is_everything:
        raise Misuse("Say what to delete, by --prefix, --after, --before, --filter or --type.")
    if not (yes or sys.stdin.isatty()):
        raise Misuse("There is nobody to ask: look at what `find` lists, and pass --yes.")
    shown = None if yes else asyncio.run(_find(registry, chosen, selected))
    if shown and not _confirmed(chosen, shown):
        print_lines("Nothing was deleted.", stderr=True)
        raise typer.Exit(1)
    count = 0 if shown == [] else asyncio.run(_delete(registry, chosen, selected, shown))
    if as_json:
        print_json({"deleted": count})
    else:
        print_lines(f"{count:,} deleted.")


def _confirmed(store: StoreName, ids: list[str]) -> bool:
    print_lines(*map(printable, ids[:_SHOWN]), stderr=True)
    if len(ids) > _SHOWN:
        print_lines(Text(f"and {len(ids) - _SHOWN:,} more", FAINT), stderr=True)
    return (ask(f"Delete {len(ids):,} of {store}? [y/N]:") or "").lower() in ("y", "yes")


async def _find(registry: ServiceRegistry, store: StoreName, selected: Chosen) -> list[str]:
    async with closing(registry):
        opened = await open_to_change(registry, store)
        with public_errors(f"{store} could not be read"):
            return await selected.ids(opened)


async def _delete(registry: ServiceRegistry, store: StoreName, selected: Chosen, shown: list[str] | None) -> int:
    """Delete what is selected; with `shown`, only what was shown and is selected still."""
    async with closing(registry):
        opened = await open_to_change(registry, store)
        with public_errors(f"{store} could not be changed"):
            if shown is None:
                return await selected.delete(opened)
            now = set(await selected.ids(opened))
            return await selected.delete(opened, [id for id in shown if id in now])
