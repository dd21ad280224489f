"""The collections of each backend type.

What moving, counting and describing stores has to know of a backend type is in
them, and nowhere else.
"""

from collections.abc import Mapping
from typing import Any

from symphony_registry.backends.storage import BackendType
from symphony_registry.transfer.checkpoints import Checkpoints
from symphony_registry.transfer.collection import Collection
from symphony_registry.transfer.graph import Entities, Relations
from symphony_registry.transfer.vectors import Vectors

COLLECTIONS: Mapping[BackendType, tuple[Collection[Any], ...]] = {
    BackendType.VECTOR_STORE: (Vectors(),),
    BackendType.KNOWLEDGE_GRAPH: (Entities(), Relations()),
    BackendType.CHECKPOINT_STORE: (Checkpoints(),),
}
