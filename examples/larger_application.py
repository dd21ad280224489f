"""The registry's container inside the container of a larger application.

python examples/larger_application.py
"""

import asyncio

from dependency_injector import containers, providers

from symphony_registry import KnowledgeGraphBackend, VectorStoreBackend
from symphony_registry.containers import RegistryContainer


class Recommender:
    """A service of the application: it is given its stores, and does not know where they come from."""

    def __init__(self, vectors: VectorStoreBackend, graph: KnowledgeGraphBackend) -> None:
        self._vectors = vectors
        self._graph = graph

    async def learn(self, song: str, sound: list[float], artist: str) -> None:
        """Remember how a song sounds and whose it is."""
        await self._vectors.add(song, sound)
        await self._graph.add_entities([(song, "Song", None), (artist, "Artist", None)])
        await self._graph.add_relation(song, artist, "BY")

    async def similar(self, sound: list[float]) -> list[str]:
        """Return the two songs that sound most alike, with their artists."""
        found = await self._vectors.search(sound, limit=2)
        return [f"{song['id']} by {await self._artist(song['id'])}" for song in found]

    async def _artist(self, song: str) -> str:
        return " and ".join(artist["id"] for artist in await self._graph.query(song, ["BY"]))


class Application(containers.DeclarativeContainer):
    """The application: the registry's container is one of its parts."""

    config = providers.Configuration()
    storage = providers.Container(RegistryContainer, config=config.storage)
    recommender = providers.Singleton(Recommender, storage.vector_store, storage.knowledge_graph)


async def main() -> None:
    """Configure, open, use and close."""
    application = Application()
    application.config.from_dict(
        {
            "storage": {
                "vector_stores": {"default": {"provider": "memory", "options": {"metric": "euclidean"}}},
                "knowledge_graphs": {"default": {"provider": "memory"}},
            }
        }
    )
    async with application.storage.registry():
        recommender = application.recommender()
        await recommender.learn("Blue in Green", [0.2, 0.1], "Miles Davis")
        await recommender.learn("Naima", [0.3, 0.2], "John Coltrane")
        await recommender.learn("Ace of Spades", [0.9, 0.9], "Motorhead")
        print("\n".join(await recommender.similar([0.2, 0.15])))


if __name__ == "__main__":
    asyncio.run(main())
