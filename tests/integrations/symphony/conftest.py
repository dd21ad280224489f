"""A process in which the framework is not imported, with a stand-in for it where a test asks for one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from symphony_registry.integrations.symphony.installation import _Finder
from tests.helpers.framework import write_framework


@pytest.fixture(autouse=True)
def _not_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave no module of the framework's, and nothing that finds any."""
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if not isinstance(each, _Finder)])
    before = {name: module for name, module in sys.modules.items() if _is_the_frameworks(name)}
    for name in before:
        del sys.modules[name]
    yield
    for name in list(filter(_is_the_frameworks, sys.modules)):
        del sys.modules[name]
    sys.modules.update(before)


def _is_the_frameworks(name: str) -> bool:
    return name.partition(".")[0] == "symphony"


@pytest.fixture
def framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the stand-in importable."""
    write_framework(tmp_path / "framework")
    monkeypatch.syspath_prepend(tmp_path / "framework")
