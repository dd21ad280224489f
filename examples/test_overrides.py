"""Put another backend in place of a configured one, in a test.

pytest examples/test_overrides.py
"""

import asyncio
from pathlib import Path

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.backends.vector_store.memory import InMemoryVectorStore
from symphony_registry.containers import RegistryContainer, build_container

CONFIG = Path(__file__).parent.parent / "config"


async def nearest(registry: ServiceRegistry, question: list[float]) -> list[str]:
    """Stand for the application: it knows the registry and no provider."""
    return [found["id"] for found in await registry.vector_store().search(question, limit=1)]


@pytest.fixture
def container() -> RegistryContainer:
    """Return what the application would have, configured for tests."""
    return build_container(environment="test", config_dir=CONFIG)


def test_the_application_sees_the_data_of_a_prepared_store(container: RegistryContainer) -> None:
    """A store that the test filled takes the place of the configured one."""

    async def scenario() -> list[str]:
        async with InMemoryVectorStore() as prepared:
            await prepared.add("north", [0.0, 1.0])
            await prepared.add("east", [1.0, 0.0])
            with container.vector_store.override(prepared):
                async with container.registry() as registry:
                    return await nearest(registry, [0.1, 0.9])

    assert asyncio.run(scenario()) == ["north"]
