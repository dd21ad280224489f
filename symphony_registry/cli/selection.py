"""Stores as they are named on the command line: `vector_store`, `vector_store/default`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import typer

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.cli.output import MISSING
from symphony_registry.errors import BackendErrorGroup, NotFoundError, TransferError, hint, own_errors
from symphony_registry.registry import ServiceRegistry
from symphony_registry.settings import BackendSettings
from symphony_registry.settings.validation import options_model
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
    """Return the backend type that is called so."""
    try:
        return BackendType(word)
    except NotFoundError as error:
        raise typer.BadParameter(str(error)) from None


def chosen_stores(registry: ServiceRegistry, words: Sequence[str]) -> list[StoreName]:
    """Return the stores that any of `words`, each a type or a type and a name, stands for; all without words."""
    known = stores_of(registry)
    found: list[StoreName] = []
    for word in words:
        kind, slash, name = word.partition("/")
        backend_type = backend_type_of(kind)
        named = [each for each in known if each.backend_type is backend_type and (not slash or each.name == name)]
        if slash and not named:
            raise typer.BadParameter(f"There is no {backend_type} {name!r}. {hint(word, map(str, known))}")
        found += named
    return [each for each in known if each in found] if words else known


def chosen_store(registry: ServiceRegistry, word: str) -> StoreName:
    """Return the one store that a word stands for."""
    found = chosen_stores(registry, [word])
    if len(found) != 1:
        known = ", ".join(map(str, stores_of(registry)))
        raise typer.BadParameter(f"Name one store, as TYPE/NAME. Known: {known or 'none'}.")
    return found[0]


def provider_of(registry: ServiceRegistry, store: StoreName) -> str:
    """Return the name of a store's provider, `-` where the store is not configured."""
    configured = settings_of(registry, store)
    return MISSING if configured is None else configured.provider


def settings_of(registry: ServiceRegistry, store: StoreName) -> BackendSettings | None:
    """Return how a store is configured, if it is."""
    return registry.container.settings().backends(store.backend_type).get(store.name)


@asynccontextmanager
async def closing(registry: ServiceRegistry) -> AsyncIterator[None]:
    """Close what the block has opened; where both fail, the block's error is told."""
    try:
        yield
    except BaseException:
        with suppress(BackendErrorGroup):
            await registry.close()
        raise
    await registry.close()


async def open_store(registry: ServiceRegistry, store: StoreName) -> StorageBackend:
    """Open a store; every error is one of ours."""
    with own_errors(f"{store} could not be built"):
        return await registry.open_backend(*store)


async def open_to_move(registry: ServiceRegistry, store: StoreName) -> StoreContents:
    """Open a store to copy from or to; raises `TransferError` for one that this process alone would see."""
    opened = await open_store(registry, store)
    if not opened.guarantees.persists:
        raise TransferError(
            f"{opened} is empty now and gone when this command ends: it does not persist. Choose another environment."
        )
    return StoreContents(opened)


async def open_source(registry: ServiceRegistry, store: StoreName) -> StoreContents:
    """Open a store to copy from; raises `TransferError` where it would be made only now."""
    from symphony_registry.providers.embedded.journal.names import JOURNAL_NAME  # noqa: PLC0415
    from symphony_registry.providers.embedded.log import FileOptions  # noqa: PLC0415 - providers are loaded when they are used

    configured = settings_of(registry, store)
    assert configured is not None
    model = options_model(StorageBackendFactory.get_provider(store.backend_type, configured.provider))
    if model is not None and issubclass(model, FileOptions):
        path = model.model_validate(configured.options).path
        if not (path / JOURNAL_NAME).exists():
            raise TransferError(
                f"Nothing was ever stored in {path.absolute()}: {store} is not there. Look at the environment, and "
                "at the working directory, where relative paths begin."
            )
    return await open_to_move(registry, store)
