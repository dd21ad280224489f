"""The sentences of the contract, each with the check that it holds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.promises import Promise

Check: TypeAlias = Callable[[Harness[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Sentence:
    """One sentence of the contract; `check` raises where it does not hold.

    It is asked only of a provider that promises what it `needs`.
    """

    group: str
    name: str
    text: str
    check: Check
    needs: tuple[Promise, ...] = ()

    @property
    def id(self) -> str:
        """The name by which it is selected, which does not change when it is worded anew."""
        return f"{self.group}.{self.name}"

    def __str__(self) -> str:
        return f"{self.id}: {self.text}"


class Group:
    """The sentences about one subject, of all backend types or of one."""

    def __init__(self, name: str, backend_type: BackendType | None = None, *, needs: tuple[Promise, ...] = ()) -> None:
        self.name = name
        self.backend_type = backend_type
        self.needs = needs
        self.sentences: list[Sentence] = []

    def sentence(self, text: str, *, needs: Promise | tuple[Promise, ...] = ()) -> Callable[[Check], Check]:
        """Make the decorated function the check of a sentence, and its name a part of the sentence's id."""

        def add(check: Check) -> Check:
            own = (needs,) if isinstance(needs, str) else needs
            self.sentences.append(Sentence(self.name, check.__name__, text, check, (*self.needs, *own)))
            return check

        return add
