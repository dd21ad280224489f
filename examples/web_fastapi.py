"""A FastAPI application whose container holds its storage and its services, wired into the handlers.

uvicorn web_fastapi:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject
from fastapi import Depends, FastAPI

from symphony_registry import CheckpointStoreBackend
from symphony_registry.containers import RegistryContainer, layered_settings

CONFIG = Path(__file__).parent.parent / "config"


class Drafts:
    """A service of the application: it is given its store, and does not know where that comes from."""

    def __init__(self, store: CheckpointStoreBackend) -> None:
        self._store = store

    async def save(self, author: str, text: str) -> int:
        """Keep a draft, and return its version."""
        return await self._store.save_checkpoint(f"draft/{author}", {"text": text})


class Application(containers.DeclarativeContainer):
    """The application: the registry's container is one of its parts."""

    wiring_config = containers.WiringConfiguration(modules=[__name__])
    storage = providers.Container(
        RegistryContainer, settings=providers.ThreadSafeSingleton(layered_settings, "test", CONFIG)
    )
    drafts = providers.Factory(Drafts, storage.checkpoint_store)


@inject
async def save(
    author: str, text: str, drafts: Annotated[Drafts, Depends(Provide[Application.drafts])]
) -> dict[str, int]:
    """Save a draft."""
    return {"version": await drafts.save(author, text)}


def create_app(container: Application) -> FastAPI:
    """Return the application, which opens its storage when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with container.storage.registry():
            yield

    app = FastAPI(lifespan=lifespan)
    app.put("/drafts/{author}")(save)
    return app


container = Application()
app = create_app(container)
