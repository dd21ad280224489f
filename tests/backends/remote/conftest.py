"""Each engine behind a server, which tests stop and kill."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.helpers.engines import ENGINES, Engine
from tests.helpers.servers import given

_numbers = count(1)


@pytest.fixture(scope="session", params=ENGINES)
def product(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def engine(product: str) -> Engine:
    return ENGINES[product]


@pytest.fixture(scope="session")
def server(engine: Engine) -> Iterator[Any]:
    """Yield a server that keeps what it acknowledged; each test leaves it running."""
    yield from given(engine.running())


@pytest.fixture(params=range(3), ids=["vectors", "graph", "checkpoints"])
def kind(request: pytest.FixtureRequest, engine: Engine) -> Any:
    return engine.kinds[request.param]


@pytest.fixture
def options(engine: Engine, server: Any) -> dict[str, Any]:
    return engine.options(server, f"remote_{next(_numbers)}")
