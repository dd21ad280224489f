"""How far a store has come, for people who wait."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from symphony_registry.cli.output import console
from symphony_registry.transfer import Progress, Stage
from symphony_registry.transfer.progress import silent


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Progress]:
    """Show a bar with items, rate and time left on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return

    from rich import progress as rich  # noqa: PLC0415 - 50 ms that other commands need not pay

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[rate]}", justify="right"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=total, rate="")
        current: Stage | None = None

        def show(stage: Stage, done: int) -> None:
            nonlocal current
            if stage is not current:
                current = stage
                bars.reset(task, total=total, description=f"{stage} {label}", rate="")
            speed = bars.tasks[0].speed
            bars.update(task, completed=done, rate=f"{speed:,.0f}/s" if speed else "")

        yield show
