"""Failing disks: each call that touches a file fails, once or until the disk is repaired.

A call fails with ENOSPC, with EIO, or as a write that ends early and cannot go
on; a failed sync may also lose everything that it should have made durable.
"""

import asyncio
import errno
import io
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from symphony_registry.errors import StorageError
from torture.disk import SYNCS, WRITES, copy_files, intercepted, replace_files, scratch
from torture.subjects import (
    SUBJECTS,
    Content,
    Effect,
    Step,
    Subject,
    applied,
    assert_same,
    at_rest,
    effects,
    explain,
    gathered,
    little_padding,
    logged,
    on_small_data,
    one,
    reopen,
    timeless,
)
from torture.tally import Tally

FOREVER = 1_000_000


class Fault(NamedTuple):
    """What fails: the call of a number, in a way, that many times in a row."""

    call: int
    way: str
    times: int


class Disk:
    """A disk that fails at one call and at `times - 1` calls after it that could fail so."""

    def __init__(self, directory: Path, fault: Fault | None = None) -> None:
        self.fault = fault
        self.calls: list[str] = []
        files = [path for path in directory.rglob("*") if path.is_file()]
        self._synced = {path.stat().st_ino: path.read_bytes() for path in files}  # by inode

    def repair(self) -> None:
        """Let no more calls fail."""
        if self.fault and len(self.calls) > self.fault.call:
            self.fault = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let calls of others pass."""
        fault, self.fault = self.fault, None
        try:
            yield
        finally:
            self.fault = fault

    def handle(self, name: str, call: Any, arguments: tuple[Any, ...]) -> Any:
        """Make a call, or fail."""
        number = len(self.calls)
        self.calls.append(name)
        fault = self.fault
        if fault and number >= fault.call and fault.way in ways(name):
            self.fault = Fault(fault.call, fault.way, fault.times - 1) if fault.times > 1 else None
            self._fail(name, call, arguments, fault.way)
        result = call()
        if name in SYNCS:
            self._synced[os.fstat(arguments[0]).st_ino] = _content(arguments[0])
        if isinstance(result, io.BufferedReader):
            file = result.name if isinstance(result.name, str) else os.dup(result.name)
            result.close()  # which leaves a descriptor open that was given to it
            return io.BufferedReader(_FailingFile(file, self))
        return result

    def _fail(self, name: str, call: Any, arguments: tuple[Any, ...], way: str) -> None:
        if name == "close":
            call()  # which lets go of the descriptor, whatever it says
        elif way == "short":
            descriptor, given, offset = arguments
            data = b"".join(given) if name == "pwritev" else given
            os.pwrite(descriptor, data[: len(data) // 2], offset)
        elif way == "lost":
            inode = os.fstat(arguments[0]).st_ino
            if (content := self._synced.get(inode, b"")) != _content(arguments[0]):
                os.ftruncate(arguments[0], len(content))
                os.pwrite(arguments[0], content, 0)
        code = errno.EIO if way in {"EIO", "lost"} else errno.ENOSPC
        raise OSError(code, os.strerror(code))


class _FailingFile(io.FileIO):
    """A file whose reads are calls too."""

    def __init__(self, file: str | int, disk: Disk) -> None:
        super().__init__(file)
        self._disk = disk

    def readinto(self, buffer: Any) -> int | None:
        result: int | None = self._disk.handle("read", partial(super().readinto, buffer), ())
        return result

    def readall(self) -> bytes:
        result: bytes = self._disk.handle("read", super().readall, ())
        return result


def ways(name: str) -> tuple[str, ...]:
    """Return how a call can fail."""
    if name in SYNCS:
        return "EIO", "lost", "ENOSPC"
    if name in WRITES:
        return "ENOSPC", "EIO", "short"
    return ("EIO",) if name in {"close", "read", "pread"} else ("ENOSPC", "EIO")


def _content(descriptor: int) -> bytes:
    path = f"/proc/self/fd/{descriptor}"
    return Path(path).read_bytes() if Path(path).is_file() else b""


class Run(NamedTuple):
    """A script on a store that begins with some files, and what it does where nothing fails."""

    subject: Subject
    script: tuple[Step, ...]
    files: dict[str, bytes]
    before: list[Content]
    effects: list[list[Effect]]
    calls: list[str]


async def rehearse(subject: Subject, script: tuple[Step, ...], files: dict[str, bytes], directory: Path) -> Run:
    """Run a script without faults."""
    _put_files(files, directory)
    disk = Disk(directory)
    done: list[list[Effect]] = []
    store = subject.make(directory / "store")
    with intercepted(directory, disk.handle):
        await store.connect()
        before = [timeless(await subject.read(store))]
        for step in script:
            await gathered(store, step)
            before.append(timeless(await subject.read(store)))
            done.append(effects(step, before[-2], before[-1]))
        await store.disconnect()
    return Run(subject, script, files, before, done, disk.calls)


async def interrupted(subject: Subject, directory: Path) -> dict[str, bytes]:
    """Return the files of a store that was killed in the middle of a write."""
    async with subject.make(directory / "store") as store:
        for step in subject.script:
            await gathered(store, step)
        await at_rest(store)
        copy_files(directory / "store", directory / "killed")
    journal = (directory / "killed" / "journal.jsonl").read_bytes()
    end = journal.rindex(b"\n") + 1
    begun = b'{"crc":"00000000","seq":'
    return {"journal.jsonl": journal[:end] + begun + journal[end + len(begun) :]}


async def _write_first(subject: Subject, store: Any) -> None:
    await subject.write(store, "first", 1)


def _put_files(files: dict[str, bytes], directory: Path) -> None:
    if files:
        directory.mkdir()
        replace_files(directory / "store", files)


def faults(calls: Sequence[str]) -> Iterator[Fault]:
    """Yield every fault that a run of these calls can meet."""
    for number, name in enumerate(calls):
        for way in ways(name):
            for times in (1, 2, FOREVER):
                yield Fault(number, way, times)


def run(tally: Tally, stride: int = 1, subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Run each script with every `stride`-th fault, and the recovery of a store that was killed in a write."""
    with asyncio.Runner() as runner, scratch() as base, on_small_data(), little_padding(), logged():
        for subject in subjects:
            files = runner.run(interrupted(subject, Path(base, f"{subject.name} interrupted")))
            recovery = (one(partial(_write_first, subject)), one(reopen))
            new = runner.run(rehearse(subject, subject.script, {}, Path(base, f"{subject.name} new")))
            old = runner.run(rehearse(subject, recovery, files, Path(base, f"{subject.name} old")))
            cases = [(each, fault) for each in (new, old) for fault in faults(each.calls)]
            for number, (each, fault) in enumerate(cases[::stride]):
                place = f"{'recovery' if each.files else 'run'}, call {fault.call} ({each.calls[fault.call]})"
                with tally.trying(f"{subject.name}, {place} fails, {fault.way}, {fault.times} x"):
                    tally.outcomes[fault.way] += 1
                    runner.run(_suffer(each, fault, Path(base, f"{subject.name} {number}")))


