"""Power loss: the states that a machine may be left in, each opened.

A run is recorded call by call. What was synced is on the disk. Of what came
since, any subset is: each 512-byte sector of a write, each change of a file's
size (new bytes read as zero) and each new, renamed or removed name by itself.
What a killed process did not sync is there for the next one, and still not synced.
"""

import asyncio
import itertools
import os
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from torture.disk import SYNCS, intercepted, scratch
from torture.subjects import (
    SUBJECTS,
    Content,
    Effect,
    Step,
    Subject,
    effects,
    explain,
    gathered,
    little_padding,
    logged,
    on_small_data,
    one,
    read_and_write,
)
from torture.tally import Tally

SECTOR = 512
_NONE: Mapping[str, int] = {}


class Sector(NamedTuple):
    """A part of a write."""

    file: int
    place: int
    data: bytes


class Size(NamedTuple):
    """A change of a file's size."""

    file: int
    size: int


class Names(NamedTuple):
    """A change of a directory: which file each name stands for now, if any."""

    directory: str
    names: tuple[tuple[str, int | None], ...]


class Sync(NamedTuple):
    """Everything before, of this file or directory, is on the disk."""

    target: int | str


class Mark(NamedTuple):
    """An operation of a step was acknowledged; without one, the step begins."""

    step: int
    operation: int | None


Pending: TypeAlias = Sector | Size | Names
Event: TypeAlias = Pending | Sync | Mark


@dataclass
class Tree:
    """Files under a root: names stand for files by number, below zero for a directory."""

    names: dict[str, int]
    files: dict[int, bytes]

    def with_changes(self, changes: Sequence[Pending]) -> "Tree":
        """Return the tree after some changes, in this order."""
        result = Tree(dict(self.names), dict(self.files))
        buffers: dict[int, bytearray] = {}
        sizes = {file: len(data) for file, data in self.files.items()}
        for change in changes:
            if isinstance(change, Names):
                for name, number in change.names:
                    result.names.pop(name, None)
                    if number is not None:
                        result.names[name] = number
            elif isinstance(change, Size):
                sizes[change.file] = change.size
            else:
                buffer = buffers.setdefault(change.file, bytearray(self.files.get(change.file, b"")))
                start = change.place * SECTOR
                buffer.extend(bytes(max(0, start - len(buffer))))
                buffer[start : start + SECTOR] = change.data
        for file in {*buffers, *(change.file for change in changes if isinstance(change, Size))}:
            size = sizes.get(file, 0)
            result.files[file] = bytes(buffers.get(file, self.files.get(file, b"")))[:size].ljust(size, b"\0")
        return result

    def write(self, root: Path) -> None:
        """Make the files in a new directory; what stands in a lost directory is lost."""
        root.mkdir(parents=True)
        for name, number in sorted(self.names.items()):
            path = root / name
            if number < 0:
                path.mkdir()
            elif path.parent.exists():
                path.write_bytes(self.files.get(number, b""))


def _read_tree(root: Path) -> dict[str, tuple[int, bytes | None]]:
    found: dict[str, tuple[int, bytes | None]] = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(directory, name)
            if name != "LOCK":
                data = None if name in directories else path.read_bytes()
                found[os.fspath(path.relative_to(root))] = path.stat().st_ino, data
    return found


