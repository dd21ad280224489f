"""Selections on the command line: --filter, --prefix and --type, and what they mean to a store of each type."""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
import typer

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.selection import check_range
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.cli.selection import StoreName
from symphony_registry.errors import InvalidTypeError, InvalidValueError

_QUOTED = """Write it as --filter '{"lang": "en"}'."""

Filter = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="JSON", help='Only what matches: \'{"year": {"$gte": 2020}}\'.', show_default=False
    ),
]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Only ids that begin with it.", show_default=False)]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only entities of this type.", show_default=False)
]


@dataclass(frozen=True)
class Chosen:
    """What the options of a command select."""

    where: JSONObject | None
    prefix: str
    type_name: str | None

    @property
    def is_everything(self) -> bool:
        """Whether no option was given."""
        return not (self.where or self.prefix or self.type_name)

    async def find(self, opened: StorageBackend, limit: int | None) -> list[dict[str, Any]]:
        """Return items: vectors and entities by id, checkpoints in the order saved, without vectors and data."""
        match opened:
            case VectorStoreBackend():
                found = await opened.find(
                    prefix=self.prefix, metadata_filter=self.where, limit=limit, include_vectors=False
                )
                return [{**each} for each in found]
            case KnowledgeGraphBackend():
                entities = await opened.find_entities(self.type_name, self.where, limit, prefix=self.prefix)
                return [{**each} for each in entities]
            case CheckpointStoreBackend():
                listed = await opened.list_checkpoints(prefix=self.prefix, metadata_filter=self.where, limit=limit)
                return [{**each} for each in listed]
        raise TypeError(opened)

    async def count(self, opened: StorageBackend) -> int:
        """Return how many items there are."""
        match opened:
            case VectorStoreBackend() | CheckpointStoreBackend():
                return await opened.count(self.where, prefix=self.prefix)
            case KnowledgeGraphBackend():
                return await opened.count_entities(self.type_name, property_filter=self.where, prefix=self.prefix)
        raise TypeError(opened)

    async def delete(self, opened: StorageBackend) -> int:
        """Delete the items and return how many there were."""
        match opened:
            case VectorStoreBackend():
                return await opened.delete_many(prefix=self.prefix, metadata_filter=self.where)
            case KnowledgeGraphBackend():
                return await opened.delete_entities(
                    entity_type=self.type_name, property_filter=self.where, prefix=self.prefix
                )
            case CheckpointStoreBackend():
                return await opened.delete_checkpoints(prefix=self.prefix, metadata_filter=self.where)
        raise TypeError(opened)


def read_filter(text: str | None) -> JSONObject | None:
    """Return the filter that --filter gives; anything else is a mistake of usage."""
    if text is None:
        return None
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"{text} is not JSON: {error}. {_QUOTED}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{text} is not a JSON object. {_QUOTED}")
    try:
        parse_filter(found)
    except (InvalidTypeError, InvalidValueError) as error:
        raise typer.BadParameter(str(error)) from None
    return found


def chosen_by(store: StoreName, where: str | None, prefix: str, type_name: str | None = None) -> Chosen:
    """Return what the options select in a store; those that do not fit it are a mistake of usage."""
    if type_name is not None and store.backend_type is not BackendType.KNOWLEDGE_GRAPH:
        raise typer.BadParameter(f"{store} has no types: leave --type out.")
    try:
        check_range(prefix)
    except InvalidValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Chosen(read_filter(where), prefix, type_name)
