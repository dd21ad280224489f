"""Saving steps of a thread as a graph does."""

from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from symphony_registry.integrations.langgraph import RegistrySaver

LATEST_FORMAT = 4


def at(thread_id: str, checkpoint_ns: str = "") -> RunnableConfig:
    """Return the configuration of a thread."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": checkpoint_ns}}


async def step(
    saver: RegistrySaver,
    config: RunnableConfig,
    values: dict[str, Any] | None = None,
    *,
    v: int = LATEST_FORMAT,
    **metadata: Any,
) -> RunnableConfig:
    """Save a checkpoint after that of `config`, with new values of these channels and the old ones of the others."""
    parent = await saver.aget_tuple(config)
    checkpoint = {**empty_checkpoint(), "v": v, "id": str(uuid6())}
    old = parent.checkpoint if parent else empty_checkpoint()
    kept = {name: value for name, value in old["channel_values"].items() if not isinstance(value, _DeltaSnapshot)}
    new = {name: saver.get_next_version(old["channel_versions"].get(name), None) for name in values or {}}  # type: ignore[arg-type]
    checkpoint["channel_values"] = {**kept, **(values or {})}
    checkpoint["channel_versions"] = {**old["channel_versions"], **new}
    described: CheckpointMetadata = {"source": "loop", "step": 0, "parents": {}, **metadata}  # type: ignore[typeddict-item]
    return await saver.aput(parent.config if parent else config, cast("Checkpoint", checkpoint), described, {**new})


async def steps(saver: RegistrySaver, thread_id: str, number: int, **metadata: Any) -> list[RunnableConfig]:
    """Save a thread whose messages grow at each step, beside a value that never changes."""
    config = await step(saver, at(thread_id), {"setting": ["fixed"], "messages": [0]}, **metadata)
    saved = [config]
    for last in range(1, number):
        config = await step(saver, config, {"messages": list(range(last + 1))}, **metadata)
        saved.append(config)
    return saved
