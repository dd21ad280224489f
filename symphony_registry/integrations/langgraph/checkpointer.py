"""A langgraph checkpointer over a checkpoint store."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from random import random
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from typing_extensions import override

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.concurrency import delaying_cancellation, in_thread
from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.langgraph.deltas import delta_history
from symphony_registry.integrations.langgraph.forgetting import Thread, delete_runs
from symphony_registry.integrations.langgraph.keys import Place, thread
from symphony_registry.integrations.langgraph.reading import Listing, Reader
from symphony_registry.integrations.langgraph.rows import (
    checkpoint_items,
    copied_item,
    find_rows,
    is_small,
    write_items,
)

T = TypeVar("T")

_STRATEGIES = ("keep_latest", "delete")


class RegistrySaver(BaseCheckpointSaver[str]):
    """Keeps the threads of langgraph's graphs in a checkpoint store, with `await` and without.

    Nothing has to be set up. Several processes may share a store that promises
    `shared`. Without `await`, the store is one that `ServiceRegistry.in_thread()`
    gives, or the calls come from threads beside the event loop that has it open.
    """

    def __init__(self, store: Store[CheckpointStoreBackend], *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(serde=serde)
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._store = self._calls.backend

    @override
    def get_next_version(self, current: str | int | None, channel: None) -> str:
        number = 0 if current is None else int(str(current).partition(".")[0])
        return f"{number + 1:032}.{random():016}"  # noqa: S311 - so that two forks of a thread differ

    # What each operation does, on the event loop of the store.

    @property
    def _reader(self) -> Reader:
        return Reader(self._store, self.serde)

    async def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        work = partial(checkpoint_items, self.serde, config, checkpoint, metadata, new_versions)
        values = checkpoint["channel_values"]
        items = await _serialised(work, [metadata, *(value for name, value in values.items() if name in new_versions)])
        await self._store.save_checkpoints(items)
        return Place.of(config)._replace(checkpoint_id=checkpoint["id"]).config

    async def _put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        work = partial(write_items, self.serde, Place.of(config), writes, task_id, task_path)
        staying, replaced = await _serialised(work, [value for _, value in writes])
        if staying:
            await self._store.save_checkpoints(staying, if_absent=True)
        if replaced:
            await self._store.save_checkpoints(replaced)

    async def _get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._reader.found(Place.of(config))

    async def _delete_thread(self, thread_id: str) -> None:
        await self._store.delete_checkpoints(prefix=thread(str(thread_id)))

    async def _delete_for_runs(self, run_ids: Sequence[str]) -> None:
        if run_ids:
            await delete_runs(self._store, run_ids)

    async def _copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        rows = await find_rows(self._store, prefix=thread(str(source_thread_id)))
        await self._store.save_checkpoints(copied_item(row, str(target_thread_id)) for row in rows)

    async def _prune(self, thread_ids: Sequence[str], strategy: str) -> None:
        if isinstance(thread_ids, str):
            raise InvalidTypeError(f"The thread ids must be a sequence of str, not a str. Use [{thread_ids!r}].")
        if strategy not in _STRATEGIES:
            raise InvalidValueError(f'The strategy must be "keep_latest" or "delete", not {strategy!r}.')
        for thread_id in thread_ids:
            if strategy == "delete":
                await self._delete_thread(thread_id)
            else:
                await Thread(self._store, str(thread_id)).keep_latest()

    async def _delta_history(
        self, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return await delta_history(Reader(self._store, self.serde, channels), Place.of(config), channels)

    # langgraph's names, with `await`.

    @override
    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await self._calls.awaited(self._put, config, checkpoint, metadata, new_versions)

    @override
    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._calls.awaited(self._put_writes, config, writes, task_id, task_path)

    @override
    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._calls.awaited(self._get_tuple, config)

    @override
    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        listing = Listing(self._reader, config, filter, before, limit)
        while page := await self._calls.awaited(listing.page):
            for each in page:
                yield each

    @override
    async def adelete_thread(self, thread_id: str) -> None:
        await self._calls.awaited(self._delete_thread, thread_id)

    @override
    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._calls.awaited(self._delete_for_runs, run_ids)

    @override
    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._calls.awaited(self._copy_thread, source_thread_id, target_thread_id)

    @override
    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self._calls.awaited(self._prune, thread_ids, strategy)

    @override
    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return await self._calls.awaited(self._delta_history, config, channels)

    # The same without `await`.

    @override
    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self._calls.waited("aput", self._put, config, checkpoint, metadata, new_versions)

    @override
    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self._calls.waited("aput_writes", self._put_writes, config, writes, task_id, task_path)

    @override
    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._calls.waited("aget_tuple", self._get_tuple, config)

    @override
    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        listing = Listing(self._reader, config, filter, before, limit)
        while page := self._calls.waited("alist", listing.page):
            yield from page

    @override
    def delete_thread(self, thread_id: str) -> None:
        self._calls.waited("adelete_thread", self._delete_thread, thread_id)

    @override
    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._calls.waited("adelete_for_runs", self._delete_for_runs, run_ids)

    @override
    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._calls.waited("acopy_thread", self._copy_thread, source_thread_id, target_thread_id)

    @override
    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self._calls.waited("aprune", self._prune, thread_ids, strategy)

    @override
    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return self._calls.waited("aget_delta_channel_history", self._delta_history, config, channels)


async def _serialised(work: Callable[[], T], values: Collection[object]) -> T:
    """Return `work()`, which serialises values, from a thread unless they are known to be small."""
    return work() if is_small(values) else await delaying_cancellation(in_thread(work))
