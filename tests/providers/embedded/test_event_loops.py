"""An event loop that is closed while a thread is at work on a store: the next one has the store when that has ended."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any, TypeAlias

import numpy as np
import pytest

from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.providers.embedded.vectors import bounds, principal
from symphony_registry.providers.embedded.vectors.columns import Columns
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from symphony_registry.providers.embedded.vectors.principal import PrincipalHead

Work: TypeAlias = Callable[[InMemoryVectorStore], Coroutine[Any, Any, object]]

ROWS = np.random.default_rng(3).normal(size=(20_000, 24)).astype(np.float32)
ITEMS = [(f"{row:05}", vector, {"n": row}) for row, vector in enumerate(ROWS)]
FILTER = {"n": {"$gt": 3}}


@pytest.mark.parametrize(
    ("owner", "method", "work"),
    [
        (PrincipalHead, "_refresh", lambda store: store.search(ROWS[0], 1, FILTER)),
        (Columns, "_mask", lambda store: store.search(ROWS[0], 1, FILTER)),
        (Columns, "_mask", lambda store: store.delete_many(metadata_filter=FILTER)),
        (VectorIndex, "apply", lambda store: store.add_many(ITEMS)),
    ],
)
def test_what_the_thread_leaves_behind_is_what_is_there(
    owner: type, method: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SMALL", "_NARROW", "_PATIENCE"):
        monkeypatch.setattr(bounds, name, 0)
    monkeypatch.setattr(principal, "_PAYS", 100)
    store = InMemoryVectorStore({"metric": "dot"})
    begun, may_end, real = Event(), Event(), getattr(owner, method)
    abandoned: list[asyncio.Task[object]] = []

    def pausing(*given: Any) -> Any:
        result = real(*given)
        begun.set()
        may_end.wait(30)
        return result

    async def leave() -> None:
        await store.connect()
        await store.add_many(ITEMS)
        monkeypatch.setattr(owner, method, pausing)
        abandoned.append(asyncio.create_task(work(store)))
        await asyncio.to_thread(begun.wait, 30)
        abandoned.extend(filter(None, [store._data._writing]))

    async def go_on() -> None:
        connecting = asyncio.create_task(store.connect())
        for _ in range(10):  # more turns than one takes that does not wait
            await asyncio.sleep(0)
        waits = not connecting.done()
        may_end.set()
        await connecting
        await store.add("00000", ROWS[0] * 1000, {"n": 4})
        assert [found["id"] for found in await store.search(ROWS[0], 1, FILTER)] == ["00000"]
        assert waits

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    asyncio.run(go_on())
    for task in abandoned:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()
