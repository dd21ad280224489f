"""A saver over each engine, and threads to save."""

import pytest

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.integrations.langgraph import RegistrySaver


@pytest.fixture
def saver(checkpoint_store: CheckpointStoreBackend) -> RegistrySaver:
    """Return a saver on the test's event loop."""
    return RegistrySaver(checkpoint_store)


@pytest.fixture
def blocking_saver(blocking_registry: BlockingRegistry) -> RegistrySaver:
    """Return a saver for tests without an event loop."""
    return RegistrySaver(blocking_registry.checkpoint_store())
