"""A vector store as JSON objects under ids."""

from collections.abc import Awaitable, Iterable
from typing import Any

from typing_extensions import override

from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.adapters.base import Adapter, Calls, Place, WholeWrite, sample
from symphony_registry.testing.expectations import collect

VECTOR = (1.0, 2.0, 3.0)
# What every vector has, where a check does not choose another dimension by the option.
DIMENSION = len(VECTOR)


class VectorAdapter(Adapter[VectorStoreBackend]):
    """A vector store: the metadata are the objects."""

    @override
    async def delete(self, id: str) -> bool:
        return await self.store.delete(id)

    @override
    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:
        await self.store.add_many([(id, (1.0, 2.0, float(n)), value) for n, (id, value) in enumerate(values)])

    @override
    async def find(self, filter: Any = None) -> list[str]:
        return [found["id"] for found in await self.store.search(VECTOR, self.large_limit, filter)]

    @override
    async def count(self, filter: Any) -> int | None:
        return await self.store.count(filter)

    async def _metadata(self, id: str) -> JSONObject | None:
        item = await self.store.get(id)
        return None if item is None else item["metadata"]

    @override
    def _places(self) -> list[Place]:
        store = self.store
        return [
            Place("add", lambda id, value: store.add(id, VECTOR, value), self._metadata),
            Place("add_many", lambda id, value: store.add_many([(id, VECTOR, value)]), self._metadata),
            Place("update", self._update, self._metadata, optional=False),
        ]

    async def _update(self, id: str, value: Any) -> None:
        if await self.store.get(id) is None:
            await self.store.add(id, VECTOR)
        await self.store.update(id, value)

    @override
    def operations(self) -> Calls:
        store = self.store
        return {
            "add": lambda: store.add("a", VECTOR),
            "get": lambda: store.get("a"),
            "delete": lambda: store.delete("a"),
            "search": lambda: store.search(VECTOR),
            "count": store.count,
            "add_many": lambda: store.add_many([("a", VECTOR, None)]),
            "get_many": lambda: store.get_many(["a", "b", "a"]),
            "find": store.find,
            "update": lambda: store.update("a", {}),
            "delete_many": lambda: store.delete_many(["a"]),
            "search_many": lambda: store.search_many([VECTOR, VECTOR]),
            "clear": store.clear,
            "dimension": store.dimension,
            "scan": lambda: collect(store.scan()),
        }

    @override
    def with_id(self, id: Any) -> Calls:
        store = self.store
        return {
            "add": lambda: store.add(id, VECTOR),
            "get": lambda: store.get(id),
            "delete": lambda: store.delete(id),
            "update": lambda: store.update(id, {}),
            "add_many": lambda: store.add_many([("x", VECTOR, None), (id, VECTOR, None)]),
            "get_many": lambda: store.get_many(["x", id]),
            "delete_many": lambda: store.delete_many(["x", id]),
        }

    @override
    def with_limit(self, limit: Any) -> Calls:
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, limit),
            "search_many": lambda: _first(store.search_many([VECTOR], limit)),
            "find": lambda: store.find(limit=limit),
        }

    @override
    def with_filter(self, filter: Any) -> Calls:
        store = self.store
        return {
            "search": lambda: store.search(VECTOR, 10, filter),
            "search_many": lambda: store.search_many([VECTOR], 10, filter),
            "count": lambda: store.count(filter),
            "find": lambda: store.find(metadata_filter=filter),
            "delete_many": lambda: store.delete_many(prefix="x", metadata_filter=filter),
            "scan": lambda: collect(store.scan(metadata_filter=filter)),
        }

    @override
    async def fill(self) -> None:
        for number, id in enumerate("abc", start=1):
            await self.store.add(id, [1.0, 2.0, float(number)], sample())

    @override
    def _whole_writes(self, many: int) -> list[WholeWrite]:
        store = self.store
        ids = [f"id-{number}" for number in range(many)]
        items = [(id, VECTOR, {"id": id}) for id in ids]

        async def nothing() -> None:
            pass

        async def load() -> None:
            await store.add_many(items)

        async def one() -> None:
            await store.add("a", VECTOR, {"vector": "first"})

        async def parts_of_one() -> list[Any]:
            item = await store.get("a")
            return [] if item is None else [item["vector"][0], item["metadata"]]

        return [
            WholeWrite("add", one, lambda: store.add("a", (9.0, 2.0, 3.0), {}), parts_of_one, bulk=False),
            WholeWrite("add_many", nothing, load, store.count),
            WholeWrite("delete_many", load, lambda: store.delete_many(ids[1:]), store.count),
            WholeWrite("delete_many by prefix", load, lambda: store.delete_many(prefix="id-"), store.count),
            WholeWrite("clear", load, store.clear, store.count),
        ]


async def _first(results: Awaitable[list[Any]]) -> Any:
    return (await results)[0]
