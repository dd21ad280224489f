"""`symphony-registry stats`, `export` and `import`."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import typer
from rich.text import Text

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.cli.moves import FromSymphony, Merge, Move, Replace, existing_of, interruptible, noted
from symphony_registry.cli.options import ConfigDir, Environment, Json, Misuse, Output, Store, store_names
from symphony_registry.cli.output import (
    BAD,
    FAINT,
    GOOD,
    MISSING,
    Cell,
    parts_of,
    print_error,
    print_json,
    print_lines,
    print_table,
    writing,
)
from symphony_registry.cli.progress import progress_bar
from symphony_registry.cli.selection import (
    StoreName,
    chosen_store,
    chosen_stores,
    closing,
    open_source,
    open_to_fill,
    open_to_read,
    provider_name_of,
)
from symphony_registry.errors import RegistryError, TransferError, public_text
from symphony_registry.registry import ServiceRegistry
from symphony_registry.transfer import (
    Contents,
    Existing,
    Exported,
    ExportFile,
    SymphonyFiles,
    count_all,
    summarize,
    write_lines,
)
from symphony_registry.transfer.kinds import COLLECTIONS


class _Counted(NamedTuple):
    """What a store holds, or why that is not known."""

    store: StoreName
    provider: str
    summary: JSONObject
    problem: str = ""

    @property
    def collections(self) -> list[str]:
        """The names under which the summary has numbers of items."""
        return [each.name for each in COLLECTIONS[self.store.backend_type]]


def stats(
    only: Annotated[
        str | None,
        typer.Argument(
            metavar="[TYPE[/NAME]]",
            help="Only this store, or all of a type.",
            autocompletion=store_names,
            show_default=False,
        ),
    ] = None,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Say how much each store holds: of what types, of which dimension, from when.

    The exit status is 1 where a store cannot be read.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    found = asyncio.run(_count_all(registry, chosen_stores(registry, [] if only is None else [only])))
    if as_json:
        print_json([_as_json(each) for each in found])
    else:
        print_table(("TYPE", "NAME", "PROVIDER", ">ITEMS"), map(_row, found), map(_details, found))
    if any(each.problem for each in found):
        raise typer.Exit(1)


async def _count_all(registry: ServiceRegistry, stores: list[StoreName]) -> list[_Counted]:
    """Count one store after the other: a provider may keep all of it in memory."""
    return [await _count(registry, store) for store in stores]


async def _count(registry: ServiceRegistry, store: StoreName) -> _Counted:
    summary: JSONObject = {}
    problem = ""
    try:
        async with closing(registry):
            summary = await summarize(await open_to_read(registry, store))
    except RegistryError as error:
        problem = " ".join(map(public_text, parts_of(error)))
    return _Counted(store, provider_name_of(registry, store), summary, problem)


def _row(counted: _Counted) -> list[Cell]:
    items = " + ".join(f"{counted.summary[each]:,}" for each in counted.collections if each in counted.summary)
    return [*counted.store, counted.provider, items or MISSING]


def _details(counted: _Counted) -> list[Text]:
    problem = [Text(counted.problem, BAD)] if counted.problem else []
    return problem + [
        Text(f"{key.replace('_', ' ')}: {_shown(value)}", FAINT)
        for key, value in counted.summary.items()
        if key not in counted.collections
    ]


def _shown(value: Any) -> str:
    if not value:
        return MISSING
    if not isinstance(value, dict):
        return str(value)
    if "timestamp" in value:
        return f"{_time(value['timestamp'])}, {value['checkpoint_id']!r}"
    return ", ".join(f"{count:,} {kind}" for kind, count in value.items())


def _time(timestamp: float) -> str:
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):  # any finite number is a timestamp, but has not always a date
        return repr(timestamp)


def _as_json(counted: _Counted) -> JSONObject:
    known = {"type": counted.store.backend_type, "name": counted.store.name, "provider": counted.provider}
    return {**known, **counted.summary, "problem": counted.problem or None}


def export(
    store: Store,
    output: Output = None,
    env: Environment = None,
    config_dir: ConfigDir = None,
) -> None:
    """Write a store as JSON lines, the same for every provider.

    The file appears once it is complete. It replaces an earlier one, unless the store is empty. Equal stores give equal
    files.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    with interruptible("The export is not complete."), _written(output) as file:
        earlier = output if output is not None and output.is_file() else None
        exported = asyncio.run(_export(registry, chosen, file, earlier))
    if output is not None:
        print_lines(Text(f"{exported.count:,} items of {chosen} are in {output}, {exported.digest}", GOOD))


