"""A checkpoint store as JSON objects under ids."""

from collections.abc import Iterable
from typing import Any

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.testing.adapters.base import Adapter, Calls, Place, WholeWrite, sample
from symphony_registry.testing.expectations import collect
from symphony_registry.testing.harness import defines

# Checkpoints are larger and fewer than vectors and entities.
_SHARE = 10


class CheckpointAdapter(Adapter):
    """A checkpoint store: data and metadata are the objects, the latter what filters see."""

    ordered_by_id = False

    def __init__(self, store: CheckpointStoreBackend) -> None:
        self.store: CheckpointStoreBackend = store

    async def delete(self, id: str) -> bool:  # noqa: D102
        return await self.store.delete_checkpoint(id)

    async def load(self, values: Iterable[tuple[str, JSONObject]]) -> None:  # noqa: D102
        for number, (id, value) in enumerate(values):
            if number % _SHARE == 0:
                await self.store.save_checkpoint(id, {}, value)

    async def find(self, filter: Any = None) -> list[str]:  # noqa: D102
        return [info["checkpoint_id"] for info in await self.store.list_checkpoints(metadata_filter=filter)]

    async def put_for_filter(self, id: str, value: JSONObject) -> None:  # noqa: D102
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

    @property
    def _restores(self) -> bool:
        return defines(type(self.store), "restore_checkpoints")

    def places(self) -> list[Place]:  # noqa: D102
        store = self.store
        saved = [
            Place("data", store.save_checkpoint, self._data, optional=False),
            Place("metadata", lambda id, value: store.save_checkpoint(id, {}, value), self._metadata),
        ]
        restored = [
            Place(
                "restored data",
                lambda id, value: store.restore_checkpoints([(id, value, None, 1.0)]),
                self._data,
                optional=False,
            ),
            Place(
                "restored metadata",
                lambda id, value: store.restore_checkpoints([(id, {}, value, 1.0)]),
                self._metadata,
            ),
        ]
        return [*saved, *(restored if self._restores else ())]

    def operations(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "save_checkpoint": lambda: store.save_checkpoint("x", {}),
            "restore_checkpoints": lambda: store.restore_checkpoints([("x", {}, None, 1.0)]),
            "get_checkpoint": lambda: store.get_checkpoint("x"),
            "delete_checkpoint": lambda: store.delete_checkpoint("x"),
            "list_checkpoints": store.list_checkpoints,
            "get_latest_checkpoint": store.get_latest_checkpoint,
            "prune": lambda: store.prune(1),
            "count": store.count,
            "scan": lambda: collect(store.scan()),
            "clear": store.clear,
        }

    def with_id(self, id: Any) -> Calls:  # noqa: D102
        store = self.store
        calls: Calls = {
            "save_checkpoint": lambda: store.save_checkpoint(id, {}),
            "get_checkpoint": lambda: store.get_checkpoint(id),
            "delete_checkpoint": lambda: store.delete_checkpoint(id),
        }
        if self._restores:
            calls["restore_checkpoints"] = lambda: store.restore_checkpoints(
                [("x", {}, None, 1.0), (id, {}, None, 1.0)]
            )
        return calls

    def with_limit(self, limit: Any) -> Calls:  # noqa: D102
        store = self.store
        return {
            "list_checkpoints": lambda: store.list_checkpoints(limit=limit),
            "list_checkpoints from the newest": lambda: store.list_checkpoints(limit=limit, newest_first=True),
        }

    def with_filter(self, filter: Any) -> Calls:  # noqa: D102
        return {"list_checkpoints": lambda: self.store.list_checkpoints(metadata_filter=filter)}

    async def fill(self) -> None:  # noqa: D102
        for id in "abc":
            await self.store.save_checkpoint(id, sample(), sample())

    def reads(self) -> Calls:  # noqa: D102
        store = self.store
        return {
            "get_checkpoint": lambda: store.get_checkpoint("a"),
            "list_checkpoints": store.list_checkpoints,
            "get_latest_checkpoint": store.get_latest_checkpoint,
            "scan": lambda: collect(store.scan()),
        }

    def whole_writes(self, many: int) -> list[WholeWrite]:  # noqa: D102
        store = self.store
        large = {"items": [{"number": number} for number in range(many * _SHARE)]}

        async def nothing() -> None:
            pass

        async def load() -> None:
            for number in range(0, many, _SHARE):
                await store.save_checkpoint(f"id-{number}", {})

        some = {"items": large["items"][:many]}
        restored = [("x", some, None, 1.0), *((f"id-{number}", {}, None, 1.0) for number in range(many // _SHARE))]
        restore = WholeWrite("restore_checkpoints", nothing, lambda: store.restore_checkpoints(restored), store.count)
        return [
            *([restore] if self._restores else ()),
            WholeWrite("save_checkpoint", nothing, lambda: store.save_checkpoint("x", large), store.count),
            WholeWrite("prune", load, lambda: store.prune(1), store.count),
            WholeWrite("clear", load, store.clear, store.count),
        ]
