"""Damaged files: each byte changed, each length cut, and lines removed, repeated and exchanged.

What opens holds exactly what was written, or is `StorageCorruptedError` with file
and offset, and then no file was touched. Two damages cannot be told from a crash:
where a store was not closed, a byte of the last write that looks like one not
written, which is left out and logged; and an end of the data that is blank, as if
it had never been written, which is logged unless it is blank from a whole write on.
"""

import asyncio
import random
import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeAlias

from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import StorageCorruptedError, StorageFormatError
from symphony_registry.providers.embedded.salvage import salvage
from torture.disk import copy_files, replace_files, scratch
from torture.subjects import (
    SUBJECTS,
    Content,
    Effect,
    Subject,
    assert_same,
    at_rest,
    effects,
    explain,
    gathered,
    logged,
    on_small_data,
    read_and_write,
)
from torture.tally import Tally

Files: TypeAlias = dict[str, bytes]

_REFUSED = "refused, with file and offset"
_BLANK = b"\t\0"
_PADDING = 1_024  # bytes of padding that are tried as the data are


class Original(NamedTuple):
    """The files of a store, what they hold, and what they held before each step, with the step's effects."""

    files: Files
    content: Content
    history: list[tuple[Content, list[Effect]]]
    closed: bool


class Damage(NamedTuple):
    """Another content for one file."""

    what: str
    file: str
    data: bytes


async def make(subject: Subject, directory: Path, *, closed: bool) -> Original:
    """Run the script of a subject and return what it leaves on the disk."""
    store = subject.make(directory)
    content = Content()
    history: list[tuple[Content, list[Effect]]] = []
    async with store:
        for step in subject.script:
            before = content
            await gathered(store, step)
            content = await subject.read(store)
            history.append((before, effects(step, before, content)))
        if not closed:
            await at_rest(store)
            copy_files(directory, directory.with_name("killed"))
    directory = directory if closed else directory.with_name("killed")
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "LOCK"}
    return Original(files, content, history, closed)


def changed_bytes(files: Files, rng: random.Random, stride: int) -> Iterator[Damage]:
    """Yield changes of a byte, at every `stride`-th place of the data, and here and there in the padding."""
    for name, data in files.items():
        end = min(len(data), len(data.rstrip(_BLANK)) + _PADDING)
        rest = rng.sample(range(end, len(data)), min(64, len(data) - end))
        for offset in (*range(rng.randrange(stride), end, stride), *rest):
            old = data[offset]
            for new in {old ^ 1, old ^ 0x80, old ^ 0xFF, ord("\n"), ord("\t"), 0} - {old}:
                yield Damage(f"byte {offset} is {new}", name, data[:offset] + bytes([new]) + data[offset + 1 :])


def cut_lengths(files: Files, rng: random.Random, stride: int) -> Iterator[Damage]:
    """Yield truncations, at every `stride`-th length of the data, and here and there in the padding."""
    for name, data in files.items():
        end = min(len(data), len(data.rstrip(_BLANK)) + _PADDING)
        rest = rng.sample(range(end, len(data)), min(64, len(data) - end))
        for length in (*range(rng.randrange(stride), end, stride), *rest):
            yield Damage(f"cut to {length} bytes", name, data[:length])


def moved_lines(files: Files) -> Iterator[Damage]:
    """Yield files with a line or a sector removed, repeated, blanked, or exchanged with the next."""
    for name, data in files.items():
        end = len(data.rstrip(_BLANK))
        lines = data[:end].splitlines(keepends=True)
        sectors = [data[start : min(start + 512, end)] for start in range(0, end, 512)]
        for kind, parts in (("line", lines), ("sector", sectors)):
            for index, part in enumerate(parts):
                before, after = b"".join(parts[:index]), b"".join(parts[index + 1 :]) + data[end:]
                following = parts[index + 1] if index + 1 < len(parts) else b""
                rest = after[len(following) :]
                for what, other in {
                    "removed": before + after,
                    "repeated": before + part + part + after,
                    "zeroed": before + bytes(len(part)) + after,
                    "blanked": before + b"\t" * len(part) + after,
                    "exchanged": before + following + part + rest,
                    "and all before removed": after,
                }.items():
                    if other != data:
                        yield Damage(f"{kind} {index} {what}", name, other)


