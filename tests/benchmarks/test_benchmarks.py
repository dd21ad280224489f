"""The benchmarks run, at sizes whose figures mean nothing, with whichever peers are installed."""

import asyncio
import math
from pathlib import Path

import pytest

from benchmarks.harness import (
    OURS,
    RATE,
    Call,
    Plan,
    Reach,
    Result,
    at_least,
    at_least_times,
    at_most,
    at_most_times,
    installed,
    library,
    race,
)
from benchmarks.report import Section, write
from benchmarks.rows import ROWS, measure

# What rows measure ours with, which has to be installed.
FRAMEWORKS = {
    "savers": "langgraph.checkpoint.base",
    "postgres_savers": "langgraph.checkpoint.base",
    "redis_savers": "langgraph.checkpoint.base",
    "langchain": "langchain_core",
    "postgres_langchain": "langchain_core",
}
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan.quick(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the peers' own
@pytest.mark.parametrize("row", ROWS)
def test_a_row_measures_ours_and_every_peer_that_is_installed(
    row: str, plan: Plan, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if row in FRAMEWORKS:
        pytest.importorskip(FRAMEWORKS[row])
    if row.startswith("postgres"):
        monkeypatch.setenv("POSTGRES_TEST_URL", request.getfixturevalue("postgres_url"))
    section = measure(row, plan)
    for result in section.results:
        figures = [figure for figure in result.figures.values() if figure is not None]
        assert figures
        assert all(math.isfinite(figure) and figure > 0 for figure in figures)
        assert row == "growth" or result.figures[OURS] is not None


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_place_on_one_of_the_pages(row: str, tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("benchmarks.md", "postgresql.md")]
    for page in pages:
        page.write_text((DOCS / page.name).read_text())
    write(pages, [Section(row, "A title", "", [Result("work", {OURS: 1.0})], 1.0)])
    assert ["## A title" in page.read_text() for page in pages].count(True) == 1


def test_a_section_replaces_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- machine --><!-- end of machine -->\n<!-- a -->old<!-- end of a -->\nafter\n")
    for title in ("First", "Second"):
        write([page], [Section("a", title, "", [Result("work", {OURS: 1.0})], 1.0)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "## Second" in text
    assert "old" not in text
    assert "First" not in text


def test_a_section_goes_to_the_page_that_has_a_place_for_it(tmp_path: Path) -> None:
    pages = [tmp_path / "a.md", tmp_path / "b.md"]
    pages[0].write_text("<!-- machine --><!-- end of machine --><!-- a --><!-- end of a -->")
    pages[1].write_text("<!-- b --><!-- end of b -->")
    write(pages, [Section(name, name.upper(), "", [Result("work", {OURS: 1.0})], 1.0) for name in "ab"])
    texts = [page.read_text() for page in pages]
    assert ["## A" in text for text in texts] == [True, False]
    assert ["## B" in text for text in texts] == [False, True]


def test_no_page_is_written_where_a_row_has_no_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- machine --><!-- end of machine -->")
    with pytest.raises(SystemExit, match="No page has a place for a:"):
        write([page], [Section("a", "Title", "", [], 1.0)])
    assert page.read_text() == "<!-- machine --><!-- end of machine -->"


def test_a_peer_that_is_not_installed_is_named_and_not_measured(plan: Plan) -> None:
    def absent() -> Call:
        call: Call = library("no_such_library")
        return call

    calls = installed({"absent": absent})
    figures = asyncio.run(race(plan, {OURS: lambda _: None, **calls}))
    result = Result("work", figures, reaches=[at_most_times(1, "absent")])
    assert result.shown["absent"] == "not installed"
    assert result.verdicts == [("at most 1 x absent", None)]


def test_contestants_take_turns_and_the_first_turn_is_not_counted(plan: Plan) -> None:
    turns: list[tuple[int, str]] = []
    contestants = {"a": lambda turn: turns.append((turn, "a")), "b": lambda turn: turns.append((turn, "b"))}
    asyncio.run(race(plan, contestants))
    assert turns == [(turn, name) for turn in range(plan.rounds + 1) for name in "ab"]


def test_what_a_call_returns_is_awaited(plan: Plan) -> None:
    awaited: list[int] = []

    async def work(turn: int) -> None:
        awaited.append(turn)

    asyncio.run(race(plan, {OURS: work}))
    assert awaited == list(range(plan.rounds + 1))


@pytest.mark.parametrize(
    ("reach", "words", "met"),
    [
        (at_most(0.002), "at most 2 ms", True),
        (at_most(0.0009), "at most 900 µs", False),
        (at_least(1000), "at least 1,000 /s", True),
        (at_least(1001), "at least 1,001 /s", False),
        (at_most_times(0.5, "peer"), "at most 0.5 x peer", True),
        (at_most_times(0.4, "peer"), "at most 0.4 x peer", False),
        (at_least_times(2, "peer"), "at least 2 x peer", True),
        (at_least_times(2.1, "peer"), "at least 2.1 x peer", False),
    ],
)
def test_a_verdict_follows_from_the_figures(reach: Reach, words: str, met: bool) -> None:
    assert Result("work", {OURS: 0.001, "peer": 0.002}, reaches=[reach]).verdicts == [(words, met)]


def test_a_figure_is_shown_with_its_ratio_to_ours() -> None:
    figures = {OURS: 0.001, "peer": 0.0032}
    assert Result("work", figures).shown == {OURS: "1 ms", "peer": "3.2 ms (3.2 x)"}
    assert Result("work", figures, RATE).shown == {OURS: "1,000 /s", "peer": "312 /s (3.2 x)"}
