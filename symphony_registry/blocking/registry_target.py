"""What the generated registry stands on."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.blocking.generated.backend import BlockingBackend
from symphony_registry.blocking.generated.checkpoint_store import BlockingCheckpointStore
from symphony_registry.blocking.generated.knowledge_graph import BlockingKnowledgeGraph
from symphony_registry.blocking.generated.vector_store import BlockingVectorStore
from symphony_registry.blocking.loop import HOW_TO_OPEN, BackgroundLoop
from symphony_registry.errors import BackendNotOpenError

if TYPE_CHECKING:
    from symphony_registry.registry import ServiceRegistry

P = ParamSpec("P")
T = TypeVar("T")

_CLASSES: dict[BackendType, Callable[[Any, BackgroundLoop], BlockingBackend[Any]]] = {
    BackendType.VECTOR_STORE: BlockingVectorStore,
    BackendType.KNOWLEDGE_GRAPH: BlockingKnowledgeGraph,
    BackendType.CHECKPOINT_STORE: BlockingCheckpointStore,
}


class RegistryTarget:
    """A registry whose loop runs from the first call on."""

    def __init__(self, target: "ServiceRegistry") -> None:
        self._target = target
        self._loop = BackgroundLoop()

    def _call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **options: P.kwargs) -> T:
        self._loop.start()
        return self._loop.call(function, *args, **options)

    def _opened(self, find: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        try:
            return find(*args, **options)
        except BackendNotOpenError as error:
            raise BackendNotOpenError(error.failure, HOW_TO_OPEN) from None

    def _blocking(self, backend: StorageBackend) -> BlockingBackend:
        return _CLASSES[backend.backend_type](backend, self._loop)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._target!r}>"
