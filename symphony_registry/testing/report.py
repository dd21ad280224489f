"""Running the kit without pytest."""

import asyncio
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from symphony_registry.errors import NotFoundError, hint
from symphony_registry.testing.catalog import sentences
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.processes import SentenceSkipped
from symphony_registry.testing.promises import NotPromised, require
from symphony_registry.testing.sentence import Sentence

Verdict: TypeAlias = Literal["passed", "failed", "not promised", "skipped"]

_SECONDS = 300.0  # which a loaded machine takes a tenth of


@dataclass(frozen=True)
class Outcome:
    """What became of a sentence, and why where it has not passed.

    `not promised`: the provider leaves open what the sentence is about. `skipped`:
    it could not be tried here.
    """

    sentence: Sentence
    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        if self.verdict == "failed":
            return f"FAILED       {self.sentence}\n{self.reason}"
        return f"{self.verdict:12} {self.sentence}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Report:
    """The outcome of every sentence; as text, one line each, what failed with the reason, and the numbers."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> list[Outcome]:
        """The sentences that hold."""
        return self._with("passed")

    @property
    def failed(self) -> list[Outcome]:
        """The sentences that do not hold."""
        return self._with("failed")

    @property
    def not_promised(self) -> list[Outcome]:
        """The sentences that need a promise which the provider does not make."""
        return self._with("not promised")

    @property
    def skipped(self) -> list[Outcome]:
        """The sentences that could not be tried."""
        return self._with("skipped")

    def _with(self, verdict: Verdict) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    def __str__(self) -> str:
        numbers = (
            f"{len(self.passed)} passed, {len(self.failed)} failed, "
            f"{len(self.not_promised)} not promised, {len(self.skipped)} skipped"
        )
        return "\n".join([*map(str, self.outcomes), numbers])


async def run_conformance(harness: Harness[Any], only: Collection[str] | None = None) -> Report:
    """Check every sentence, or `only` those of some groups or ids, and report on each."""
    chosen = sentences(harness.backend_type)
    if only is not None:
        chosen = _selected(chosen, only)
    return Report(tuple([await _outcome(sentence, harness) for sentence in chosen]))


def _selected(known: Iterable[Sentence], only: Collection[str]) -> list[Sentence]:
    names = {name for sentence in known for name in (sentence.group, sentence.id)}
    for name in only:
        if name not in names:
            raise NotFoundError(f"There is no group or sentence {name!r}. {hint(name, names)}")
    return [sentence for sentence in known if sentence.group in only or sentence.id in only]


async def _outcome(sentence: Sentence, harness: Harness[Any]) -> Outcome:
    try:
        await examine(sentence, harness)
    except NotPromised as promise:
        return Outcome(sentence, "not promised", str(promise))
    except SentenceSkipped as reason:
        return Outcome(sentence, "skipped", str(reason))
    except Exception as error:
        return Outcome(sentence, "failed", _explain(error))
    return Outcome(sentence, "passed")


async def examine(sentence: Sentence, harness: Harness[Any]) -> None:
    """Raise what is wrong, `NotPromised` or `SentenceSkipped`."""
    async with asyncio.timeout(_SECONDS):
        if sentence.needs:
            async with harness.open() as store:  # what it promises may depend on its server
                require(sentence.needs, store)
        await sentence.check(harness)


def _explain(error: Exception) -> str:
    """Return where and why a check failed; a bare assert explains itself by its line."""
    frames = traceback.extract_tb(error.__traceback__)
    checks = [frame for frame in frames if frame.name != "examine" and "/testing/" in frame.filename]
    lines = [f"    {frame.filename}:{frame.lineno}: {frame.line}" for frame in checks[1:][-2:]]
    return "\n".join([*lines, f"    {type(error).__name__}: {error}"])
