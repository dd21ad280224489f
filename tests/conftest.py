import os
from collections.abc import Iterator

import pytest

from symphony_registry import ServiceRegistry


@pytest.fixture(autouse=True)
def _untouched_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test without our variables, and leave no process-wide registry behind."""
    for name in list(os.environ):
        if name.startswith("SYMPHONY_"):
            monkeypatch.delenv(name)
    yield
    ServiceRegistry.reset_instance()
