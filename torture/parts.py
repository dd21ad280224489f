"""The parts of the torture, each in its long form and in a process of its own."""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from torture import contention, corruption, crash, fuzzing, holds, io_errors, model, names, power_loss
from torture.tally import Tally

_MEMORY = 8 << 30  # bytes of addresses: more is an explosion


def long_forms(options: argparse.Namespace) -> dict[str, Callable[[Tally], None]]:
    """Return what runs each part, or the share of it that was asked for."""
    seed, share = options.seed, options.share

    def some(number: int) -> int:
        return max(1, int(number * share))

    stride = max(1, round(1 / share))
    return {
        "corruption": lambda tally: corruption.run(tally, stride, seed),
        "crash": lambda tally: crash.run(tally, some(3_334), seed),
        "power loss": lambda tally: power_loss.run(tally, some(128), 20, seed),
        "I/O errors": lambda tally: io_errors.run(tally, stride),
        "names and forks": lambda tally: names.run(tally, some(3_000), seed),
        "event loop": _holds,
        "contention": lambda tally: contention.run(tally, max(2, some(100)), seed),
        "model": lambda tally: model.run(tally, some(110_000), seed),
        "fuzzing, arguments": lambda tally: fuzzing.run_arguments(tally, some(1_000_000), seed),
        "fuzzing, journals": lambda tally: fuzzing.run_journals(tally, some(100_000), seed),
    }


def _holds(tally: Tally) -> None:
    holds.run(tally)


def limit(directory: Path | None) -> None:
    """Prepare a process of one part."""
    if directory:
        tempfile.tempdir = str(directory)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def run(options: argparse.Namespace, name: str) -> Tally:
    """Run a part and return what came of it."""
    tally = Tally(name, patience=0 if name == "model" else 60)
    started = time.monotonic()
    long_forms(options)[name](tally)
    tally.seconds = time.monotonic() - started
    return tally
