"""Writing configuration files, and reading what is wrong with them."""

from pathlib import Path

import pytest

from tests.helpers.configuration import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write configuration files: `write(base="...", production="...")` returns their directory."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return write
