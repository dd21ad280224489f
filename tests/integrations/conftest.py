"""Each integration runs over every engine, by a line in `ENGINES`."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph import KnowledgeGraphBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.blocking import BlockingRegistry

Engine = tuple[str, Callable[[], dict[str, Any]]]


def _memory(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {}


def _file(request: pytest.FixtureRequest) -> dict[str, Any]:
    directory: Path = request.getfixturevalue("tmp_path_factory").mktemp("store")
    return {"path": str(directory / "data")}


def _postgres(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"dsn": request.getfixturevalue("postgres_url"), "schema": request.getfixturevalue("new_schema")()}


def _redis(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"url": request.getfixturevalue("redis_url"), "prefix": request.getfixturevalue("new_prefix")()}


ENGINES = {"memory": _memory, "file": _file, "postgres": _postgres, "redis": _redis}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return a provider's name, and a function that gives options of a new, empty store."""
    return request.param, lambda: ENGINES[request.param](request)


@pytest.fixture
async def registry(engine: Engine) -> AsyncIterator[ServiceRegistry]:
    """Yield a registry with a "default" of each type, open on the test's event loop."""
    provider, options = engine
    registry = ServiceRegistry()
    try:
        for backend_type in BackendType:
            await registry.register_backend(backend_type, provider, config=options())
        yield registry
    finally:
        await registry.shutdown()


@pytest.fixture
def checkpoint_store(registry: ServiceRegistry) -> CheckpointStoreBackend:
    return registry.checkpoint_store()


@pytest.fixture
def vector_store(registry: ServiceRegistry) -> VectorStoreBackend:
    return registry.vector_store()


@pytest.fixture
def knowledge_graph(registry: ServiceRegistry) -> KnowledgeGraphBackend:
    return registry.knowledge_graph()


@pytest.fixture
def blocking_registry(engine: Engine) -> Iterator[BlockingRegistry]:
    """Yield a registry for tests without an event loop, with a "default" of each type."""
    provider, options = engine
    registry = ServiceRegistry().in_thread()
    try:
        for backend_type in BackendType:
            registry.register_backend(backend_type, provider, config=options())
        yield registry
    finally:
        registry.shutdown()
