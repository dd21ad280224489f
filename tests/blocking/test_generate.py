"""The blocking classes are those that the async ones give."""

import ast

import pytest

from symphony_registry.blocking.generate import GENERATED, SOURCES, generate


@pytest.mark.parametrize("module", SOURCES)
def test_what_is_committed_is_what_would_be_generated(module: str) -> None:
    committed = ast.parse((GENERATED / f"{module}.py").read_text())
    wanted = ast.parse(generate(SOURCES[module]))
    assert ast.dump(committed) == ast.dump(wanted), "run: python symphony_registry/blocking/generate.py"
