"""A checkpoint store as JSON objects under ids."""

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters.base import Adapter, Calls, Place, WholeWrite, sample
from symphony_registry.testing.expectations import collect

# Checkpoints are larger and fewer than vectors and entities.
_SHARE = 10


class CheckpointAdapter(Adapter[CheckpointStoreBackend]):
    """A checkpoint store: data and metadata are the objects, the latter what filters see."""

    ordered_by_id = False

    @property
    @override
    def unpromised(self) -> frozenset[str]:
        given = self.store.guarantees
        promised = {"restore_checkpoints": given.restores_timestamps, "save_checkpoints": given.saves_several}
        return frozenset(name for name, has in promised.items() if not has)

    @override
    async def delete(self, id: str) -> bool:
        return await self.store.delete_checkpoint(id)

    @override
    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:
        for number, (id, value) in enumerate(values):
            if number % _SHARE == 0:
                await self.store.save_checkpoint(id, {}, value)

    @override
    async def find(self, filter: Any = None) -> list[str]:
        return [info["checkpoint_id"] for info in await self.store.list_checkpoints(metadata_filter=filter)]

    @override
    async def put_for_filter(self, id: str, value: JSONObject) -> None:
        await self.store.save_checkpoint(id, {}, value)

    async def _metadata(self, id: str) -> JSONObject | None:
        checkpoint = await self.store.get_checkpoint(id)
        if checkpoint is None:
            return None
        added = ("timestamp", "checkpoint_id")
        return {key: value for key, value in checkpoint["metadata"].items() if key not in added}

    async def _data(self, id: str) -> JSONObject | None:
        checkpoint = await self.store.get_checkpoint(id)
        return None if checkpoint is None else checkpoint["data"]

    @override
    def _places(self) -> list[Place]:
        store = self.store

        async def restore(id: str, data: Any, metadata: Any) -> None:
            await store.restore_checkpoints([(id, data, metadata, 1.0)])

        async def several(id: str, data: Any, metadata: Any) -> None:
            await store.save_checkpoints([(id, data, metadata)])

        return [
            Place("save_checkpoint's data", store.save_checkpoint, self._data, optional=False),
            Place("save_checkpoint's metadata", lambda id, value: store.save_checkpoint(id, {}, value), self._metadata),
            Place("save_checkpoints' data", lambda id, value: several(id, value, None), self._data, optional=False),
            Place("save_checkpoints' metadata", lambda id, value: several(id, {}, value), self._metadata),
            Place("restore_checkpoints' data", lambda id, value: restore(id, value, None), self._data, optional=False),
            Place("restore_checkpoints' metadata", lambda id, value: restore(id, {}, value), self._metadata),
        ]

    @override
    def operations(self) -> Calls:
        store = self.store
        return {
            "save_checkpoint": lambda: store.save_checkpoint("a", {}),
            "get_checkpoint": lambda: store.get_checkpoint("a"),
            "delete_checkpoint": lambda: store.delete_checkpoint("a"),
            "list_checkpoints": store.list_checkpoints,
            "get_latest_checkpoint": store.get_latest_checkpoint,
            "save_checkpoints": lambda: store.save_checkpoints([("a", {}, None)]),
            "get_checkpoints": lambda: store.get_checkpoints(["a"]),
            "find_checkpoints": store.find_checkpoints,
            "delete_checkpoints": lambda: store.delete_checkpoints(["a"]),
            "prune": lambda: store.prune(1),
            "count": store.count,
            "clear": store.clear,
            "scan": lambda: collect(store.scan()),
            "restore_checkpoints": lambda: store.restore_checkpoints([("a", {}, None, 1.0)]),
        }

    @override
    def with_id(self, id: Any) -> Calls:
        store = self.store
        restored: list[Any] = [("x", {}, None, 1.0), (id, {}, None, 1.0)]
        saved: list[Any] = [("x", {}, None), (id, {}, None)]
        return self.promised(
            {
                "save_checkpoint": lambda: store.save_checkpoint(id, {}),
                "get_checkpoint": lambda: store.get_checkpoint(id),
                "delete_checkpoint": lambda: store.delete_checkpoint(id),
                "restore_checkpoints": lambda: store.restore_checkpoints(restored),
                "save_checkpoints": lambda: store.save_checkpoints(saved),
                "get_checkpoints": lambda: store.get_checkpoints(["x", id]),
                "delete_checkpoints": lambda: store.delete_checkpoints(["x", id]),
            }
        )

    @override
    def with_limit(self, limit: Any) -> Calls:
        store = self.store
        return {
            "list_checkpoints": lambda: store.list_checkpoints(limit=limit),
            "list_checkpoints from the newest": lambda: store.list_checkpoints(limit=limit, newest_first=True),
            "find_checkpoints": lambda: store.find_checkpoints(limit=limit),
        }

    @override
    def with_filter(self, filter: Any) -> Calls:
        store = self.store
        return {
            "list_checkpoints": lambda: store.list_checkpoints(metadata_filter=filter),
            "find_checkpoints": lambda: store.find_checkpoints(metadata_filter=filter),
            "get_latest_checkpoint": lambda: store.get_latest_checkpoint(metadata_filter=filter),
            "delete_checkpoints": lambda: store.delete_checkpoints(prefix="x", metadata_filter=filter),
            "prune": lambda: store.prune(1, metadata_filter=filter),
            "count": lambda: store.count(filter),
            "scan": lambda: collect(store.scan(metadata_filter=filter)),
        }

    @override
    async def fill(self) -> None:
        for id in "abc":
            await self.store.save_checkpoint(id, sample(), sample())

    @override
    def _whole_writes(self, many: int) -> list[WholeWrite]:
        store = self.store
        large = {"items": [{"number": number} for number in range(many)]}
        restored: list[Any] = [("x", large, None, 1.0)]
        restored += [(f"id-{number}", {}, None, 1.0) for number in range(many // _SHARE)]
        several: list[Any] = [item[:3] for item in restored]

        async def nothing() -> None:
            pass

        async def load() -> None:
            for number in range(0, many, _SHARE):
                await store.save_checkpoint(f"id-{number}", {})

        async def one() -> None:
            await store.save_checkpoint("x", {}, {"step": 1})

        async def parts_of_one() -> list[Any]:
            found = await store.get_checkpoint("x")
            return [] if found is None else [len(found["data"]), found["metadata"].get("step")]

        return [
            WholeWrite("save_checkpoint", one, lambda: store.save_checkpoint("x", large), parts_of_one, bulk=False),
            WholeWrite("prune", load, lambda: store.prune(1), store.count),
            WholeWrite("clear", load, store.clear, store.count),
            WholeWrite("save_checkpoints", nothing, lambda: store.save_checkpoints(several), store.count),
            WholeWrite(
                "delete_checkpoints", load, lambda: store.delete_checkpoints([item[0] for item in several]), store.count
            ),
            WholeWrite(
                "delete_checkpoints by prefix", load, lambda: store.delete_checkpoints(prefix="id-"), store.count
            ),
            WholeWrite("restore_checkpoints", nothing, lambda: store.restore_checkpoints(restored), store.count),
        ]
