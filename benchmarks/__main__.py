"""Measure everything, or the rows that are named: `python -m benchmarks [row ...]`."""

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

from benchmarks import report
from benchmarks.harness import Plan, apart
from benchmarks.rows import ROWS, measure


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; all without one")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument(
        "--output",
        type=Path,
        action="append",
        default=[],
        help="a page whose sections are replaced, also more than once; pictures stand beside the first",
    )
    parser.add_argument("--directory", type=Path, default=Path(), help="on the disk to be measured (here)")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SYMPHONY_BENCH_DATA"),
        help="a directory with vectors.npy and query_vectors.npy, for real vectors too ($SYMPHONY_BENCH_DATA)",
    )
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    pictures = options.output[0].parent / "pictures" if options.output else None
    sections, failed = [], []
    print(report.machine(), end="\n\n")
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="benchmarks-") as directory:
        make_plan = Plan.quick if options.quick else Plan
        plan = make_plan(Path(directory).resolve(), options.data, pictures)
        for name in options.rows or ROWS:
            try:
                section = apart(measure, name, plan)
            except Exception:
                traceback.print_exc()
                failed.append(name)
                continue
            sections.append(section)
            print(section.markdown(), end="\n\n", flush=True)
    if options.output:
        report.write(options.output, sections)
    missed = [line for section in sections for line in section.missed()]
    print("Not reached:", *(missed or ["nothing"]), sep="\n- ")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
