"""The stores of a registry, opened when a tool first needs them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Literal, NotRequired, overload

from mcp.types import ToolAnnotations
from pydantic import Field
from typing_extensions import TypedDict

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.checking import counted
from symphony_registry.errors import NotFoundError, RegistryError, hint, public_errors, public_text
from symphony_registry.integrations.mcp.answers import Limits, shortened
from symphony_registry.integrations.mcp.samples import Sample, sample
from symphony_registry.integrations.mcp.tools import READ, Method, Store, brief
from symphony_registry.registry import ServiceRegistry
from symphony_registry.transfer.kinds import COLLECTIONS

_UNCHANGED = {"read_only": True, "create": False}
"""The options of a store that opening does not change, where its provider has them."""


class _NothingStoredError(NotFoundError):
    """Opening the store would make it."""


class Description(TypedDict):
    """A store, and what it holds."""

    type: str
    store: Annotated[str, Field(description="The name that tools take as the argument `store`.")]
    items: NotRequired[Annotated[dict[str, int], Field(description="How many there are, by kind.")]]
    survives: NotRequired[Annotated[str, Field(description="What a write survives: nothing, crash or power loss.")]]
    dimension: NotRequired[int | None]
    metric: NotRequired[str]
    note: NotRequired[str]
    problem: NotRequired[Annotated[str, Field(description="Why it cannot be used now.")]]


class Stores(TypedDict):
    """All stores."""

    stores: list[Description]
    note: NotRequired[str]


class StoreTools:
    """Gives the other tools their stores, and describes them."""

    def __init__(self, registry: ServiceRegistry, limits: Limits, *, allow_writes: bool, note: str | None) -> None:
        self._registry = registry
        self._limits = limits
        self._note = note
        self._allow_writes = allow_writes
        self._notes: dict[StorageBackend, str] = {}
        self._turns = defaultdict[StorageBackend, asyncio.Lock](asyncio.Lock)  # opening takes several steps

    def tools(self) -> Iterator[tuple[Method, ToolAnnotations]]:
        """Yield the tools."""
        yield self.list_stores, READ
        yield self.describe_store, READ

    async def list_stores(self) -> Stores:
        """List the stores with their types and names, what they hold, and what is wrong with them. Begin here."""
        kinds = [(kind, name) for kind in BackendType for name in self._registry.list_backends(kind)]
        answer = Stores(stores=await asyncio.gather(*(self._described(kind, name) for kind, name in kinds)))
        if self._note is not None:
            answer["note"] = self._note
        return answer

    async def describe_store(
        self,
        type: Annotated[BackendType, Field(description="The type of the store, as list_stores has it.")],
        store: Store = "default",
    ) -> Sample:
        """Tell what to filter by: keys of metadata or properties, and types of entities and relations.

        It is a sample, of the first 100 items by id and of a graph's first 100 relations: others may have more.
        """
        found: Sample = shortened(await sample(await self.opened(type, store)), self._limits.bytes)
        return found

    async def _described(self, kind: BackendType, name: str) -> Description:
        described = Description(type=kind, store=name)
        try:
            with public_errors(f"{kind}/{name} could not be read"):
                backend = await self.opened(kind, name)
                items = await counted(backend, self._registry._timeouts.health)
                described["items"], described["survives"] = items, backend.guarantees.survives
                if isinstance(backend, VectorStoreBackend):
                    described["dimension"], described["metric"] = await backend.dimension(), backend.metric
                if note := self._notes.get(backend):
                    described["note"] = note
        except _NothingStoredError as error:
            described["items"], described["note"] = {each.name: 0 for each in COLLECTIONS[kind]}, str(error)
        except RegistryError as error:
            described["problem"] = public_text(error)
        return described

    @overload
    async def opened(self, kind: Literal[BackendType.VECTOR_STORE], name: str) -> VectorStoreBackend: ...
    @overload
    async def opened(self, kind: Literal[BackendType.KNOWLEDGE_GRAPH], name: str) -> KnowledgeGraphBackend: ...
    @overload
    async def opened(self, kind: Literal[BackendType.CHECKPOINT_STORE], name: str) -> CheckpointStoreBackend: ...
    @overload
    async def opened(self, kind: BackendType, name: str) -> StorageBackend: ...
    async def opened(self, kind: BackendType, name: str) -> StorageBackend:
        """Return a store, open; where nothing may be written, without making, locking or migrating it."""
        backend = self._registry._registrations.find(kind, name)
        if backend is None:
            known = self._registry.list_backends(kind)
            raise NotFoundError(f"There is no {kind} {brief(name)!r}. {hint(name, known)} list_stores describes them.")
        async with self._turns[backend]:
            if self._allow_writes:
                await self._registry.open_backend(kind, name)
            elif not backend.is_open:
                await self._prepare_to_read(backend)
                await self._registry.open_backend(kind, name)
        return backend

    async def _prepare_to_read(self, backend: StorageBackend) -> None:
        """Have a store opened without making, locking or migrating it; raises for one that is not there."""
        if not await backend.exists():
            raise _NothingStoredError(f"Nothing is stored yet in {backend}.")
        known = getattr(backend, "Options", BackendOptions).model_fields
        await backend.initialize(
            {**backend.config, **{name: value for name, value in _UNCHANGED.items() if name in known}}
        )
        if "read_only" in known:
            self._notes[backend] = "It is read as it was when this server opened it; what is written since is not seen."
