"""A vector store as JSON objects under ids."""

from collections.abc import Awaitable, Iterable
from typing import Any

from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.adapters.base import Adapter, Calls, Place, WholeWrite, sample
from symphony_registry.testing.expectations import collect

VECTOR = (1.0, 2.0, 3.0)


class VectorAdapter(Adapter):
    """A vector store: the metadata are the objects."""

    def __init__(self, store: VectorStoreBackend) -> None:
        self.store: VectorStoreBackend = store

    async def delete(self, id: str) -> bool:  # noqa: D102
        return await self.store.delete(id)

    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:  # noqa: D102
        await self.store.add_many([(id, VECTOR, value) for id, value in values])

    async def find(self, filter: Any = None) -> list[str]:  # noqa: D102
        return [found["id"] for found in await self.store.search(VECTOR, 1000, filter)]

    async def count(self, filter: Any) -> int | None:  # noqa: D102
        return await self.store.count(filter)

    async def _metadata(self, id: str) -> JSONObject | None:
        item = await self.store.get(id)
        return None if item is None else item["metadata"]

    def places(self) -> list[Place]:  # noqa: D102
        store = self.store
        return [
            Place("add", lambda id, value: store.add(id, VECTOR, value), self._metadata),
            Place("add_many", lambda id, value: store.add_many([(id, VECTOR, value)]), self._metadata),
        ]

    def operations(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add": lambda: store.add("x", VECTOR),
            "get": lambda: store.get("x"),
            "delete": lambda: store.delete("x"),
            "search": lambda: store.search(VECTOR),
            "count": store.count,
            "add_many": lambda: store.add_many([("x", VECTOR, None)]),
            "get_many": lambda: store.get_many(["x"]),
            "delete_many": lambda: store.delete_many(["x"]),
            "search_many": lambda: store.search_many([VECTOR]),
            "scan": lambda: collect(store.scan()),
            "dimension": store.dimension,
            "clear": store.clear,
        }

    def with_id(self, id: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "add": lambda: store.add(id, VECTOR),
            "get": lambda: store.get(id),
            "delete": lambda: store.delete(id),
            "add_many": lambda: store.add_many([("x", VECTOR, None), (id, VECTOR, None)]),
            "get_many": lambda: store.get_many(["x", id]),
            "delete_many": lambda: store.delete_many(["x", id]),
        }

    def with_limit(self, limit: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, limit),
            "search_many": lambda: _first(store.search_many([VECTOR], limit)),
        }

    def with_filter(self, filter: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, 10, filter),
            "search_many": lambda: store.search_many([VECTOR], 10, filter),
            "count": lambda: store.count(filter),
        }

    async def fill(self) -> None:  # noqa: D102
        for number, id in enumerate("abc", start=1):
            await self.store.add(id, [1.0, 2.0, float(number)], sample())

    def reads(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "get": lambda: store.get("a"),
            "search": lambda: store.search(VECTOR),
            "get_many": lambda: store.get_many(["a", "b", "a"]),
            "search_many": lambda: store.search_many([VECTOR, VECTOR]),
            "scan": lambda: collect(store.scan()),
        }

    def whole_writes(self, many: int) -> list[WholeWrite]:  # noqa: D102
        store = self.store
        ids = [f"id-{number}" for number in range(many)]
        items = [(id, VECTOR, {"id": id}) for id in ids]

        async def nothing() -> None:
            pass

        async def load() -> None:
            await store.add_many(items)

        return [
            WholeWrite("add_many", nothing, load, store.count),
            WholeWrite("delete_many", load, lambda: store.delete_many(ids[1:]), store.count),
            WholeWrite("clear", load, store.clear, store.count),
        ]


async def _first(results: Awaitable[list[Any]]) -> Any:
    return (await results)[0]