async def _suffer(run: Run, fault: Fault, directory: Path) -> None:
    """Run a script on a failing disk; what fails is tried again, and once more when the disk is repaired."""
    _put_files(run.files, directory)
    disk = Disk(directory, fault)
    subject = run.subject
    store = subject.make(directory / "store")
    with intercepted(directory, disk.handle):
        await _insist(disk, directory, store.connect)
        for step, before, done in zip(run.script, run.before, run.effects, strict=False):
            acknowledged = set[int]()
            errors = [error for error in await gathered(store, step, acknowledged.add) if error]
            for error in errors:
                _check_error(error, directory)
            if errors:
                with disk.working():
                    await _check_content(subject, store, before, done, acknowledged, directory)
                    if before and store.is_open:  # what failed must not show behind something shorter
                        await subject.write(store, "short", 1)
                        assert_same(await _killed(subject, store, directory), timeless(await subject.read(store)))
                        await subject.remove(store, "short")
            for index in {*range(len(step))} - acknowledged:
                await _insist(disk, directory, partial(step[index].call, store))
        await _insist(disk, directory, store.disconnect)
        with disk.working():  # also where it made fewer calls than the rehearsal, and nothing failed
            async with store:
                assert_same(timeless(await subject.read(store)), run.before[-1])
    shutil.rmtree(directory)


async def _insist(disk: Disk, directory: Path, call: Callable[[], Awaitable[object]]) -> None:
    for repaired in (False, True):
        try:
            await call()
        except Exception as error:
            _check_error(error, directory)
            if repaired:
                raise
            disk.repair()
        else:
            return


def _check_error(error: BaseException, directory: Path) -> None:
    """Raise unless an error is ours and names the path."""
    if not isinstance(error, StorageError):
        raise error
    if not error.path.is_relative_to(directory) or str(error.path) not in str(error):
        raise AssertionError(f"the message does not name the path: {error}") from error


async def _check_content(
    subject: Subject, store: Any, before: Content, done: list[Effect], acknowledged: set[int], directory: Path
) -> None:
    """Raise unless the open store holds what was acknowledged, and so does what a kill leaves behind now."""
    if store.is_open:
        expected = before
        for index in sorted(acknowledged):
            expected = applied(expected, done[index])
        assert_same(timeless(await subject.read(store)), expected)
    explain(before, done, acknowledged, await _killed(subject, store, directory))


async def _killed(subject: Subject, store: Any, directory: Path) -> Content:
    """Return what a kill leaves behind now."""
    await at_rest(store)
    copy = directory.with_name("killed")
    copy_files(directory / "store", copy)
    async with subject.make(copy) as survivor:
        return timeless(await subject.read(survivor))
