"""`symphony-registry migrate`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, TypeAlias

import typer
from rich.text import Text

from symphony_registry.cli.moves import Merge, Move, Replace, existing_of, interruptible, noted
from symphony_registry.cli.options import ConfigDir, Json, Misuse, environment_names, store_names
from symphony_registry.cli.output import BAD, GOOD, MISSING, Cell, print_json, print_lines, print_table
from symphony_registry.cli.selection import (
    StoreName,
    chosen_stores,
    closing,
    open_source,
    open_to_fill,
    provider_name_of,
    settings_of,
    stores_of,
)
from symphony_registry.errors import RegistryError, TransferError, hint
from symphony_registry.registry import ServiceRegistry
from symphony_registry.transfer import Existing, StoreContents

_COLUMNS = ("TYPE", "NAME", "FROM", "TO", ">ITEMS", ">COPIED", "RESULT")

_Ends: TypeAlias = dict[str, ServiceRegistry]  # by their environments: the source, the target


def migrate(
    source: Annotated[
        str, typer.Option("--from", metavar="ENV", help="The environment to read.", autocompletion=environment_names)
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="ENV", help="The environment to fill.", autocompletion=environment_names)
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE[/NAME]",
            help="Only this store, or all of a type; can be given again.",
            autocompletion=store_names,
            show_default=False,
        ),
    ] = None,
    excluded: Annotated[
        list[str] | None,
        typer.Option(
            "--except",
            metavar="TYPE[/NAME]",
            help="Not this store, or none of a type; can be given again.",
            autocompletion=store_names,
            show_default=False,
        ),
    ] = None,
    merge: Merge = False,
    replace: Replace = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done, and copy nothing. A missing target is created, empty."),
    ] = False,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Copy stores from one environment to another, whatever their providers, and compare both sides.

    Ids, values, vectors to the last bit, the order of checkpoints and their timestamps stay what they are. Everything
    is opened and checked before anything is written. A target that is not empty is refused, unless it holds what an
    interrupted run has left: then the same command resumes. Nobody should write to either side while it runs. The exit
    status is 1 where anything failed or differs.
    """
    if source == target:
        raise Misuse(f"--from and --to are both {source!r}.")
    existing = existing_of(merge=merge, replace=replace)
    ends = {environment: ServiceRegistry.from_config(environment, config_dir) for environment in (source, target)}
    left_out = chosen_stores(ends[source], excluded) if excluded else []
    moves = [Move(each) for each in chosen_stores(ends[source], only or ()) if each not in left_out]
    with interruptible("What was copied stays; rerun the command to resume."):
        asyncio.run(_migrate(ends, moves, existing, dry_run=dry_run))
    if as_json:
        stores = [{**_providers(ends, each.store), **each.as_json()} for each in moves]
        print_json({"from": source, "to": target, "dry_run": dry_run, "stores": stores})
    else:
        rows = [_row(each, _providers(ends, each.store)) for each in moves]
        print_table(_COLUMNS, rows, [each.details() for each in moves])
        print_lines(_summary(moves, dry_run=dry_run))
    if not all(each.is_right for each in moves):
        raise typer.Exit(1)


async def _migrate(ends: _Ends, moves: list[Move], existing: Existing, *, dry_run: bool) -> None:
    """Check all, then copy all; one store is open at a time, since a provider may keep all of it in memory."""
    for move in moves:
        with noted(move):
            async with _opened(ends, move.store) as stores:
                await move.prepare(*stores, existing)
    if dry_run or any(each.problem for each in moves):
        return
    for move in moves:
        with noted(move):
            async with _opened(ends, move.store) as stores:
                await move.carry_out(*stores)


@asynccontextmanager
async def _opened(ends: _Ends, store: StoreName) -> AsyncIterator[tuple[StoreContents, StoreContents]]:
    """Open a store in both environments."""
    (_, source), (name, target) = ends.items()
    if settings_of(target, store) is None:
        known = [each.name for each in stores_of(target) if each.backend_type is store.backend_type]
        raise TransferError(
            f"{name}: There is no {store.backend_type} {store.name!r}. {hint(store.name, known)} "
            f"Add it to {name}.yaml, or leave it out with --except {store}."
        )
    if settings_of(source, store) == settings_of(target, store):
        raise TransferError("Both environments keep it in the same place: its provider and options are the same.")
    async with AsyncExitStack() as stack:
        opened: list[StoreContents] = []
        for environment, registry in ends.items():
            await stack.enter_async_context(closing(registry))
            try:
                opened.append(await (open_source if registry is source else open_to_fill)(registry, store))
            except RegistryError as error:
                raise TransferError(f"{environment}: {error}") from error
        yield opened[0], opened[1]


def _providers(ends: _Ends, store: StoreName) -> dict[str, str]:
    source, target = (provider_name_of(registry, store) for registry in ends.values())
    return {"from_provider": source, "to_provider": target}


def _row(move: Move, providers: dict[str, str]) -> list[Cell]:
    items = MISSING if move.plan is None else f"{move.plan.source_items:,}"
    return [*move.store, *providers.values(), items, f"{move.copied:,}", move.result()]


def _summary(moves: list[Move], *, dry_run: bool) -> Text:
    wrong = sum(not each.is_right for each in moves)
    if wrong:
        refused = any(each.plan is None for each in moves)
        return Text(f"{wrong} of {len(moves)} stores need attention.{' Nothing was copied.' if refused else ''}", BAD)
    if dry_run:
        return Text("Nothing was copied.")
    return Text("Both sides were read and are equal." if moves else "There is nothing to copy.", GOOD)
