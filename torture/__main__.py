"""The long form of everything: `python -m torture [part ...]`.

Prints a table, and every failure with what it takes to see it again. Needs the
extra `test`.
"""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from platform import python_version

from torture import parts
from torture.tally import Tally

_BEGIN, _END = "<!-- begin: python -m torture -->", "<!-- end -->"


def table(tallies: Sequence[Tally], options: argparse.Namespace) -> str:
    """Return the report as Markdown."""
    lines = ["| part | tried | failures | seconds | what came of it |", "| --- | ---: | ---: | ---: | --- |"]
    for tally in tallies:
        outcomes = "; ".join(f"{name}: {count:,}" for name, count in tally.outcomes.most_common())
        lines.append(
            f"| {tally.part} | {tally.tried:,} | {len(tally.failures):,} | {tally.seconds:,.0f} | {outcomes} |"
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines += [""]
    lines.append(
        f"{datetime.now(UTC):%Y-%m-%d}, symphony-registry {version('symphony-registry')}, Python {python_version()}, "
        f"NumPy {version('numpy')}, {sys.platform}; seed {options.seed}; at most {peak:,.0f} MB of memory."
    )
    return "\n".join(lines)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("parts", nargs="*", help="a part, or the beginning of its name; without any, all")
    parser.add_argument("--share", type=float, default=1, help="of the long form, as in 0.01")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--directory", type=Path, help="where crash and contention have their stores; default: the system's"
    )
    parser.add_argument("--output", type=Path, help="a page in which the table stands between two markers")
    options = parser.parse_args()
    names = [
        name
        for name in parts.long_forms(options)
        if not options.parts or any(name.startswith(part) for part in options.parts)
    ]
    context = get_context("spawn")
    tallies = []
    with ProcessPoolExecutor(
        os.cpu_count(), context, parts.limit, (options.directory,), max_tasks_per_child=1
    ) as processes:
        for tally in processes.map(partial(parts.run, options), names):
            tallies.append(tally)
            print(
                f"{tally.part}: {tally.tried:,} tried, {len(tally.failures):,} failures, {tally.seconds:,.0f} s",
                flush=True,
            )
            for failure in tally.failures[:20]:
                print(failure)
    report = table(tallies, options)
    print(report)
    if options.output:
        page = options.output.read_text()
        before, rest = page.split(_BEGIN)
        options.output.write_text(f"{before}{_BEGIN}\n{report}\n{_END}{rest.split(_END, 1)[1]}")
    sys.exit(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    main()
