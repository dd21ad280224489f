"""`kill -9` at random moments: opening, single writes, groups of tasks, bulk writes, compaction, closing.

Every acknowledged write is there, of the others each is whole or absent, and the
store opens without help. Some stores are killed again in the middle of recovery
before anybody looks.
"""

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from torture import ROOT
from torture.crash_writer import PARTS, SLOTS, STORES, WAYS, Slots, value
from torture.subjects import logged
from torture.tally import Tally

_DURABILITY = ("full", "full", "full", "os")  # to a process, both are
_LONGEST = 0.03  # seconds until a kill


class Writer:
    """The process that forks those which are killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.crash_writer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._rest = b""

    def close(self) -> None:
        """End it."""
        self._requests.close()
        self._answers.close()
        self._process.wait()

    def run_and_kill(self, request: Sequence[object], seconds: float) -> list[list[str]]:
        """Let a child work that long, kill it, and return what it told."""
        deadline = time.monotonic() + seconds
        self._requests.write("\t".join(map(str, request)).encode() + b"\n")
        self._requests.flush()
        told: list[list[str]] = []
        pid: int | None = None
        while True:
            for words in self._lines(deadline if pid else deadline + 60):
                told.append(words)
                if words[0] == "pid":
                    pid = int(words[1])
                elif words[0] == "gone":
                    if words[1] != str(-signal.SIGKILL):
                        raise AssertionError(f"the writer ended by itself: {words}")
                    return told
            if pid and time.monotonic() >= deadline:
                os.kill(pid, signal.SIGKILL)
                deadline = time.monotonic() + 60

    def _lines(self, deadline: float) -> list[list[str]]:
        ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return []
        data = os.read(self._answers.fileno(), 65_536)
        if not data:
            raise AssertionError("the process that forks writers is gone")
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode().split() for line in lines]


class Expectation:
    """What each slot may hold."""

    def __init__(self) -> None:
        self.next_number = 0
        self._possible: defaultdict[int, set[int | None]] = defaultdict(lambda: {None})
        self._bulk: list[int] = []

    def learn(self, told: list[list[str]]) -> None:
        """Take what a writer told before it was killed."""
        self._bulk = []
        for words in told:
            match words:
                case ["start" | "bulk" as way, begin, end]:
                    numbers = range(int(begin), int(end))
                    self.next_number = numbers.stop
                    started = [n for n in numbers if way == "start" or value(n) is not None]
                    for number in started:
                        self._possible[number % SLOTS].add(value(number))
                    self._bulk = started if way == "bulk" else []
                case ["done", number]:
                    self._possible[int(number) % SLOTS] = {value(int(number))}

    def check(self, found: list[tuple[int, int]], *, bulk_is_atomic: bool) -> None:
        """Raise unless what was found is possible, and go on from there."""
        slots: defaultdict[int, list[int]] = defaultdict(list)
        for slot, number in found:
            slots[slot].append(number)
        for slot, numbers in slots.items():
            if len(numbers) != PARTS or len({*numbers}) != 1:
                raise AssertionError(f"slot {slot} is half written: {numbers}")
        for slot, possible in self._possible.items():
            now = slots[slot][0] if slots[slot] else None
            if now not in possible:
                raise AssertionError(f"slot {slot} holds {now}, not one of {possible}")
        there = [number in slots[number % SLOTS] for number in self._bulk]
        if bulk_is_atomic and any(there) and not all(there):
            raise AssertionError(f"a bulk write is there in part: {there}")
        for slot in range(SLOTS):
            self._possible[slot] = {slots[slot][0] if slots[slot] else None}


def run(tally: Tally, kills: int, seed: int, subjects: Sequence[str] = tuple(STORES)) -> None:
    """Kill a writer to each backend type `kills` times."""
    rng = random.Random(seed)
    writer = Writer()
    try:
        with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as base, logged():
            for subject in subjects:
                _run_subject(tally, kills, rng, writer, runner, subject, Path(base, subject))
    finally:
        writer.close()


def _run_subject(
    tally: Tally, kills: int, rng: random.Random, writer: Writer, runner: asyncio.Runner, subject: str, directory: Path
) -> None:
    expectation = Expectation()
    for kill in range(kills):
        way = rng.choice(WAYS)
        with tally.trying(f"{subject}, kill {kill}, {way}"):
            request = subject, directory, rng.choice(_DURABILITY), expectation.next_number, way
            expectation.learn(writer.run_and_kill(request, rng.uniform(0, _LONGEST)))
            tally.outcomes[way] += 1
            if rng.random() < 0.7:
                found = runner.run(_stored(STORES[subject], directory))
                expectation.check(found, bulk_is_atomic=subject != "checkpoint_store")


async def _stored(slots: Slots, directory: Path) -> list[tuple[int, int]]:
    async with slots.store({"path": directory}) as store:
        return await slots.read(store)
