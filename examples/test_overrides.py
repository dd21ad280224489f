"""Put another backend in place of a configured one, in a test.

pytest examples/test_overrides.py
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.containers import RegistryContainer, build_container
from symphony_registry.errors import BackendUnavailableError

CONFIG = Path(__file__).parent.parent / "config"


async def nearest(registry: ServiceRegistry) -> str:
    """Stand for the application under test: it knows the registry, and no provider."""
    try:
        found = await registry.vector_store().search([0.1, 0.9], limit=1)
    except ConnectionError:
        return "try again later"
    return found[0]["id"]


class DeadVectorStore(InMemoryVectorStore):
    """Fails as a store does whose server is gone."""

    async def search(self, *_: Any, **__: Any) -> Any:
        """Fail."""
        raise BackendUnavailableError("Nobody is there.")


@pytest.fixture
def container() -> RegistryContainer:
    """Return the application's container, as configured for tests."""
    return build_container(environment="test", config_dir=CONFIG)


def test_data_that_the_test_prepared_is_found(container: RegistryContainer) -> None:
    """A store that is open already is used as it is, and stays open."""

    async def scenario() -> str:
        async with InMemoryVectorStore() as prepared:
            await prepared.add_many([("north", [0.0, 1.0], None), ("east", [1.0, 0.0], None)])
            with container.vector_store.override(prepared):
                async with container.registry() as registry:
                    return await nearest(registry)

    assert asyncio.run(scenario()) == "north"


def test_the_application_survives_a_dead_server(container: RegistryContainer) -> None:
    """A store that is not open yet is opened and closed with the others."""

    async def scenario() -> str:
        with container.vector_store.override(DeadVectorStore()):
            async with container.registry() as registry:
                return await nearest(registry)

    assert asyncio.run(scenario()) == "try again later"
