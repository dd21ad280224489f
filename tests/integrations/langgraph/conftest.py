"""A saver over each engine."""

import pytest

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.integrations.langgraph import RegistrySaver


@pytest.fixture
def saver(checkpoint_store: CheckpointStoreBackend) -> RegistrySaver:
    return RegistrySaver(checkpoint_store)
