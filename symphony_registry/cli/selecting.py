"""Selections on the command line: --filter, --prefix and --type, and what they mean to a store of each type."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
import typer

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.filters import ANYTHING, parse_filter
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.selection import check_range
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.cli.options import Misuse
from symphony_registry.cli.selection import StoreName
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.transfer.handwritten import once_each

_QUOTED = """Write it as --filter '{"lang": "en"}'."""


def _once(given: list[str] | None) -> list[str] | None:
    """Refuse an option that is given twice, of which only the last would count, or in vain."""
    if given is not None and len(given) > 1:
        raise typer.BadParameter("it is given more than once. Several conditions go into one filter, by $and or $or.")
    if given == [""]:
        raise typer.BadParameter("it is empty, perhaps because a variable of the shell is. Leave it out for all.")
    return given


Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='Only what matches: \'{"year": {"$gte": 2020}}\'.',
        callback=_once,
        show_default=False,
    ),
]
Prefix = Annotated[
    list[str] | None,
    typer.Option("--prefix", metavar="TEXT", help="Only ids that begin with it.", callback=_once, show_default=False),
]
Type = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only entities of this type.", callback=_once, show_default=False),
]


@dataclass(frozen=True)
class Chosen:
    """What the options of a command select."""

    where: JSONObject | None
    prefix: str
    type_name: str | None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return parse_filter(self.where) is ANYTHING and not (self.prefix or self.type_name)

    async def find(self, opened: StorageBackend, limit: int | None) -> list[dict[str, Any]]:
        """Return items by id, without vectors and data."""
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
                listed = await opened.find_checkpoints(prefix=self.prefix, metadata_filter=self.where, limit=limit)
                return [{**each} for each in listed]
        raise TypeError(opened)

    async def ids(self, opened: StorageBackend) -> list[str]:
        """Return the ids of the items."""
        found = await self.find(opened, None)
        return [each["checkpoint_id"] if "checkpoint_id" in each else each["id"] for each in found]

    async def count(self, opened: StorageBackend) -> int:
        """Return how many items there are."""
        match opened:
            case VectorStoreBackend() | CheckpointStoreBackend():
                return await opened.count(self.where, prefix=self.prefix)
            case KnowledgeGraphBackend():
                return await opened.count_entities(self.type_name, property_filter=self.where, prefix=self.prefix)
        raise TypeError(opened)

    async def delete(self, opened: StorageBackend, ids: list[str] | None = None) -> int:
        """Delete the items, or those of `ids`, and return how many there were."""
        match opened:
            case VectorStoreBackend() if ids is None:
                return await opened.delete_many(prefix=self.prefix, metadata_filter=self.where)
            case KnowledgeGraphBackend() if ids is None:
                return await opened.delete_entities(
                    entity_type=self.type_name, property_filter=self.where, prefix=self.prefix
                )
            case CheckpointStoreBackend() if ids is None:
                return await opened.delete_checkpoints(prefix=self.prefix, metadata_filter=self.where)
            case VectorStoreBackend():
                return await opened.delete_many(ids)
            case KnowledgeGraphBackend():
                return await opened.delete_entities(ids)
            case CheckpointStoreBackend():
                return await opened.delete_checkpoints(ids)
        raise TypeError(opened)


def read_filter(given: list[str] | None) -> JSONObject | None:
    """Return the filter that --filter gives; anything else is a mistake of usage."""
    if not given:
        return None
    (text,) = given
    try:
        orjson.loads(text)  # which takes nothing that is not JSON
        found: Any = json.loads(text, object_pairs_hook=once_each)
    except orjson.JSONDecodeError as error:
        raise Misuse(f"{text} is not JSON: {error}. {_QUOTED}") from None
    except InvalidValueError as error:
        raise Misuse(f"{error}: only the last would count.") from None
    if not isinstance(found, dict):
        raise Misuse(f"{text} is not a JSON object. {_QUOTED}")
    try:
        parse_filter(found)
    except (InvalidTypeError, InvalidValueError) as error:
        raise Misuse(str(error)) from None
    return found


def chosen_by(
    store: StoreName, where: list[str] | None, prefix: list[str] | None, type_name: list[str] | None
) -> Chosen:
    """Return what the options select in a store; those that do not fit it are a mistake of usage."""
    if type_name and store.backend_type is not BackendType.KNOWLEDGE_GRAPH:
        raise Misuse(f"{store} has no types: leave --type out.")
    try:
        check_range(prefix[0] if prefix else "")
    except InvalidValueError as error:
        raise Misuse(str(error)) from None
    return Chosen(read_filter(where), prefix[0] if prefix else "", type_name[0] if type_name else None)
