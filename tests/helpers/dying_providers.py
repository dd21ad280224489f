"""File providers that end their process, by the signal `DIE_BY`, when `DIE_AFTER` batches were written."""

# mypy: ignore-errors
# (as untyped as users write them)

import itertools
import os

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore

BATCHES = itertools.count()


def dying(operation):
    """Return the operation of the class above, which a signal ends at its time."""

    async def write(self, items):
        given = list(items)
        if given and "DIE_AFTER" in os.environ and next(BATCHES) == int(os.environ["DIE_AFTER"]):
            os.kill(os.getpid(), int(os.environ["DIE_BY"]))
        await getattr(super(type(self), self), operation)(given)

    return write


class VectorStore(FileVectorStore):
    add_many = dying("add_many")


class KnowledgeGraph(FileKnowledgeGraph):
    add_entities = dying("add_entities")
    add_relations = dying("add_relations")


class CheckpointStore(FileCheckpointStore):
    restore_checkpoints = dying("restore_checkpoints")
