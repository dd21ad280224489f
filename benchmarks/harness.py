"""How contestants are timed, and what is told about them."""

import ctypes
import gc
import importlib
import inspect
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

OURS = "symphony"

# One piece of work, which is given the number of the repetition; awaited where it can be.
Call = Callable[[int], Any]
# A figure for each contestant: seconds for a piece of work, or what the unit says; None: not installed.
Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Plan:
    """How large a run is, and where it finds and puts things."""

    directory: Path
    data: Path | None = None
    pictures: Path | None = None
    vectors: int = 100_000
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    entities: int = 100_000
    checkpoints: int = 10_000
    checkpoint_bytes: tuple[int, ...] = (1_000_000, 10_000_000)
    steps: int = 50_000  # of all threads of agent state
    rounds: int = 21
    seconds: float = 3.0  # after which a slow contestant sits out the other rounds

    @classmethod
    def quick(cls, directory: Path, data: Path | None = None, pictures: Path | None = None) -> "Plan":
        """Return a plan that takes seconds and proves only that everything runs."""
        return cls(
            directory,
            data,
            pictures,
            vectors=2_000,
            sizes=(1_000, 2_000),
            entities=2_000,
            checkpoints=100,
            checkpoint_bytes=(20_000, 50_000),
            steps=500,
            rounds=2,
            seconds=0.1,
        )


@dataclass(frozen=True)
class Unit:
    """What a figure counts; the smaller, the better."""

    show: Callable[[float], str]


def _duration(seconds: float) -> str:
    for name, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_short(seconds / size)} {name}"
    return f"{_short(seconds / 1e-9)} ns"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _rate(seconds: float) -> str:
    return f"{float(f'{1 / seconds:.3g}'):,.0f} /s"


TIME = Unit(_duration)
RATE = Unit(_rate)
MEGABYTES = Unit(lambda megabytes: f"{_short(megabytes)} MB")
TIMES = Unit(lambda factor: f"{factor:.2f} x")


@dataclass(frozen=True)
class Reach:
    """What ours should reach, in words, and whether the figures say so; None: they cannot say."""

    words: str
    holds: Callable[[Figures], bool | None]


def at_most(limit: float, unit: Unit = TIME) -> Reach:
    """Ours is at most `limit`."""
    return Reach(f"at most {unit.show(limit)}", lambda figures: _compare(figures[OURS], limit))


def at_least(rate: float) -> Reach:
    """Ours does at least `rate` a second."""
    return Reach(f"at least {rate:,.0f} /s", lambda figures: _compare(figures[OURS], 1 / rate))


def at_most_times(factor: float, peer: str) -> Reach:
    """Ours takes at most `factor` times as long as `peer`."""
    return Reach(f"at most {factor:g} x {peer}", lambda figures: _compare(figures[OURS], figures[peer], factor))


def at_least_times(factor: float, peer: str) -> Reach:
    """Ours does at least `factor` times as much in a second as `peer`."""
    return Reach(f"at least {factor:g} x {peer}", lambda figures: _compare(figures[OURS], figures[peer], 1 / factor))


def _compare(ours: float | None, other: float | None, factor: float = 1) -> bool | None:
    return None if ours is None or other is None else ours <= factor * other


class Result:
    """One piece of work: a figure for each contestant, as shown, and the verdicts on ours."""

    def __init__(self, work: str, figures: Figures, unit: Unit = TIME, reaches: Sequence[Reach] = ()) -> None:
        self.work = work
        self.figures = dict(figures)
        self.shown = {name: _shown(figure, figures, unit) for name, figure in figures.items()}
        self.verdicts = [(reach.words, reach.holds(figures)) for reach in reaches]


def _shown(figure: float | None, figures: Figures, unit: Unit) -> str:
    if figure is None:
        return "not installed"
    ours = figures.get(OURS)
    return unit.show(figure) if ours is None or figure is ours else f"{unit.show(figure)} ({figure / ours:.3g} x)"


def library(name: str) -> Any:
    """Import a peer by name: none of them is needed, and few of them are typed."""
    return importlib.import_module(name)


def installed(setups: Mapping[str, Callable[..., T]], *arguments: Any) -> dict[str, T | None]:
    """Set up every contestant whose library is installed; None stands for the others."""
    done: dict[str, T | None] = {}
    for name, set_up in setups.items():
        try:
            done[name] = set_up(*arguments)
        except ModuleNotFoundError:
            done[name] = None
    return done


# Calls of a turn, the first of them to get going, and the seconds after which no other begins.
_SWING, _LONG_TURN = 6, 0.5


def fastest(choices: Sequence[T], work: Callable[[T], Any]) -> T:
    """Return the choice with which the work is done the soonest, by the median of a few times, in turns."""
    seconds: list[list[float]] = [[] for _ in choices]
    for _ in range(_SWING):
        for choice, took in zip(choices, seconds, strict=True):
            start = time.perf_counter()
            work(choice)
            took.append(time.perf_counter() - start)
    medians = [statistics.median(took[1:]) for took in seconds]
    return choices[medians.index(min(medians))]


def pause() -> None:
    """Let the threads of the contestant before come to rest: OpenBLAS's spin for 2**26 cycles in want of work."""
    time.sleep(0.05)


async def race(
    plan: Plan,
    contestants: Mapping[str, Call | None],
    per: int = 1,
    settle: Callable[[], None] = pause,
    warm: int = 0,
    *,
    frozen: bool = True,
) -> dict[str, float | None]:
    """Return the median seconds of each contestant for one of the `per` pieces of work that a call does.

    They take turns, so that a disturbance hits all of them; the first turn of each is not timed. `settle` is called
    before each turn, so that nobody pays for what another has left. With `warm`, as many calls come before everything,
    and a turn is a few calls after one that is not timed: what is measured is work in full swing. Unless `frozen`, what
    everybody has stored is looked through by the collections of garbage that the work brings about.
    """
    times: dict[str, list[float]] = {name: [] for name, call in contestants.items() if call is not None}
    gc.collect()
    if frozen:
        gc.freeze()  # what is stored is not looked through while somebody else is timed
    for call in contestants.values():
        if call is not None:
            await _timed_calls(call, 0, max(1, warm))
    for turn in range(1, plan.rounds + 1):
        for name, call in contestants.items():
            if call is None or (len(times[name]) >= 3 and sum(times[name]) > plan.seconds):
                continue
            settle()
            calls = await _timed_calls(call, turn, _SWING if warm else 1)
            times[name].append(statistics.median(calls[1:] or calls))
    gc.unfreeze()
    return {name: None if call is None else statistics.median(times[name]) / per for name, call in contestants.items()}


async def _timed_calls(call: Call, turn: int, count: int) -> list[float]:
    """Return the seconds of as many calls, fewer of slow ones."""
    seconds: list[float] = []
    while len(seconds) < count and sum(seconds) < _LONG_TURN:
        seconds.append(await timed(call, turn * count + len(seconds)))
    return seconds


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a fresh process, whose memory and threads nobody else has used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def each_apart(functions: Mapping[str, Callable[..., float]], *arguments: Any) -> dict[str, float | None]:
    """Call each contestant's function in a fresh process of its own; None stands for what is not installed."""
    return installed({name: partial(apart, function) for name, function in functions.items()}, *arguments)


def resident() -> float:
    """Return the megabytes of memory that this process has, without what it has freed and could give back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def timed(call: Call, turn: int = 0) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    done = call(turn)
    if inspect.isawaitable(done):
        await done
    return time.perf_counter() - start
