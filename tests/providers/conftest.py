"""Which sentences of the kit are slow."""

import re

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark those that fill a large store, to see that nothing holds the event loop."""
    if "[event_loop." in item.name:
        item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would only be said again: the event loop is the same whatever server of a product answers."""
    again = [item for item in items if "[event_loop." in item.name and re.search("Valkey|Cluster", item.nodeid)]
    config.hook.pytest_deselected(items=again)
    items[:] = [item for item in items if item not in again]
