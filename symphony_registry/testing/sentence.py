"""The sentences of the contract, each with the check that it holds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from symphony_registry.testing.harness import Harness

Check: TypeAlias = Callable[[Harness[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Sentence:
    """One sentence of the contract; `check` raises where it does not hold."""

    group: str
    text: str
    check: Check
    needs_persistence: bool = False

    def __str__(self) -> str:
        return f"{self.group}: {self.text}"


class Group:
    """The sentences about one subject."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sentences: list[Sentence] = []

    def sentence(self, text: str, *, needs_persistence: bool = False) -> Callable[[Check], Check]:
        """Make the decorated function the check of a sentence."""

        def add(check: Check) -> Check:
            self.sentences.append(Sentence(self.name, text, check, needs_persistence))
            return check

        return add
