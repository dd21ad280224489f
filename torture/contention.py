"""Two processes, two event loops, many tasks: refused or right, never mixed.

Several processes want the same directories at once: each opens, writes, closes,
over and over, and some are killed while they hold a lock. A refusal says so; what
was acknowledged to anybody is there in the end. Then two event loops want one
backend, and hundreds of tasks write and read one store.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symphony_registry.errors import RegistryError, StorageLockedError, WrongEventLoopError
from torture import ROOT
from torture.subjects import SUBJECTS, Subject, logged, on_small_data
from torture.tally import Tally

_CONTENDERS = 3


async def contend(subject: Subject, directory: Path, name: str, rounds: int) -> None:
    """Open, write and close a store that others want too; tell each acknowledgement."""
    done = 0
    while done < rounds:
        store = subject.make(directory)
        try:
            await store.connect()
        except StorageLockedError:
            os.write(1, b"refused\n")
            await asyncio.sleep(0.001)  # another process holds it
            continue
        await subject.write(store, f"{name}-{done}", 600)
        os.write(1, f"done {name}-{done}\n".encode())
        done += 1
        await store.disconnect()


def main() -> None:
    """Be one of the contenders."""
    kind, directory, name, rounds = sys.argv[1:]
    subject = next(subject for subject in SUBJECTS if subject.name == kind)
    asyncio.run(contend(subject, Path(directory), name, int(rounds)))


def run(tally: Tally, rounds: int, seed: int, subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Let processes contend for `rounds` openings each, then event loops and tasks."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as base, logged(), on_small_data():
        for subject in subjects:
            with tally.trying(f"{subject.name}, processes"):
                _processes(tally, subject, Path(base, f"{subject.name} processes"), rounds, rng)
            with tally.trying(f"{subject.name}, event loops"):
                _loops(tally, subject, Path(base, f"{subject.name} loops"), rounds)
            with tally.trying(f"{subject.name}, tasks"):
                asyncio.run(_tasks(tally, subject, Path(base, f"{subject.name} tasks"), rounds, rng))


def _processes(tally: Tally, subject: Subject, directory: Path, rounds: int, rng: random.Random) -> None:
    command = [sys.executable, "-m", "torture.contention", subject.name, os.fspath(directory)]
    processes = [
        subprocess.Popen([*command, f"p{number}", str(rounds)], cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603
        for number in range(_CONTENDERS)
    ]
    victim = processes[0]
    assert victim.stdout
    lines = [victim.stdout.readline() for _ in range(rng.randrange(1, rounds))]
    os.kill(victim.pid, signal.SIGKILL)
    told = lines + [line for process in processes for line in process.communicate()[0].splitlines(keepends=True)]
    if [process.returncode for process in processes[1:]] != [0] * (_CONTENDERS - 1):
        raise AssertionError(f"a contender failed: {[process.returncode for process in processes]}")
    acknowledged = {line.split()[1].decode() for line in told if line.startswith(b"done")}
    tally.tried += len(told)
    tally.outcomes["opened beside other processes"] += len(acknowledged)
    tally.outcomes["refused to a second process"] += told.count(b"refused\n")
    found = {part for key in asyncio.run(_content(subject, directory)) for part in key}
    if missing := acknowledged - found:
        raise AssertionError(f"acknowledged, and not there: {missing}")


async def _content(subject: Subject, directory: Path) -> Any:
    async with subject.make(directory) as store:
        return await subject.read(store)


def _loops(tally: Tally, subject: Subject, directory: Path, rounds: int) -> None:
    """Use a backend from a second event loop while the first runs, and from others after it has ended."""
    store = subject.make(directory)
    opened, ended = threading.Event(), threading.Event()

    async def hold() -> None:
        async with store:
            opened.set()
            await asyncio.to_thread(ended.wait)

    async def intrude() -> None:
        for operation in (
            subject.write(store, "intruder", 1),
            store.connect(),
            store.disconnect(),
            subject.read(store),
        ):
            try:
                await operation
            except WrongEventLoopError:
                tally.outcomes["refused to a second event loop"] += 1
            else:
                raise AssertionError("a second event loop was not refused")

    holder = threading.Thread(target=asyncio.run, args=(hold(),))
    holder.start()
    opened.wait()
    try:
        for _ in range(rounds):
            asyncio.run(intrude())
    finally:
        ended.set()
        holder.join()
    tally.tried += 4 * rounds

    async def abandon(number: int) -> None:
        await store.connect()
        writing = asyncio.ensure_future(subject.write(store, f"abandoned {number}", 1))
        await subject.write(store, f"kept {number}", 1)
        writing.cancel()

    for number in range(rounds):
        asyncio.run(abandon(number))  # ends without disconnect()
        tally.tried += 1
    found = {part for key in asyncio.run(_taken_up(subject, store)) for part in key}
    if missing := {f"kept {number}" for number in range(rounds)} - found:
        raise AssertionError(f"acknowledged, and not there: {missing}")


async def _taken_up(subject: Subject, store: Any) -> Any:
    await store.connect()
    found = await subject.read(store)
    await store.disconnect()
    return found


async def _tasks(tally: Tally, subject: Subject, directory: Path, rounds: int, rng: random.Random) -> None:
    """Let hundreds of tasks write, read, and be cancelled, while the store is closed and opened."""
    store = subject.make(directory)
    acknowledged: set[str] = set()

    async def work(name: str) -> None:
        for number in range(rounds):
            tally.tried += 1
            try:
                await subject.write(store, f"{name}-{number}", 1)
                acknowledged.add(f"{name}-{number}")
            except RegistryError:
                tally.outcomes["refused to a task, the store being closed"] += 1
                await asyncio.sleep(0)

    async def disturb() -> None:
        for _ in range(rounds):
            await asyncio.sleep(rng.random() * 0.005)
            await store.disconnect()
            await store.connect()

    await store.connect()
    tasks = [asyncio.create_task(work(f"t{number}")) for number in range(200)]
    disturbing = asyncio.create_task(disturb())
    for task in rng.sample(tasks, 20):
        await asyncio.sleep(rng.random() * 0.002)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await disturbing
    errors = [task.exception() for task in tasks if not task.cancelled() and task.exception()]
    if errors:
        raise AssertionError(f"a task failed: {errors}")
    before = await subject.read(store)
    await store.disconnect()
    found = await _content(subject, directory)
    if before != found:
        raise AssertionError("memory and disk differ")
    if missing := acknowledged - {part for key in found for part in key}:
        raise AssertionError(f"acknowledged, and not there: {missing}")
    tally.outcomes["writes of tasks acknowledged"] += len(acknowledged)


if __name__ == "__main__":
    main()
