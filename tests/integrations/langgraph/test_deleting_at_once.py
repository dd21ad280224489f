"""Deletions that others come between, and that are cut short."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.base import CheckpointTuple
from typing_extensions import override

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.errors import BackendUnavailableError
from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.steps import at, step, steps


async def history(saver: RegistrySaver) -> list[CheckpointTuple]:
    return [each async for each in saver.alist(at("one"))]


class ConflictingStore(InMemoryCheckpointStore):
    """A store in which something else is saved under an id before it is replaced, and that can fail there."""

    fails = False

    @override
    async def save_checkpoint(self, checkpoint_id: str, *given: Any, **options: Any) -> int:
        if self.fails:
            raise BackendUnavailableError("The store is gone.")
        await super().save_checkpoint(checkpoint_id, *given, payload=options["payload"])
        return await super().save_checkpoint(checkpoint_id, *given, **options)


async def test_two_processes_may_prune_one_thread_at_once() -> None:
    async with ConflictingStore() as store:
        saver = RegistrySaver(store)
        *_, last = await steps(saver, "one", 3)
        await saver.aprune(["one"])
        assert [each.config for each in await history(saver)] == [last]


async def test_a_pruning_that_is_cut_short_leaves_no_history_without_its_latest_and_is_finished_by_the_next() -> None:
    async with ConflictingStore() as store:
        saver = RegistrySaver(store)
        *_, last = await steps(saver, "one", 3)
        store.fails = True
        with pytest.raises(BackendUnavailableError):
            await saver.aprune(["one"])
        assert [each.config for each in await history(saver)] == [last]
        store.fails = False
        await saver.aprune(["one"])
        assert [each.parent_config for each in await history(saver)] == [None]


class MeetingStore(InMemoryCheckpointStore):
    """A store in which the first two deletions begin when both have read what they delete."""

    def __init__(self) -> None:
        super().__init__()
        self.both = asyncio.Barrier(2)
        self.apart = 2

    @override
    async def delete_checkpoints(self, *given: Any, **options: Any) -> int:
        if self.apart:
            self.apart -= 1
            await self.both.wait()
        return await super().delete_checkpoints(*given, **options)


@pytest.mark.parametrize("pruned", [True, False])
async def test_of_two_deletions_at_once_none_leaves_to_the_other_the_value_of_what_both_delete(*, pruned: bool) -> None:
    async with MeetingStore() as store:
        saver = RegistrySaver(store)
        _, second = await steps(saver, "one", 2, run_id="first")
        await step(saver, second, {"messages": ["new"]}, run_id="second")
        other = saver.aprune(["one"]) if pruned else saver.adelete_for_runs(["first"])
        await asyncio.gather(saver.adelete_for_runs(["second"]), other)
        assert await history(saver) == []
        assert await store.count() == 0
