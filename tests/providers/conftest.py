"""Which sentences of the kit are slow."""

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark those that fill a large store, to see that nothing holds the event loop."""
    if "[event_loop." in item.name:
        item.add_marker(pytest.mark.slow)
