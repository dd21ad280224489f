"""The tree is as small and as ordered as CONTRIBUTING.md says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symphony_registry"
APART = {("benchmarks",), ("helpers",), ("torture",)}  # folders of tests that mirror none of the package's

MODULES = [
    path
    for folder in ("symphony_registry", "containers", "torture", "benchmarks", "tests/helpers")
    for path in (ROOT / folder).rglob("*.py")
]


def test_no_module_has_more_than_350_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > 350} == {}


def test_the_tests_mirror_the_package() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    mirroring = [folder for folder in folders if folder.parts[:1] not in APART]
    assert len(mirroring) > 5
    assert [folder for folder in mirroring if not (PACKAGE / folder).is_dir()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_a_page_that_shows_the_tree_shows_all_of_it_and_nothing_else(page: str) -> None:
    (tree,) = re.findall(r"^```\n(config/ .*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    shown = {line.split()[0] for line in tree.splitlines() if line.startswith("  ") and line.split()[0].endswith("/")}
    assert shown == {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py") if not path.parent.is_symlink()}
