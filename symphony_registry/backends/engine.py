"""What every engine has in common: options, and a lifecycle that concurrent calls cannot spoil.

An engine is a backend that stands on the checked spine of its type, in
`backends/<type>/engine.py`: the spine makes the open check, checks and copies the
arguments, and calls hooks, which an engine writes. A custom provider may do
without, and subclass the abstract class of its type.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Protocol, TypeVar

from typing_extensions import override

from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.backends.options import BackendOptions, read_options
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import RegistryError

T = TypeVar("T")
KeyT = TypeVar("KeyT")
ResourceT = TypeVar("ResourceT", bound="Resource")


class Resource(Protocol):
    """What an engine holds while it is open: a state in memory, connections to a server."""

    async def exists(self) -> bool:
        """Say whether anything was ever stored, as far as that can be told before `open`."""
        ...

    async def open(self) -> None:
        """Take what operations need; where it raises, nothing is held."""
        ...

    async def close(self) -> None:
        """Let go of it; harmless when there is nothing."""
        ...

    async def survive_loop(self) -> bool:
        """Let go of what belongs to an event loop that has ended; say whether it is still open."""
        ...

    def abandon(self) -> None:
        """Forget, in a forked child, what the parent goes on using, without a word to anybody."""
        ...

    async def ensure_healthy(self) -> None:
        """Raise a `RegistryError` that says why, where an operation would not work now."""
        ...

    async def version(self) -> str | None:
        """Return what keeps the data and its version, `None` for the package itself."""
        ...


class Engine(StorageBackend):
    """A backend whose options are a model, and which opens and closes one call at a time."""

    Options: ClassVar[type[BackendOptions]] = BackendOptions
    """The model of its options."""

    _options: Any  # of this class's `Options`
    _resource: Resource

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._configure()

    @override
    async def initialize(self, config: Mapping[str, Any] | None = None) -> None:
        if config is not None and dict(config) != self.config:
            await super().initialize(config)
            self._configure()

    def _configure(self) -> None:
        """Read the options; an engine makes what depends on them, its resource above all, with `_hold`."""
        self._options = read_options(self.Options, self.config, type(self).__name__)

    def _hold(self, resource: ResourceT) -> ResourceT:
        """Return a resource that is to be opened and closed with the backend."""
        self._resource = resource
        return resource

    @override
    async def exists(self) -> bool:
        return await self._resource.exists()

    @override
    async def connect(self) -> None:
        async with self._alone():
            if not self.is_open:
                await self._resource.open()
            await super().connect()

    @override
    async def disconnect(self) -> None:
        async with self._alone():
            await super().disconnect()  # no operation begins from here on
            await delaying_cancellation(self._resource.close())

    @override
    def abandon(self) -> None:
        super().abandon()
        self._resource.abandon()

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None, None]:
        """Let one call at a time open or close, when an event loop that has ended is left behind."""
        self.ensure_no_other_loop()
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = loop, asyncio.Lock()  # that of a loop which has ended may be taken for good
        async with self._lock[1]:
            if self._loop not in (None, loop) and not await self._resource.survive_loop():
                self._loop = None
            yield

    @override
    async def health_check(self) -> bool:
        try:
            self.ensure_open()
            await self._resource.ensure_healthy()
        except RegistryError as error:
            self._unwell = error
            return False
        return True

    @override
    async def version(self) -> str:
        self.ensure_open()
        return await self._resource.version() or await super().version()


async def pages(
    read: Callable[[KeyT, int], Awaitable[list[T]]], first: KeyT, key: Callable[[T], KeyT], size: int
) -> AsyncGenerator[list[T], None]:
    """Yield what `read(after, size)` gives, page by page: the items that follow a key, in order, at most `size`."""
    after = first
    while items := await read(after, size):
        is_last, after = len(items) < size, key(items[-1])
        yield items  # which are the caller's from here on
        if is_last:
            return
