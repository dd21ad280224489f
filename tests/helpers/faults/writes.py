"""Faults in what a write leaves behind, and in who sees it."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import asyncio
from dataclasses import replace

from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import StorageLockedError
from symphony_registry.providers.embedded.replica import IN_MEMORY
from tests.helpers.faults.common import SharesData
from tests.helpers.faults.planted import fault


@fault("durability")
class ForgetsOnReconnect(FileVectorStore):
    """Starts empty when it is connected again."""

    def _log(self):
        log = super()._log()
        log.replay = lambda state: None
        return log


@fault("durability")
class PromisesToPersist(InMemoryKnowledgeGraph):
    """Says that it persists, and does not."""

    guarantees = replace(IN_MEMORY, survives="crash")


@fault("atomicity")
class WritesHalf(InMemoryVectorStore):
    """Writes the items of a bulk one after the other."""

    async def add_many(self, items):
        for item in items:
            await self.add(*item)
            await asyncio.sleep(0)


@fault("atomicity")
class DeletesHalf(InMemoryKnowledgeGraph):
    """Deletes the relations of an entity in steps that a cancellation stops."""

    async def delete_entity(self, entity_id):
        for relation in await self.get_relations(entity_id, direction="both"):
            await self.delete_relation(relation["from_id"], relation["to_id"], relation["type"])
            await asyncio.sleep(0)
        return await super().delete_entity(entity_id)


@fault("atomicity")
class PrunesInSteps(InMemoryCheckpointStore):
    """Lets others see checkpoints go one by one."""

    async def prune(self, keep_last, **selection):
        listed = await self.list_checkpoints(newest_first=True, **selection)
        for info in listed[keep_last:]:
            await self.delete_checkpoint(info["checkpoint_id"])
            await asyncio.sleep(0)
        return len(listed[keep_last:])


@fault("durability.killed")
class WritesAtDisconnect(FileCheckpointStore):
    """Returns before anything is on the disk."""

    def _log(self):
        log = super()._log()
        append, close, waiting = log.append, log.close, []

        def write_and_close(state):
            if waiting:
                append(waiting)
                waiting.clear()
            close(state)

        log.append, log.close = waiting.extend, write_and_close
        return log


@fault("durability")
class ForgetsDeletes(FileKnowledgeGraph):
    """Does not persist that something was deleted."""

    def _log(self):
        log = super()._log()
        append = log.append
        log.append = lambda groups: append(
            [[change for change in group if change["op"] != "delete_many"] for group in groups]
        )
        return log


@fault("sharing.another_backend")
class SeesOnlyItsOwn(InMemoryKnowledgeGraph):
    """Says that several may have the storage open, and keeps one for each."""

    guarantees = replace(IN_MEMORY, shared=True)


@fault("sharing.another_process")
class SharesInTheProcess(SharesData):
    """Shows a write to the other backends of its process alone."""

    guarantees = replace(IN_MEMORY, shared=True)


@fault("sharing.second_refused")
class LetsASecondIn(InMemoryVectorStore):
    """Says that it has the storage for itself, and refuses nobody."""

    guarantees = replace(IN_MEMORY, exclusive=True)


@fault("sharing.process_refused")
class LocksOutItsProcessAlone(InMemoryCheckpointStore):
    """Has the storage for itself, but in its process only."""

    guarantees = replace(IN_MEMORY, exclusive=True)
    taken = False

    async def connect(self):
        if not self.is_open and LocksOutItsProcessAlone.taken:
            raise StorageLockedError("Somebody has it open.")
        await super().connect()
        LocksOutItsProcessAlone.taken = True

    async def disconnect(self):
        LocksOutItsProcessAlone.taken = LocksOutItsProcessAlone.taken and not self.is_open
        await super().disconnect()


@fault("atomicity.half_done_bulk")
class ShowsHalf(InMemoryVectorStore):
    """Lets others see a bulk go in item by item, however it ends."""

    async def add_many(self, items):
        async def add_each():
            for item in items:
                await self.add(*item)
                await asyncio.sleep(0)

        await delaying_cancellation(add_each())


@fault("atomicity")
class RestoresHalf(InMemoryCheckpointStore):
    """Restores checkpoints one after the other."""

    async def restore_checkpoints(self, items):
        for item in items:
            await super().restore_checkpoints([item])


@fault("durability.exists")
class DeniesToExist(FileCheckpointStore):
    """Says that nothing was ever stored."""

    async def exists(self):
        return False