class Recorder:
    """Records what changes under a root, by looking after each call: no way to write goes unseen."""

    def __init__(self, root: Path, numbers: Mapping[str, int] = _NONE) -> None:
        self.root = root
        self.events: list[Event] = []
        self._numbers = itertools.count(max(map(abs, numbers.values()), default=0) + 1)
        self._seen = _read_tree(root)
        self._files = {inode: numbers.get(name) or self._number(data) for name, (inode, data) in self._seen.items()}
        self.initial = Tree(
            {name: self._files[inode] for name, (inode, _) in self._seen.items()},
            {self._files[inode]: data for inode, data in self._seen.values() if data is not None},
        )

    def _number(self, data: bytes | None) -> int:
        return next(self._numbers) * (1 if data is not None else -1)

    def handle(self, name: str, call: Any, arguments: tuple[Any, ...]) -> Any:
        """Make a call and note what it changed."""
        synced = os.fstat(arguments[0]).st_ino if name in SYNCS else None
        try:
            result = call()
        finally:
            self._look()
        if synced is not None and synced == self.root.stat().st_ino:
            self.events.append(Sync(""))
        for path, (inode, data) in self._seen.items():
            if inode == synced:
                self.events.append(Sync(path if data is None else self._files[inode]))
        return result

    def _look(self) -> None:
        before, after = self._seen, _read_tree(self.root)
        known = dict(before.values())
        self._files = {
            inode: self._files[inode] if inode in known else self._number(data) for inode, data in after.values()
        }
        changed: dict[str, list[tuple[str, int | None]]] = {}
        for name in sorted({*before, *after}):
            inode, data = after.get(name, (None, None))
            if name not in before or before[name][0] != inode:
                number = None if inode is None else self._files[inode]
                changed.setdefault(os.path.dirname(name), []).append((name, number))  # noqa: PTH120 - "" of the root
        self.events += (Names(directory, tuple(names)) for directory, names in changed.items())
        for inode, data in after.values():
            if data is not None and known.get(inode) != data:
                self.events += _differences(self._files[inode], known.get(inode) or b"", data)
        self._seen = after


