"""A Litestar application that opens its storage when it starts, and is given its store by name.

litestar --app web_litestar:app run
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from symphony_registry import VectorStoreBackend
from symphony_registry.containers import RegistryContainer, build_container

CONFIG = Path(__file__).parent.parent / "config"


@get("/similar/{id:str}")
async def similar(id: FromPath[str], store: NamedDependency[VectorStoreBackend]) -> list[str]:
    """Find the nearest others of a document."""
    item = await store.get(id)
    if item is None:
        raise NotFoundException
    return [each["id"] for each in await store.search(item["vector"], 5, include_vectors=False)]


def create_app(container: RegistryContainer) -> Litestar:
    """Return the application over the stores of a container."""
    registry = container.registry()

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with registry:
            yield

    def documents() -> VectorStoreBackend:
        return registry.vector_store()

    stores = {"store": Provide(documents, sync_to_thread=False)}
    return Litestar([similar], lifespan=[lifespan], dependencies=stores)


app = create_app(build_container(environment="test", config_dir=CONFIG))