def run(tally: Tally, stride: int, seed: int, subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Damage each store, closed and not closed, at every `stride`-th place."""
    rng = random.Random(seed)
    with asyncio.Runner() as runner, scratch() as base, on_small_data():
        for subject in subjects:
            for closed in (True, False):
                with logged():
                    name = f"{subject.name}, {'closed' if closed else 'not closed'}"
                    original = runner.run(make(subject, Path(base, name, "store"), closed=closed))
                for damage in chain(
                    changed_bytes(original.files, rng, stride),
                    cut_lengths(original.files, rng, stride),
                    moved_lines(original.files),
                ):
                    with tally.trying(f"{name}, {damage.file}, {damage.what}"):
                        damaged = Path(base, "damaged")
                        replace_files(damaged, {**original.files, damage.file: damage.data})
                        outcome = runner.run(_open_damaged(subject, original, damage, damaged))
                        tally.outcomes[outcome] += 1
                        if outcome == _REFUSED and tally.outcomes[outcome] % 10 == 0:
                            _salvage(runner, subject, original, damaged, Path(base, "salvaged"))
                            tally.outcomes["salvaged"] += 1


async def _open_damaged(subject: Subject, original: Original, damage: Damage, directory: Path) -> str:
    """Open a damaged store and return what came of it; raise where that must not be."""
    store = subject.make(directory)
    with logged() as messages:
        try:
            await store.connect()
        except StorageCorruptedError as error:
            _check_error(error, original, damage, directory)
            return _REFUSED
        except StorageFormatError:
            if damage.data.startswith(original.files[damage.file].splitlines()[0]):
                raise
            return "refused, as it begins otherwise"
        try:
            found = await subject.read(store)
        finally:
            await store.disconnect()
    if _is_between(found, original.content, []):
        return "intact"
    data = damage.data.rstrip(_BLANK)
    erased = len(data) < len(damage.data) and original.files[damage.file].startswith(data)
    if erased and any(_is_between(found, *step) for step in original.history):
        if not messages and not data.endswith(b"\n"):
            raise AssertionError("the last writes are left out in silence")
        return "blank at the end, as before the last writes"
    if original.closed or not messages or not _is_between(found, *original.history[-1]):
        assert_same(found, original.content)
    return "last write left out, and logged"


def _salvage(runner: asyncio.Runner, subject: Subject, original: Original, damaged: Path, target: Path) -> None:
    """Raise unless salvage keeps only what was there once, lists losses, and leaves the source alone."""
    shutil.rmtree(target, ignore_errors=True)
    before = {path.name: path.read_bytes() for path in damaged.iterdir() if path.name != "LOCK"}
    result = salvage(damaged, target, BackendType(subject.name))
    if before != {path.name: path.read_bytes() for path in damaged.iterdir() if path.name != "LOCK"}:
        raise AssertionError("salvage changed its source")
    found = runner.run(read_and_write(subject, target))
    if not result.lost:
        assert_same(found, original.content)
    for key, value in found.items():
        once = [content.get(key) for content, _ in original.history] + [original.content.get(key)]
        if value not in once:
            raise AssertionError(f"salvage made {value!r:.300} up for {key}")


def _is_between(found: Content, before: Content, done: list[Effect]) -> bool:
    """Say whether a content is what was there before a step, or between its operations."""
    try:
        explain(before, done, (), found)
    except AssertionError:
        return False
    return True


def _check_error(error: StorageCorruptedError, original: Original, damage: Damage, directory: Path) -> None:
    if error.path.parent != directory or str(error.path) not in str(error) or str(error.offset) not in str(error):
        raise AssertionError(f"the message does not name file and offset: {error}") from error
    pairs = enumerate(zip(original.files[damage.file], damage.data, strict=False))
    first = next((offset for offset, (old, new) in pairs if old != new), len(damage.data))
    if error.path.name == damage.file and not 0 <= error.offset <= first:
        raise AssertionError(f"the damage begins at {first}, not at {error.offset}") from error
    files = {**original.files, damage.file: damage.data}
    if touched := [name for name, data in files.items() if (directory / name).read_bytes() != data]:
        raise AssertionError(f"{touched} were changed") from error