def _differences(file: int, old: bytes, new: bytes) -> Iterator[Event]:
    if len(old) != len(new):
        yield Size(file, len(new))
    padded = old.ljust(len(new), b"\0")
    for start in range(0, len(new), SECTOR):
        if padded[start : start + SECTOR] != new[start : start + SECTOR]:
            yield Sector(file, start // SECTOR, new[start : start + SECTOR])


@dataclass
class Recording:
    """A script that was run: what happened below, and what was to be seen before and after each step."""

    initial: Tree
    events: list[Event]
    before: list[Content]
    effects: list[list[Effect]]

    def moments(self) -> Iterator[tuple[int, set[int], Tree, list[Pending]]]:
        """Yield each moment: the step, what of it is acknowledged, what is on the disk, and what may be."""
        tree, pending, step, acknowledged = self.initial, list[Pending](), -1, set[int]()
        for event in self.events:
            match event:
                case Mark(number, None):
                    step, acknowledged = number, set()
                case Mark(_, int(operation)):
                    acknowledged = {*acknowledged, operation}
                case Sync(target):
                    durable = [change for change in pending if change[0] == target]
                    pending = [change for change in pending if change[0] != target]
                    tree = tree.with_changes(durable)
                case Sector() | Size() | Names():
                    pending = [*pending, event]
            yield step, acknowledged, tree, pending


def _mark(recorder: Recorder, step: int, operation: int) -> None:
    recorder.events.append(Mark(step, operation))


async def record(
    subject: Subject, root: Path, script: Sequence[Step], disk: Tree | None = None, pending: Sequence[Pending] = ()
) -> Recording:
    """Run a script on what is under `root`, on the `disk` but for what is `pending`; record it and the opening."""
    recorder = Recorder(root, disk.with_changes(pending).names if disk else {})
    before: list[Content] = []
    done: list[list[Effect]] = []
    store = subject.make(root / "store")
    with intercepted(root, recorder.handle):
        recorder.events.append(Mark(-1, None))
        await store.connect()
        content = await subject.read(store)
        for number, step in enumerate(script):
            recorder.events.append(Mark(number, None))
            before.append(content)
            errors = await gathered(store, step, partial(_mark, recorder, number))
            if any(errors):
                raise AssertionError(f"{subject.name}: step {number} of the script failed: {errors}")
            content = await subject.read(store)
            done.append(effects(step, before[-1], content))
        recorder.events.append(Mark(len(script), None))
        before.append(content)
        done.append([])
        await store.disconnect()
    return Recording(disk or recorder.initial, [*pending, *recorder.events], before, done)


def subsets(pending: Sequence[Pending], most: int, rng: random.Random) -> Iterator[tuple[Pending, ...]]:
    """Yield every subset of what is pending, or `most` of them where there are more."""
    if 2 ** len(pending) <= most:
        for chosen in itertools.product((False, True), repeat=len(pending)):
            yield tuple(itertools.compress(pending, chosen))
        return
    yield ()
    yield tuple(pending)
    for _ in range(most - 2):
        match rng.randrange(3):
            case 0:  # all but one
                missing = rng.randrange(len(pending))
                yield (*pending[:missing], *pending[missing + 1 :])
            case 1:  # in order, as far as it came
                yield tuple(pending[: rng.randrange(1, len(pending))])
            case _:
                share = rng.random()
                yield tuple(change for change in pending if rng.random() < share)


def run(tally: Tally, each: int, again: int, seed: int, subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Open up to `each` states of every moment of a run, and some of each `again`-th recovery's and killed run's."""
    rng = random.Random(seed)
    for padding, subject in itertools.product((nullcontext, little_padding), subjects):
        with asyncio.Runner() as runner, scratch() as base, on_small_data(), padding(), logged():
            _lose(runner, tally, subject, Path(base), each, again, rng)


def _lose(
    runner: asyncio.Runner, tally: Tally, subject: Subject, base: Path, each: int, again: int, rng: random.Random
) -> None:
    root = base / "recorded"
    root.mkdir()
    recording = runner.run(record(subject, root, subject.script))
    for number, (case, step, acknowledged, tree) in enumerate(_states(recording, each, rng)):
        place = base / f"{number}"
        before, done = (recording.before[step], recording.effects[step]) if step >= 0 else (recording.before[0], [])
        with tally.trying(f"{subject.name}, {case}"):
            tree.write(place / "first")
            found = runner.run(read_and_write(subject, place / "first" / "store"))
            explain(before, done, acknowledged, found)
            tally.outcomes["states of a run"] += 1
            if again and number % again == 0:
                _lose_again(runner, tally, subject, tree, place, rng, found)
        shutil.rmtree(place)
    if again:
        _lose_after_kills(runner, tally, subject, recording, base, again, rng)


def _states(recording: Recording, each: int, rng: random.Random) -> Iterator[tuple[str, int, set[int], Tree]]:
    seen: set[object] = set()
    for index, (step, acknowledged, tree, pending) in enumerate(recording.moments()):
        for chosen in subsets(pending, each, rng):
            state = tree.with_changes(chosen)
            named = tuple((name, state.files.get(number)) for name, number in sorted(state.names.items()))
            key = hash((step, frozenset(acknowledged), named))
            if key not in seen:
                seen.add(key)
                yield f"event {index}, {len(chosen)} of {len(pending)} changes done", step, acknowledged, state


def _lose_again(
    runner: asyncio.Runner, tally: Tally, subject: Subject, tree: Tree, place: Path, rng: random.Random, first: Content
) -> None:
    """Lose the power once more while the store is opened and first used."""
    root = place / "second"
    tree.write(root)
    recording = runner.run(record(subject, root, (one(lambda store: subject.write(store, "second", 600)),)))
    explain(first, [], (), recording.before[0])
    for case, step, acknowledged, state in _states(recording, 4, rng):
        with tally.trying(f"{subject.name}, recovery, {case}"):
            again = place / f"again {tally.tried}"
            state.write(again)
            found = runner.run(read_and_write(subject, again / "store"))
            done = recording.effects[step] if step >= 0 else []
            explain(recording.before[max(step, 0)], done, acknowledged, found)
            tally.outcomes["states of a recovery"] += 1


def _lose_after_kills(
    runner: asyncio.Runner, tally: Tally, subject: Subject, first: Recording, base: Path, each: int, rng: random.Random
) -> None:
    """Kill the process at each `each`-th moment, and lose the power while another opens and first uses what it left."""
    script, root = (one(lambda store: subject.write(store, "second", 600)),), base / "killed"
    for number, (step, acknowledged, disk, pending) in enumerate(first.moments()):
        if step < 0 or not pending or number % each:
            continue
        disk.with_changes(pending).write(root / "left")
        later = runner.run(record(subject, root / "left", script, disk, pending))
        for case, second, now, state in _states(later, 2, rng):
            with tally.trying(f"{subject.name}, killed at event {number}, {case}"):
                place = root / f"{tally.tried}"
                state.write(place)
                found = runner.run(read_and_write(subject, place / "store"))
                if now:
                    explain(later.before[second], later.effects[second], now, found)
                else:
                    explain(first.before[step], first.effects[step] + later.effects[0], acknowledged, found)
                tally.outcomes["states after a kill"] += 1
        shutil.rmtree(root)
