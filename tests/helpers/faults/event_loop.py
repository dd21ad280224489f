"""Faults that hold the event loop."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import time

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import InMemoryVectorStore
from tests.helpers.faults.planted import fault

_BLOCK = 0.3  # seconds, of which a loaded machine notices a part


@fault("event_loop.reads")
class BlocksTheLoop(InMemoryVectorStore):
    """Waits on the event loop when it searches."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        time.sleep(_BLOCK)  # noqa: ASYNC251
        return await super().search(query_vector, limit, metadata_filter, **options)


@fault("event_loop.reads")
class BlocksOnce(InMemoryCheckpointStore):
    """Waits on the event loop at one of many calls, after others that are short."""

    calls = 0

    async def _get(self, ids):
        self.calls += 1
        if self.calls == 1_500:
            time.sleep(_BLOCK)  # noqa: ASYNC251
        return await super()._get(ids)


@fault("event_loop.filters")
class ComputesOnTheLoop(InMemoryKnowledgeGraph):
    """Computes on the event loop when it looks for something."""

    async def _find(self, selection, page):
        compute()
        return await super()._find(selection, page)


@fault("event_loop.writes")
class WritesOnTheLoop(InMemoryVectorStore):
    """Computes on the event loop when it stores many vectors."""

    async def _put(self, parts):
        if parts.cost > 100:
            compute()
        await super()._put(parts)


def compute():
    until = time.thread_time() + 0.06
    while time.thread_time() < until:
        pass
