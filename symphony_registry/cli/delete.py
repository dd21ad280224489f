"""`symphony-registry delete`."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.text import Text

from symphony_registry.cli.options import ConfigDir, Environment, Json, Store
from symphony_registry.cli.output import FAINT, print_json, print_lines
from symphony_registry.cli.selecting import Chosen, Filter, Prefix, Type, chosen_by
from symphony_registry.cli.selection import StoreName, chosen_store, closing, open_to_fill
from symphony_registry.errors import public_errors
from symphony_registry.registry import ServiceRegistry

_SHOWN = 10


def delete(
    store: Store,
    where: Filter = None,
    prefix: Prefix = None,
    type_name: Type = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Delete the items that match, after showing which and asking; entities with their relations.

    All of them, or none. For one item: --filter '{"checkpoint_id": ...}', or a --prefix.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    selected = chosen_by(chosen, where, prefix, type_name)
    if selected.is_everything:
        raise typer.BadParameter("Say what to delete, by --prefix, --filter or --type.")
    if not (yes or sys.stdin.isatty()):
        raise typer.BadParameter("There is nobody to ask: look at what `find` lists, and pass --yes.")
    count = asyncio.run(_delete(registry, chosen, selected, yes=yes))
    if as_json:
        print_json({"deleted": count})
    else:
        print_lines(f"{count:,} deleted.")


async def _delete(registry: ServiceRegistry, store: StoreName, selected: Chosen, *, yes: bool) -> int:
    async with closing(registry):
        opened = (await open_to_fill(registry, store)).store
        with public_errors(f"{store} could not be changed"):
            if yes:
                return await selected.delete(opened)
            found = await selected.find(opened, None)
            ids = [each["checkpoint_id"] if "checkpoint_id" in each else each["id"] for each in found]
            print_lines(*ids[:_SHOWN], stderr=True)
            if len(ids) > _SHOWN:
                print_lines(Text(f"and {len(ids) - _SHOWN:,} more", FAINT), stderr=True)
            if not ids or not typer.confirm(f"Delete {len(ids):,} of {store}?", err=True):
                return 0
            return await selected.delete(opened, ids)  # what was asked about, and nothing that came meanwhile
