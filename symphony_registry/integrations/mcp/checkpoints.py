"""The tools for checkpoint stores."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mcp.types import ToolAnnotations
from pydantic import Field
from typing_extensions import TypedDict

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.integrations.mcp.answers import Answer, Counted, Deleted, Limits
from symphony_registry.integrations.mcp.stores import StoreTools
from symphony_registry.integrations.mcp.tools import (
    READ,
    SAVE,
    WRITE,
    After,
    Filter,
    Id,
    Integer,
    Limit,
    Method,
    Prefix,
    Store,
    check_chosen,
)


class Saved(TypedDict):
    """What a checkpoint has become."""

    version: int


class CheckpointTools:
    """What a model does with checkpoint stores."""

    def __init__(self, stores: StoreTools, limits: Limits) -> None:
        self._stores = stores
        self._limits = limits

    def tools(self) -> Iterator[tuple[Method, ToolAnnotations]]:
        """Yield the tools."""
        yield self.find_checkpoints, READ
        yield self.get_checkpoints, READ
        yield self.get_latest_checkpoint, READ
        yield self.count_checkpoints, READ
        yield self.save_checkpoint, SAVE
        yield self.delete_checkpoints, WRITE

    async def find_checkpoints(
        self,
        store: Store = "default",
        prefix: Prefix = "",
        after: After = "",
        metadata_filter: Filter = None,
        reverse: Annotated[bool, Field(description="From the last id back; `after` then is where to go on.")] = False,
        limit: Limit = 20,
    ) -> Answer:
        """List checkpoints by id without their data; `timestamp` in metadata is in seconds since 1970 (UTC)."""
        opened = await self._opened(store)
        found = await opened.find_checkpoints(
            prefix=prefix,
            after=(not reverse and after) or None,
            before=(reverse and after) or None,
            metadata_filter=metadata_filter,
            limit=self._limits.to_read(limit),
            reverse=reverse,
        )
        return self._limits.answer(found, limit, lambda shown: {"after": shown[-1]["checkpoint_id"]})

    async def get_checkpoints(
        self,
        ids: Annotated[list[Id], Field(min_length=1, description="The ids of checkpoints.")],
        store: Store = "default",
    ) -> Answer:
        """Get checkpoints with their data, which may be large; of a binary payload, only the size is told.

        `timestamp` is when it was saved, in seconds since 1970 (UTC).
        """
        opened = await self._opened(store)

        async def read(ids: list[str]) -> list[JSONObject | None]:
            return [each and _without_bytes(each) for each in await opened.get_checkpoints(ids)]

        return await self._limits.under(ids, read)

    async def get_latest_checkpoint(
        self, store: Store = "default", prefix: Prefix = "", metadata_filter: Filter = None
    ) -> Answer:
        """Get the checkpoint saved last of those selected, with its data; no items if there is none.

        `timestamp` is when it was saved, in seconds since 1970 (UTC).
        """
        found = await (await self._opened(store)).get_latest_checkpoint(prefix=prefix, metadata_filter=metadata_filter)
        return self._limits.answer([] if found is None else [_without_bytes(found)], 1, lambda _: {})

    async def count_checkpoints(
        self, store: Store = "default", prefix: Prefix = "", metadata_filter: Filter = None
    ) -> Counted:
        """Count the checkpoints of a store, all or those that match."""
        return Counted(count=await (await self._opened(store)).count(metadata_filter, prefix=prefix))

    async def save_checkpoint(
        self,
        checkpoint_id: Id,
        data: Annotated[dict[str, Any], Field(description="The state, a JSON object.")],
        store: Store = "default",
        metadata: Annotated[dict[str, Any] | None, Field(description="What filters see; a JSON object.")] = None,
        if_version: Annotated[
            Integer | None,
            Field(ge=0, description="Only if this version is stored, 0: only if nothing is. Else nothing changes."),
        ] = None,
    ) -> Saved:
        """Save a checkpoint, which becomes the latest; what was saved under the id is replaced."""
        opened = await self._opened(store)
        return Saved(version=await opened.save_checkpoint(checkpoint_id, data, metadata, if_version=if_version))

    async def delete_checkpoints(
        self,
        store: Store = "default",
        ids: Annotated[
            list[Id] | None, Field(description="Either these, or what prefix and metadata_filter select.")
        ] = None,
        prefix: Prefix = "",
        metadata_filter: Filter = None,
    ) -> Deleted:
        """Delete checkpoints, for ever: these ids, or all that prefix and metadata_filter select."""
        check_chosen(ids, prefix=prefix, metadata_filter=metadata_filter)
        opened = await self._opened(store)
        return Deleted(deleted=await opened.delete_checkpoints(ids, prefix=prefix, metadata_filter=metadata_filter))

    async def _opened(self, store: str) -> CheckpointStoreBackend:
        return await self._stores.opened(BackendType.CHECKPOINT_STORE, store)


def _without_bytes(checkpoint: Mapping[str, Any]) -> JSONObject:
    shown = dict(checkpoint)
    if "payload" in shown:
        shown["payload_bytes"] = len(shown.pop("payload"))
    return shown
