"""Stores as they are named on the command line: `vector_store`, `vector_store/default`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from rich.text import Text

from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.checking import open_beside
from symphony_registry.cli.options import Misuse
from symphony_registry.cli.output import FAINT, MISSING, print_lines
from symphony_registry.errors import (
    BackendErrorGroup,
    NotFoundError,
    StorageLockedError,
    TransferError,
    hint,
    public_errors,
)
from symphony_registry.registrations import Registrations
from symphony_registry.registry import ServiceRegistry
from symphony_registry.settings import BackendSettings
from symphony_registry.transfer import StoreContents


class StoreName(NamedTuple):
    """A backend type and a name."""

    backend_type: BackendType
    name: str

    def __str__(self) -> str:
        return f"{self.backend_type}/{self.name}"


def stores_of(registry: ServiceRegistry) -> list[StoreName]:
    """Return the stores of a registry, by type and name."""
    return [StoreName(kind, name) for kind in BackendType for name in registry.list_backends(kind)]


def backend_type_of(word: str) -> BackendType:
    """Return the backend type of that name."""
    try:
        return BackendType(word)
    except NotFoundError as error:
        raise Misuse(str(error)) from None


def chosen_stores(registry: ServiceRegistry, words: Sequence[str]) -> list[StoreName]:
    """Return the stores that `words` choose, each a type or a type and a name; all stores without words."""
    known = stores_of(registry)
    found: list[StoreName] = []
    for word in words:
        kind, slash, name = word.partition("/")
        backend_type = backend_type_of(kind)
        named = [each for each in known if each.backend_type is backend_type and (not slash or each.name == name)]
        if slash and not named:
            raise Misuse(f"There is no {backend_type} {name!r}. {hint(word, map(str, known))}")
        found += named
    return [each for each in known if each in found] if words else known


def chosen_store(registry: ServiceRegistry, word: str) -> StoreName:
    """Return the one store that a word chooses."""
    found = chosen_stores(registry, [word])
    if len(found) != 1:
        known = ", ".join(map(str, stores_of(registry)))
        raise Misuse(f"Name one store, as TYPE/NAME. Known: {known or 'none'}.")
    return found[0]


def provider_name_of(registry: ServiceRegistry, store: StoreName) -> str:
    """Return the name of a store's provider, `-` where the store is not configured."""
    configured = settings_of(registry, store)
    return MISSING if configured is None else configured.provider


def settings_of(registry: ServiceRegistry, store: StoreName) -> BackendSettings | None:
    """Return how a store is configured, if it is."""
    return registry.container.settings().backends(store.backend_type).get(store.name)


@asynccontextmanager
async def closing(registry: ServiceRegistry) -> AsyncIterator[None]:
    """Close what the block has opened; where both fail, the block's error is raised."""
    try:
        yield
    except BaseException:
        with suppress(BackendErrorGroup):
            await registry.close()
        raise
    await registry.close()


async def open_store(registry: ServiceRegistry, store: StoreName) -> StorageBackend:
    """Open a store; every error is one of ours, whose message may be shown."""
    with public_errors(f"{store} could not be opened"):
        return await registry.open_backend(*store)


async def open_to_read(registry: ServiceRegistry, store: StoreName) -> StorageBackend:
    """Open a store that is there; what to know of it, if anything, is said on stderr."""
    opened = await _open_beside(registry, store)
    if not opened.guarantees.persists:
        print_lines(Text(_without_data(opened), FAINT), stderr=True)
    return opened


async def open_source(registry: ServiceRegistry, store: StoreName) -> StoreContents:
    """Open a store to copy from; raises `TransferError` for one that does not outlive this command."""
    return _contents(await _open_beside(registry, store))


async def _open_beside(registry: ServiceRegistry, store: StoreName) -> StorageBackend:
    """Open a store that is there, if need be beside an application that has it open, which is said on stderr."""
    with public_errors(f"{store} could not be opened"):
        if (backend := await _found(registry, store)) is not None and (
            note := await open_beside(backend, lambda: registry.open_backend(*store))
        ):
            print_lines(Text(f"{store}: {note}", FAINT), stderr=True)
    return await open_store(registry, store)


async def _found(registry: ServiceRegistry, store: StoreName) -> StorageBackend | None:
    """Return the backend of a store; raises `TransferError` where opening would make what it keeps."""
    backend = Registrations(registry.container).find(*store)
    if backend is not None and not await backend.exists():
        raise TransferError(
            f"{backend} is not there: nothing was ever stored in it. Check the environment, and the working directory "
            f"({Path.cwd()}), where relative paths start."
        )
    return backend


async def open_to_fill(registry: ServiceRegistry, store: StoreName) -> StoreContents:
    """Open a store to copy to; raises `TransferError` for one that does not outlive this command."""
    try:
        return _contents(await open_store(registry, store))
    except StorageLockedError as error:  # whose advice is for reading, too
        raise TransferError(f"{store} cannot be changed now. {error.held} Stop or close that one first.") from error


async def open_to_change(registry: ServiceRegistry, store: StoreName) -> StorageBackend:
    """Open a store that is there, to change what it holds; raises as `open_to_fill` does."""
    with public_errors(f"{store} could not be opened"):
        await _found(registry, store)
    opened: StorageBackend = (await open_to_fill(registry, store)).store
    return opened


def _contents(opened: StorageBackend) -> StoreContents:
    if not opened.guarantees.persists:
        raise TransferError(_without_data(opened))
    return StoreContents(opened)


def _without_data(opened: StorageBackend) -> str:
    return f"{opened} does not persist: it is empty now, and gone when this command ends. Choose another environment."
