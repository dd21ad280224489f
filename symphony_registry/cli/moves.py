"""What `migrate` and `import` have in common: moving a store, and reporting on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from symphony_registry.cli.options import Misuse
from symphony_registry.cli.output import BAD, FAINT, GOOD, parts_of, print_lines
from symphony_registry.cli.progress import progress_bar
from symphony_registry.cli.selection import StoreName
from symphony_registry.errors import RegistryError, public_text
from symphony_registry.transfer import (
    Action,
    Comparison,
    Contents,
    CopyPlan,
    Existing,
    Stage,
    StoreContents,
    as_kept,
    compare,
    copy,
    plan_copy,
)

_INTERRUPTED = 130  # as shells count it: 128 + SIGINT

Merge = Annotated[bool, typer.Option("--merge", help="Write over what the target holds, and keep the rest.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Delete first what the target holds, if it is something else.")
]

FromSymphony = Annotated[
    Path | None,
    typer.Option(
        "--from-symphony", metavar="DIR", help="Read a directory of the Symphony framework's file backends instead."
    ),
]

_PLANNED = {
    Action.COPY: "would copy {0.to_copy:,}",
    Action.CONTINUE: "would continue with {0.to_copy:,}",
    Action.NOTHING: "is there already",
    Action.MERGE: "would merge {0.to_copy:,} into {0.target_items:,}",
    Action.REPLACE: "would delete {0.target_items:,}, then copy {0.to_copy:,}",
}


@dataclass
class Move:
    """What is planned for a store, what came of it, or what is wrong."""

    store: StoreName
    plan: CopyPlan | None = None
    copied: int = 0
    precision: str | None = None  # what the target rounds numbers to
    comparison: Comparison | None = None
    problem: str = ""

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.problem and (self.comparison is None or self.comparison.equal)

    async def prepare(self, source: Contents, target: StoreContents, existing: Existing) -> None:
        """Plan, or raise what is in the way."""
        self.precision = target.precision
        with progress_bar(str(self.store), None) as progress:
            self.plan = await plan_copy(as_kept(source, target), target, existing, progress)

    async def carry_out(self, source: Contents, target: StoreContents) -> None:
        """Copy as planned, and compare both sides."""
        plan = self.plan
        assert plan is not None
        for text in self._about_rounding():
            print_lines(f"{self.store}: {text}", stderr=True)
        kept = as_kept(source, target)
        with progress_bar(str(self.store), plan.source_items) as show:

            def count(stage: Stage, done: int) -> None:
                self.copied = done - sum(plan.held)
                show(stage, done)

            await copy(kept, target, plan, count)
            self.comparison = await compare(kept, target, merged=plan.action is Action.MERGE, progress=show)

    def result(self) -> Text:
        """Return what came of it in a word or two."""
        if self.problem:
            return Text("failed" if self.plan else "refused", BAD)
        if self.comparison is not None:
            return Text("equal", GOOD) if self.comparison.equal else Text("differs", BAD)
        return Text("-" if self.plan is None else _PLANNED[self.plan.action].format(self.plan))

    def details(self) -> list[Text]:
        """Return what is wrong, what differs, and what both sides hold."""
        details = [Text(self.problem)] if self.problem else []
        details += map(Text, self._about_rounding())
        if (found := self.comparison) is not None:
            details += [Text(f"{each.collection}: {each}") for each in found.differences]
            if found.differing > len(found.differences):
                details.append(Text(f"and {found.differing - len(found.differences):,} more"))
            counts = ", ".join(f"{count:,} {name}" for name, count in found.source.counts.items())
            others = f" (beside {found.others:,} others)" if found.others else ""
            details.append(Text(f"{counts}{others}, {found.source.digest}", FAINT))
        return details

    def _about_rounding(self) -> list[str]:
        if self.precision is None:
            return []
        return [f"the target keeps {self.precision}: vectors are copied rounded, and compared as rounded."]

    def as_json(self) -> dict[str, Any]:
        """Return everything for a program."""
        plan, found = self.plan, self.comparison
        return {
            "type": self.store.backend_type,
            "name": self.store.name,
            "action": plan and plan.action,
            "to_copy": plan and plan.to_copy,
            "copied": self.copied,
            "rounded": self.precision is not None,
            "source": found and vars(found.source),
            "target": found and vars(found.target),
            "others": found and found.others,
            "equal": found and found.equal,
            "differing": found and found.differing,
            "differences": [each._asdict() for each in found.differences] if found else [],
            "problem": self.problem or None,
        }


@contextmanager
def noted(move: Move) -> Iterator[None]:
    """Keep what goes wrong in the block with the move."""
    try:
        yield
    except RegistryError as error:
        move.problem = " ".join(map(public_text, parts_of(error)))


@contextmanager
def interruptible(left: str) -> Iterator[None]:
    """Where Ctrl-C interrupts the block, say what that leaves, and end the command."""
    try:
        yield
    except KeyboardInterrupt:
        print_lines(f"Interrupted. {left}", stderr=True)
        raise typer.Exit(_INTERRUPTED) from None


def existing_of(*, merge: bool, replace: bool) -> Existing:
    """Return what the two options say together."""
    if merge and replace:
        raise Misuse("--merge keeps what --replace deletes: choose one.")
    return Existing.MERGE if merge else Existing.REPLACE if replace else Existing.REFUSE
