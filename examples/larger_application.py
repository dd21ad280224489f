"""The registry's container inside the container of a larger application, with settings in layers and a named store.

python examples/larger_application.py
SYMPHONY_REGISTRY_ENV=development python examples/larger_application.py    # in files
"""

import asyncio
from pathlib import Path

from dependency_injector import containers, providers

from symphony_registry import KnowledgeGraphBackend, VectorStoreBackend
from symphony_registry.containers import RegistryContainer, layered_settings

CONFIG = Path(__file__).parent / "config_larger"


class Recommender:
    """A service of the application: it is given its stores, and does not know where they come from."""

    def __init__(self, songs: VectorStoreBackend, liked: VectorStoreBackend, artists: KnowledgeGraphBackend) -> None:
        self._songs = songs
        self._liked = liked
        self._artists = artists

    async def learn(self, song: str, sound: list[float], artist: str) -> None:
        """Remember how a song sounds and whose it is."""
        await self._songs.add(song, sound)
        await self._artists.add_entities([(song, "Song", None), (artist, "Artist", None)])
        await self._artists.add_relation(song, artist, "BY")

    async def like(self, song: str) -> None:
        """Remember that a song is liked."""
        found = await self._songs.get(song)
        if found is not None:
            await self._liked.add(song, found["vector"])

    async def recommend(self) -> list[str]:
        """Return the song most like each liked one, with its artists."""
        liked = {item["id"]: item["vector"] async for item in self._liked.scan()}
        found = [await self._songs.search(sound, limit=2) for sound in liked.values()]
        songs = [song["id"] for each in found for song in each if song["id"] not in liked]
        return [f"{song} by {await self._artist(song)}" for song in songs]

    async def _artist(self, song: str) -> str:
        return " and ".join(artist["id"] for artist in await self._artists.query(song, ["BY"]))


class Application(containers.DeclarativeContainer):
    """The application: the registry's container is one of its parts, and reads its own files and variables."""

    config = providers.Configuration()
    storage = providers.Container(
        RegistryContainer,
        settings=providers.ThreadSafeSingleton(layered_settings, config.environment, config.config_dir),
    )
    recommender = providers.Singleton(
        Recommender,
        songs=storage.vector_store,
        liked=storage.registry.provided.vector_store.call("liked-songs"),  # by name, from the open registry
        artists=storage.knowledge_graph,
    )


async def main() -> None:
    """Configure, open, use and close."""
    application = Application()
    application.config.config_dir.from_value(CONFIG)
    async with application.storage.registry():
        recommender = application.recommender()
        await recommender.learn("Blue in Green", [0.2, 0.1], "Miles Davis")
        await recommender.learn("Naima", [0.3, 0.2], "John Coltrane")
        await recommender.learn("Ace of Spades", [0.9, 0.9], "Motorhead")
        await recommender.like("Blue in Green")
        print("\n".join(await recommender.recommend()))


if __name__ == "__main__":
    asyncio.run(main())
