"""Running the kit without pytest."""

import asyncio
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from symphony_registry.errors import UnsupportedFilterError, UnsupportedOperationError
from symphony_registry.testing.catalog import sentences
from symphony_registry.testing.harness import Harness, SentenceSkipped
from symphony_registry.testing.sentence import Sentence

_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What became of a sentence: passed, unless there is an error or a reason to skip it."""

    sentence: Sentence
    error: Exception | None = None
    skipped: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the sentence holds."""
        return self.error is None and self.skipped is None

    def __str__(self) -> str:
        if self.error is not None:
            return f"FAILED  {self.sentence}\n{_explain(self.error)}"
        return f"skipped {self.sentence} ({self.skipped})" if self.skipped else f"passed  {self.sentence}"


@dataclass(frozen=True)
class Report:
    """The outcome of every sentence; as text, one line each, and what failed with the reason."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> list[Outcome]:
        """The sentences that hold."""
        return [outcome for outcome in self.outcomes if outcome.passed]

    @property
    def failed(self) -> list[Outcome]:
        """The sentences that do not hold."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def skipped(self) -> list[Outcome]:
        """The sentences that say nothing about the provider."""
        return [outcome for outcome in self.outcomes if outcome.skipped is not None]

    def __str__(self) -> str:
        numbers = f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"
        return "\n".join([*map(str, self.outcomes), numbers])


async def run_conformance(harness: Harness[Any], groups: Collection[str] | None = None) -> Report:
    """Check every sentence, or those of some groups, and report on each."""
    chosen = [each for each in sentences(harness.backend_type) if groups is None or each.group in groups]
    return Report(tuple([await _outcome(sentence, harness) for sentence in chosen]))


async def _outcome(sentence: Sentence, harness: Harness[Any]) -> Outcome:
    try:
        await examine(sentence, harness)
    except SentenceSkipped as reason:
        return Outcome(sentence, skipped=str(reason))
    except Exception as error:
        return Outcome(sentence, error=error)
    return Outcome(sentence)


async def examine(sentence: Sentence, harness: Harness[Any]) -> None:
    """Raise what is wrong, or `SentenceSkipped` where the sentence says nothing about the provider."""
    if sentence.needs_persistence and not harness.persists:
        raise SentenceSkipped("the provider does not persist")
    try:
        async with asyncio.timeout(_SECONDS):
            await sentence.check(harness)
    except UnsupportedFilterError as error:
        raise SentenceSkipped(str(error)) from error
    except UnsupportedOperationError as error:
        if harness.is_complete:
            raise
        raise SentenceSkipped(str(error)) from error


def _explain(error: Exception) -> str:
    """Return where and why a check failed; a bare assert explains itself by its line."""
    frames = traceback.extract_tb(error.__traceback__)
    checks = [frame for frame in frames if frame.name != "examine" and "/testing/" in frame.filename]
    lines = [f"    {frame.filename}:{frame.lineno}: {frame.line}" for frame in checks[1:][-2:]]
    return "\n".join([*lines, f"    {type(error).__name__}: {error}"])