async def _export(registry: ServiceRegistry, store: StoreName, file: BinaryIO, earlier: Path | None) -> Exported:
    async with closing(registry):
        contents = await open_source(registry, store)
        items = await count_all(contents)
        if not items and earlier is not None:
            raise TransferError(f"{store} is empty: {earlier} is kept. Delete it first if you want an empty file.")
        with progress_bar(str(store), items) as progress:
            return await write_lines(contents, file, progress)


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """Give what to write to: a file, or standard output."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    is_special = output.exists() and not output.is_file()  # a device or a pipe keeps its name
    with writing(output), output.open("wb") if is_special else _replaced(output.resolve()) as file:
        yield file


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Give a file that takes the name `path` when it is complete and on the disk; only its owner may read a new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".new", delete=False) as created:
        unfinished = Path(created.name)
    try:
        if path.exists():
            shutil.copymode(path, unfinished)
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def import_(
    store: Store,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="What export has written; - is standard input.", show_default=False),
    ] = None,
    from_symphony: FromSymphony = None,
    merge: Merge = False,
    replace: Replace = False,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Read a store from JSON lines, and compare it with them.

    Everything is checked before anything is written. A store that is not empty is refused, unless it holds what an
    interrupted import of the same file has left: then that is resumed. The exit status is 1 where anything failed.
    """
    existing = existing_of(merge=merge, replace=replace)
    origin = file or from_symphony
    if origin is None or (file and from_symphony):
        raise Misuse("Name either a FILE, or a directory with --from-symphony DIR.")
    registry = ServiceRegistry.from_config(env, config_dir)
    move = Move(chosen_store(registry, store))
    left = "What was imported stays; rerun the command to resume."
    with interruptible(left), noted(move), _contents(file, from_symphony, move.store.backend_type) as contents:
        asyncio.run(_import(registry, contents, move, existing))
    if as_json:
        print_json({"file": str(origin), **move.as_json()})
    elif move.problem:
        print_error(move.problem)
    else:
        print_lines(*move.details(), _import_summary(move, str(origin)))
    if not move.is_right:
        raise typer.Exit(1)


@contextmanager
def _contents(file: Path | None, from_symphony: Path | None, backend_type: BackendType) -> Iterator[Contents]:
    """Give what is to be imported, read to its end and checked."""
    if file is None:
        assert from_symphony is not None
        yield SymphonyFiles(from_symphony, backend_type)
        return
    with _seekable(file) as whole:
        yield ExportFile(whole, str(file), backend_type)


@contextmanager
def _seekable(file: Path) -> Iterator[BinaryIO]:
    """Open a file, or a temporary copy of what can be read once only, as standard input."""
    with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as opened:
        if opened.seekable():
            yield opened
            return
        with tempfile.TemporaryFile() as copied:
            with writing(Path(tempfile.gettempdir())):
                shutil.copyfileobj(opened, copied)
                copied.seek(0)
            yield copied


async def _import(registry: ServiceRegistry, contents: Contents, move: Move, existing: Existing) -> None:
    async with closing(registry):
        target = await open_to_fill(registry, move.store)
        await move.prepare(contents, target, existing)
        await move.carry_out(contents, target)


def _import_summary(move: Move, name: str) -> Text:
    if move.is_right:
        return Text(f"{move.store} is equal to {name}: {move.copied:,} items were written, and all compared.", GOOD)
    return Text(f"{move.store} differs from {name}.", BAD)
